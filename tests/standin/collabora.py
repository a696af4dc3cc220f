# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Makes packages shaped like Collabora Online's, for machines that cannot reach the vendor.

The same names, places, unit and user. The daemon reads the configuration the role wrote and
answers from it; see collabora/coolwsd for what it keeps of the real one's manners.
"""

from __future__ import annotations

from pathlib import Path

from tests.support.aptrepo import build_package

NAME = "coolwsd"
OTHERS = ("code-brand", "collaboraoffice-dict-fr", "collaboraoffice-dict-en")
SOURCE = Path(__file__).resolve().parent / "collabora"
CONTROL = """\
Package: {name}
Version: {version}
Architecture: all
Maintainer: The Archipel contributors <noreply@example.org>
Depends: {depends}
Description: stand-in for tests
"""


def tree(version: str) -> dict[str, tuple[str, int]]:
    """Return every file of the package: path → (content, mode)."""
    depends = "adduser, python3, init-system-helpers"
    control = CONTROL.format(name=NAME, version=version, depends=depends)
    return {
        "DEBIAN/control": (control, 0o644),
        "DEBIAN/conffiles": ("/etc/coolwsd/coolwsd.xml\n", 0o644),
        "DEBIAN/postinst": (_text("postinst"), 0o755),
        "/etc/coolwsd/coolwsd.xml": (_text("coolwsd.xml").format(version=version), 0o640),
        "/usr/bin/coolwsd": (_text("coolwsd"), 0o755),
        "/usr/lib/systemd/system/coolwsd.service": (_text("coolwsd.service"), 0o644),
    }


def _text(name: str) -> str:
    return (SOURCE / name).read_text(encoding="utf-8")


def build(version: str, folder: Path) -> list[Path]:
    """Build the packages of one version; return their files."""
    empty = []
    for name in OTHERS:
        control = CONTROL.format(name=name, version=version, depends="adduser")
        package = folder / f"{name}_{version}_all.deb"
        empty.append(build_package({"DEBIAN/control": (control, 0o644)}, package))
    return [build_package(tree(version), folder / f"{NAME}_{version}_all.deb"), *empty]
