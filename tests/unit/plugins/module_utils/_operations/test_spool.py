# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A large archive in a stream: whole or not there, and room left for others."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._operations import _spool

MB = 1 << 20


@pytest.fixture
def target(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(_spool, "RESERVE_BYTES", 0)
    monkeypatch.setattr(_spool, "RESERVE_SHARE", 10**9)
    (tmp_path / "spool").mkdir()
    return tmp_path / "spool/amap.tar.gz"


def add(archive: _spool.Archive, name: str, folder: Path) -> int:
    with _spool.opened(str(folder)) as descriptor:
        assert descriptor is not None
        return _spool.add_tree(archive, name, descriptor)


def content(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        return {
            member.name: archive.extractfile(member).read()  # type: ignore[union-attr]
            for member in archive
            if member.isreg()
        }


def test_what_shrinks_is_compressed_and_what_does_not_is_stored(tmp_path, target: Path):
    folder = tmp_path / "in"
    folder.mkdir()
    expected = {}
    for number in range(6):
        data = os.urandom(MB + number) if number % 2 else b"une phrase " * (MB // 11)
        (folder / f"f{number}").write_bytes(data)
        expected[f"x/f{number}"] = data
    with _spool.writing(str(target)) as archive:
        assert add(archive, "x", folder) == 6
    assert content(target) == expected
    # Half of it is compressed.
    assert 3 * MB < target.stat().st_size < 4 * MB
    assert target.stat().st_mode & 0o777 == 0o600
    assert archive.sink.digest.hexdigest() == hashlib.sha256(target.read_bytes()).hexdigest()
    assert archive.sink.length == target.stat().st_size
    # Other programs read it too.
    listed = subprocess.run(["tar", "-tzf", target], capture_output=True, text=True, check=True)
    assert len(listed.stdout.splitlines()) == 7


def test_memory_does_not_grow_with_what_is_written(tmp_path, target: Path):
    folder = tmp_path / "in"
    folder.mkdir()
    with (folder / "large").open("wb") as file:
        file.truncate(200 * MB)
    for number in range(3000):
        (folder / f"small-{number}").touch()
    tracemalloc.start()
    with _spool.writing(str(target)) as archive:
        add(archive, "x", folder)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * MB


def test_nothing_is_left_of_what_failed(target: Path):
    def fail() -> None:
        with _spool.writing(str(target)) as archive:
            archive.text("a", "a")
            raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space left"):
        fail()
    assert list(target.parent.iterdir()) == []


def test_the_last_archive_stays_until_the_next_is_whole(target: Path):
    target.write_text("the last one")

    def fail() -> None:
        with _spool.writing(str(target)) as archive:
            archive.text("a", "a")
            raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space left"):
        fail()
    assert target.read_text() == "the last one"


def test_a_disk_that_fills_meanwhile_is_not_filled_by_us(tmp_path, target: Path, monkeypatch):
    (tmp_path / "large").mkdir()
    (tmp_path / "large/f").write_bytes(os.urandom(4 * MB))
    monkeypatch.setattr(_spool, "LOOK", MB)
    monkeypatch.setattr(_spool, "room", lambda _folder: (-1, 0))
    with (
        pytest.raises(_spool.SpoolError, match="has filled up meanwhile"),
        _spool.writing(str(target)) as archive,
    ):
        add(archive, "x", tmp_path / "large")
    assert list(target.parent.iterdir()) == []


def test_room_stays_for_the_spaces(target: Path, monkeypatch):
    folder = str(target.parent)
    _spool.demand_room(folder, MB)
    monkeypatch.setattr(_spool, "RESERVE_SHARE", 1)
    with pytest.raises(_spool.SpoolError, match="-e export_spool=/elsewhere"):
        _spool.demand_room(folder, MB)


def test_no_link_is_followed_wherever_it_is(tmp_path, target: Path):
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("secret")
    home = tmp_path / "home"
    (home / "camille/files").mkdir(parents=True)
    (home / "camille/files/a.txt").write_text("a")
    (home / "camille/files/link").symlink_to(secret / "key")
    (home / "camille/files/folder").symlink_to(secret)
    os.mkfifo(home / "camille/files/pipe")
    (home / "mallory").symlink_to(home / "camille")
    for parts in (("mallory", "files"), ("camille", "files", "folder"), ("camille", "missing")):
        with _spool.opened(str(home), *parts) as descriptor:
            assert descriptor is None, parts
    with _spool.writing(str(target)) as archive, _spool.opened(str(home)) as descriptor:
        assert descriptor is not None
        assert _spool.add_tree(archive, "x", descriptor) == 1
    assert content(target) == {"x/camille/files/a.txt": b"a"}


def test_a_link_that_takes_a_file_s_place_is_not_followed(tmp_path, target: Path, monkeypatch):
    """Between looking and opening, its owner may have put a link there."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a").write_text("a")
    (tmp_path / "key").write_text("secret")
    real = os.lstat

    def swap(name, **options):
        info = real(name, **options)
        (tmp_path / "in/a").unlink()
        (tmp_path / "in/a").symlink_to(tmp_path / "key")
        return info

    with _spool.writing(str(target)) as archive, _spool.opened(str(tmp_path / "in")) as descriptor:
        assert descriptor is not None
        monkeypatch.setattr("os.lstat", swap)
        assert _spool.add_tree(archive, "x", descriptor) == 0
        monkeypatch.undo()
    assert archive.changed.gone == 1
    assert content(target) == {}


def test_a_file_that_changes_while_it_is_read_spoils_nothing(tmp_path, target: Path):
    path = tmp_path / "f"
    path.write_bytes(b"x" * 100)
    descriptor = os.open(path, os.O_RDONLY)
    short, long = _spool.Exactly(descriptor, 150), None
    with _spool.writing(str(target)) as archive:
        archive.add("short", short, 150)
        os.lseek(descriptor, 0, os.SEEK_SET)
        long = _spool.Exactly(descriptor, 40)
        archive.add("long", long, 40)
        archive.text("after", "intact")
    os.close(descriptor)
    found = content(target)
    assert found == {"short": b"x" * 100 + bytes(50), "long": b"x" * 40, "after": b"intact"}
    assert (short.short, long.short) == (True, False)


def test_hard_links_are_files(tmp_path, target: Path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a").write_text("a")
    os.link(tmp_path / "in/a", tmp_path / "in/b")
    with _spool.writing(str(target)) as archive:
        assert add(archive, "x", tmp_path / "in") == 2
    assert content(target) == {"x/a": b"a", "x/b": b"a"}


def test_an_export_is_measured_as_it_is_written(tmp_path):
    (tmp_path / "in/below").mkdir(parents=True)
    (tmp_path / "in/a").write_bytes(b"12345")
    (tmp_path / "in/below/b").write_bytes(b"123")
    (tmp_path / "in/link").symlink_to("/etc/passwd")
    with _spool.opened(str(tmp_path / "in")) as descriptor:
        assert descriptor is not None
        assert _spool.measure(descriptor) == (2, 8)
