# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Makes archives of small applications that stand for the office connectors.

They run in the stand-in release alone, which calls ``standin.php`` of an application, and
``standin.sql`` where there is one when it is enabled.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parent / "connectors"
VERSION = "1.0.0"
INFO = """<?xml version="1.0"?>
<info>
    <id>{name}</id>
    <name>{name}</name>
    <version>{version}</version>
    <dependencies><nextcloud min-version="29" max-version="99"/></dependencies>
</info>
"""


def build(folder: Path) -> dict[str, dict[str, object]]:
    """Build each archive into a folder; return the applications of a release catalogue."""
    folder.mkdir(parents=True, exist_ok=True)
    return {path.stem: _archive(path, folder) for path in sorted(SOURCE.glob("*.php"))}


def _archive(source: Path, folder: Path) -> dict[str, object]:
    name = source.stem
    files = {
        f"{name}/appinfo/info.xml": INFO.format(name=name, version=VERSION).encode(),
        f"{name}/standin.php": source.read_bytes(),
    }
    tables = source.with_suffix(".sql")
    if tables.is_file():
        files[f"{name}/standin.sql"] = tables.read_bytes()
    target = folder / f"{name}-{VERSION}.tar.gz"
    with tarfile.open(target, "w:gz") as archive:
        for path, data in files.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(data), 0o644
            archive.addfile(member, io.BytesIO(data))
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    # Taken from the folder: the address is only there to be one.
    url = f"https://applications.invalid/{target.name}"
    return {"version": VERSION, "url": url, "sha256": digest, "unsigned": True}
