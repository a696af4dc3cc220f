# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Unpacking believes nothing that an archive says about itself."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _archive

TOP = "nextcloud"
Make = Callable[..., str]


def entry(name: str, **attributes: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.mtime = 1_700_000_000
    for key, value in attributes.items():
        setattr(info, key, value)
    return info


@pytest.fixture
def tar(tmp_path: Path) -> Make:
    def make(*entries: tarfile.TarInfo, mode: Any = "w:gz") -> str:
        path = tmp_path / "archive.tar"
        with tarfile.open(path, mode) as archive:
            for info in entries:
                data = b"content" if info.isreg() else b""
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        return str(path)

    return make


def modes(folder: Path) -> dict[str, int]:
    return {
        path.relative_to(folder).as_posix(): stat.S_IMODE(path.lstat().st_mode)
        for path in folder.rglob("*")
    }


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_plain_tree_is_unpacked_whatever_the_compression(tar: Make, tmp_path: Path, mode: str):
    path = tar(entry("nextcloud/a/b.txt", mode=0o600), mode=mode)
    _archive.unpack(path, TOP, str(tmp_path / "out"))
    assert (tmp_path / "out/a/b.txt").read_bytes() == b"content"


def test_modes_are_ours_and_not_the_archives(tar: Make, tmp_path: Path):
    path = tar(
        entry("nextcloud", type=tarfile.DIRTYPE, mode=0o777),
        entry("nextcloud/folder", type=tarfile.DIRTYPE, mode=0o700),
        entry("nextcloud/occ", mode=0o777),
        entry("nextcloud/secret.php", mode=0o666),
    )
    old = os.umask(0o077)
    try:
        _archive.unpack(path, TOP, str(tmp_path / "out"))
    finally:
        os.umask(old)
    assert modes(tmp_path / "out") == {"folder": 0o755, "occ": 0o755, "secret.php": 0o644}
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o755


def test_times_are_kept_but_never_in_the_future(tar: Make, tmp_path: Path):
    path = tar(entry("nextcloud/old"), entry("nextcloud/new", mtime=9_999_999_999))
    _archive.unpack(path, TOP, str(tmp_path / "out"))
    assert (tmp_path / "out/old").stat().st_mtime == 1_700_000_000
    assert (tmp_path / "out/new").stat().st_mtime < 9_999_999_999


def test_links_inside_are_taken(tar: Make, tmp_path: Path):
    path = tar(
        entry("nextcloud/a/file"),
        entry("nextcloud/a/link", type=tarfile.SYMTYPE, linkname="../a/file"),
    )
    _archive.unpack(path, TOP, str(tmp_path / "out"))
    assert (tmp_path / "out/a/link").read_bytes() == b"content"


def link(name: str, target: str) -> tarfile.TarInfo:
    return entry(name, type=tarfile.SYMTYPE, linkname=target)


REFUSED = {
    "absolute": [entry("/nextcloud/a")],
    "parent": [entry("nextcloud/../../a")],
    "parent at the end": [entry("nextcloud/a/..", type=tarfile.DIRTYPE)],
    "another folder": [entry("other/a")],
    "no folder": [entry("version.php")],
    "name that begins like it": [entry("nextcloud-evil/a")],
    "backslash": [entry("nextcloud/a\\..\\b")],
    "absolute link": [link("nextcloud/a", "/etc/passwd")],
    "link above": [link("nextcloud/a", "../outside")],
    "link above by a detour": [link("nextcloud/a/b", "c/../../../outside")],
    "link to nothing": [link("nextcloud/a", "")],
    "through a link": [link("nextcloud/a", "."), entry("nextcloud/a/b")],
    "over a link": [link("nextcloud/a", "b"), entry("nextcloud/a")],
    "top is a link": [link("nextcloud", "elsewhere"), entry("nextcloud/a")],
    "hard link": [entry("nextcloud/a", type=tarfile.LNKTYPE, linkname="nextcloud/b")],
    "device": [entry("nextcloud/a", type=tarfile.CHRTYPE, devmajor=1, devminor=3)],
    "pipe": [entry("nextcloud/a", type=tarfile.FIFOTYPE)],
    "set-user-id": [entry("nextcloud/a", mode=0o4755)],
    "set-group-id folder": [entry("nextcloud/a", type=tarfile.DIRTYPE, mode=0o2755)],
    "the same path twice": [entry("nextcloud/a"), entry("nextcloud/a")],
    "file as a folder": [entry("nextcloud/a"), entry("nextcloud/a/b")],
}


@pytest.mark.parametrize("entries", REFUSED.values(), ids=REFUSED)
def test_what_does_not_belong_is_refused(tar: Make, tmp_path: Path, entries: list[tarfile.TarInfo]):
    with pytest.raises(_archive.ArchiveError):
        _archive.unpack(tar(*entries), TOP, str(tmp_path / "deep/out"))
    outside = [p for p in tmp_path.rglob("*") if "deep/out" not in str(p) and p.is_file()]
    assert [path.name for path in outside] == ["archive.tar"]


def test_empty_archive_is_refused(tar: Make, tmp_path: Path):
    with pytest.raises(_archive.ArchiveError, match="empty"):
        _archive.unpack(tar(), TOP, str(tmp_path / "out"))


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2"])
def test_truncated_archive_is_refused(tar: Make, tmp_path: Path, mode: str):
    path = Path(tar(*(entry(f"nextcloud/{number}") for number in range(400)), mode=mode))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(_archive.ArchiveError):
        _archive.unpack(str(path), TOP, str(tmp_path / "out"))


def test_what_is_no_archive_is_refused(tmp_path: Path):
    path = tmp_path / "archive.tar"
    path.write_text("<html>not found</html>")
    with pytest.raises(_archive.ArchiveError, match="cannot be read"):
        _archive.unpack(str(path), TOP, str(tmp_path / "out"))


def test_archive_that_is_too_large_is_refused(
    tar: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_archive, "MAX_BYTES", 10)
    with pytest.raises(_archive.ArchiveError, match="more than any Nextcloud"):
        _archive.unpack(tar(entry("nextcloud/a"), entry("nextcloud/b")), TOP, str(tmp_path / "o"))


class TestZip:
    def test_tree_is_unpacked(self, tmp_path: Path):
        path = tmp_path / "archive.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("nextcloud/", "")
            archive.writestr("nextcloud/a/b.txt", "content")
        _archive.unpack(str(path), TOP, str(tmp_path / "out"))
        assert modes(tmp_path / "out") == {"a": 0o755, "a/b.txt": 0o644}

    @pytest.mark.parametrize(
        ("name", "mode"),
        [
            ("nextcloud/../a", stat.S_IFREG | 0o644),
            ("nextcloud/a", stat.S_IFLNK | 0o777),
            ("nextcloud/a", stat.S_IFREG | 0o4755),
        ],
    )
    def test_what_does_not_belong_is_refused(self, tmp_path: Path, name: str, mode: int):
        path = tmp_path / "archive.zip"
        with zipfile.ZipFile(path, "w") as archive:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, "/etc/passwd")
        with pytest.raises(_archive.ArchiveError):
            _archive.unpack(str(path), TOP, str(tmp_path / "out"))


def test_an_encrypted_zip_is_refused_in_a_sentence(tmp_path: Path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{TOP}/a", b"content")
    data = bytearray(path.read_bytes())
    # The flag "encrypted" of the entry, in its own header and in the directory of the archive.
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    path.write_bytes(bytes(data))
    with pytest.raises(_archive.ArchiveError, match=r"cannot be read.*encrypted"):
        _archive.unpack(str(path), TOP, str(tmp_path / "out"))
