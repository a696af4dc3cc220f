# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Bringing a large file: resumed, verified, and never half there under its name."""

from __future__ import annotations

import hashlib
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._actions import _transfer

DATA = os.urandom(10_000)


class Line:
    """A connection that breaks where a test wants it."""

    def __init__(self, data: bytes = DATA) -> None:
        self.data = data
        # Bytes after which it breaks, once each.
        self.breaks: list[int] = []
        self.offsets: list[int] = []

    def __call__(self, offset: int) -> Iterator[bytes]:
        self.offsets.append(offset)
        end = self.breaks.pop(0) if self.breaks else len(self.data)
        for start in range(offset, min(end, len(self.data)), 1000):
            yield self.data[start : min(start + 1000, end)]
        if end < len(self.data):
            raise _transfer.Broken("Connection reset by peer")


@pytest.fixture
def target(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(_transfer, "RESERVE", 0)
    return tmp_path / "export/amap.tar.gz"


def wanted(data: bytes = DATA) -> _transfer.Wanted:
    return _transfer.Wanted("/spool/amap.tar.gz", len(data), hashlib.sha256(data).hexdigest())


def names(target: Path) -> set[str]:
    return {path.name for path in target.parent.iterdir()}


def test_it_comes_whole_and_private(target: Path):
    assert _transfer.bring(Line(), target, wanted()) == 0
    assert target.read_bytes() == DATA
    assert target.stat().st_mode & 0o777 == 0o600
    assert names(target) == {target.name}


def test_a_connection_that_breaks_is_taken_up_again(target: Path):
    line = Line()
    line.breaks = [3000, 3000, 3500, 9999]
    assert _transfer.bring(line, target, wanted()) == 0
    assert line.offsets == [0, 3000, 3000, 3500, 9999]
    assert target.read_bytes() == DATA


def test_one_that_brings_nothing_is_given_up_and_the_next_run_goes_on(target: Path):
    line = Line()
    line.breaks = [4000, 4000, 4000, 4000]
    with pytest.raises(_transfer.TransferError, match=r"Connection reset.*it goes on from here"):
        _transfer.bring(line, target, wanted())
    assert not target.exists()
    again = Line()
    assert _transfer.bring(again, target, wanted()) == 4000
    assert again.offsets == [4000]
    assert target.read_bytes() == DATA


def test_a_controller_that_is_killed_goes_on(target: Path):
    class Killed(BaseException):
        pass

    def source(offset: int) -> Iterator[bytes]:
        yield DATA[offset:2500]
        raise Killed

    with pytest.raises(Killed):
        _transfer.bring(source, target, wanted())
    assert names(target) == {f"{target.name}.part", f"{target.name}.part.json"}
    assert _transfer.part_of(target).stat().st_mode & 0o777 == 0o600
    assert _transfer.bring(Line(), target, wanted()) == 2500
    assert target.read_bytes() == DATA


def test_the_part_of_another_archive_is_not_continued(target: Path):
    line = Line()
    line.breaks = [4000] * 4
    with pytest.raises(_transfer.TransferError):
        _transfer.bring(line, target, wanted())
    other = os.urandom(12_000)
    assert _transfer.bring(Line(other), target, wanted(other)) == 0
    assert target.read_bytes() == other


def test_a_wrong_checksum_leaves_nothing(target: Path):
    with pytest.raises(_transfer.TransferError, match="checksum"):
        _transfer.bring(Line(DATA[:-1] + b"x"), target, wanted())
    assert names(target) == set()


def test_more_than_there_should_be_leaves_nothing(target: Path):
    with pytest.raises(_transfer.TransferError, match="checksum"):
        _transfer.bring(Line(DATA + b"x"), target, wanted())
    assert names(target) == set()


def test_the_last_export_stays_until_the_next_is_here(target: Path):
    _transfer.bring(Line(), target, wanted())
    other = os.urandom(5000)
    line = Line(other)
    line.breaks = [100] * 4
    with pytest.raises(_transfer.TransferError):
        _transfer.bring(line, target, wanted(other))
    assert target.read_bytes() == DATA


def test_no_room_is_said_before_anything_comes(target: Path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=5000))
    line = Line()
    with pytest.raises(_transfer.TransferError, match="-e export_folder=/elsewhere"):
        _transfer.bring(line, target, wanted())
    assert line.offsets == []


def test_a_disk_that_fills_meanwhile_is_said(target: Path):
    def source(offset: int) -> Iterator[bytes]:
        yield DATA[offset:1500]
        raise OSError(28, "No space left on device")

    with pytest.raises(_transfer.TransferError, match=r"No space left on device.*run again"):
        _transfer.bring(source, target, wanted())
    assert not target.exists()
    assert _transfer.bring(Line(), target, wanted()) == 1500


def test_memory_does_not_grow_with_the_file(target: Path):
    size = 200 << 20
    found = hashlib.sha256()
    for _ in range(200):
        found.update(bytes(1 << 20))
    large = _transfer.Wanted("/spool/x", size, found.hexdigest())
    tracemalloc.start()
    _transfer.bring(lambda _offset: (bytes(1 << 20) for _ in range(200)), target, large)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
