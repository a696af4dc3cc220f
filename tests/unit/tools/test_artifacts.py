# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What is read in the archives that lie in artifacts/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.plugins.plugin_utils import signing
from tools import artifacts
from tools.lab import LabError


def lay(
    folder: Path, name: str, version: str, major: str = "33", more: dict[str, bytes] | None = None
) -> Path:
    """Put an application's archive there."""
    info = (
        f"<info><id>{name}</id><version>{version}</version><dependencies>"
        f'<nextcloud min-version="{major}" max-version="{major}"/></dependencies></info>'
    )
    path = folder / f"{name}-{version}.tar.gz"
    return signing.pack(path, name, {"appinfo/info.xml": info.encode(), **(more or {})})


def test_versions_are_compared_as_numbers(tmp_path: Path):
    for name in ("33.0.9.zip", "33.0.10.tar.gz", "9.0.1.tar.bz2", "33.0.11.tar.bz2.asc", "x.zip"):
        (tmp_path / f"nextcloud-{name}").touch()
    assert artifacts.releases(tmp_path) == ["9.0.1", "33.0.9", "33.0.10"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the archive cannot be read"),
        (b"<html>Sign in to this network</html>", "the archive cannot be read"),
        ("truncated", "the archive cannot be read"),
        ("another", r"it holds deck 1\.2\.3\. Call it deck-1\.2\.3\.tar\.gz"),
        ("nothing", "Fetch it again, or remove it"),
    ],
)
def test_a_broken_archive_is_named_with_what_to_do(tmp_path: Path, data: Any, said: str):
    path = lay(tmp_path, "deck", "1.2.3", more={"lib/x.php": bytes(range(256)) * 40})
    if data == "truncated":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif data == "another":
        path.rename(tmp_path / "deck-1.2.4.tar.gz")
    elif data == "nothing":
        signing.pack(path, "deck", {"README": b""})
    else:
        path.write_bytes(data)
    with pytest.raises(LabError, match=said) as refusal:
        artifacts.applications({"deck"}, tmp_path)
    assert str(tmp_path / "deck-1.2.") in str(refusal.value)
