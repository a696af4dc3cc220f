# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The program that bounds sessions and logs: what goes, what stays, and that no link leads out."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

DAY, MEGABYTE = 86400, 1_000_000


@pytest.fixture
def tidy(load) -> ModuleType:
    return load("roles/spaces/files/tidy.py")


@pytest.fixture
def run(tidy, tmp_path, monkeypatch):
    """Run it over a folder of spaces; return its exit code."""

    def run() -> int:
        words = ["--root", str(tmp_path), "--session-seconds", str(DAY)]
        words += ["--sessions", "1000", "--log-bytes", str(MEGABYTE)]
        monkeypatch.setattr(sys, "argv", ["tidy", *words])
        return tidy.main()

    return run


def session(home: Path, name: str, age: float) -> Path:
    folder = home / "sessions"
    folder.mkdir(parents=True, exist_ok=True)
    (home / "log").mkdir(exist_ok=True)
    path = folder / name
    path.write_text("encrypted_session_data|")
    os.utime(path, (time.time() - age,) * 2)
    return path


def log(home: Path, name: str, size: int, text: str = "x") -> Path:
    (home / "sessions").mkdir(parents=True, exist_ok=True)
    (home / "log").mkdir(exist_ok=True)
    path = home / "log" / name
    path.write_text(text)
    os.truncate(path, size)
    return path


@pytest.mark.parametrize(
    ("ages", "most", "gone"),
    [
        ({}, 10, []),
        # Older than PHP's own 24 minutes, and somebody's.
        ({"a": 1441, "b": DAY}, 10, []),
        ({"a": 1, "b": DAY + 1}, 10, ["b"]),
        ({"a": 3, "b": 1, "c": 2}, 2, ["a"]),
        ({"a": 3, "b": 1, "c": DAY + 1}, 1, ["a", "c"]),
    ],
)
def test_sessions_that_ended_go_and_of_too_many_the_oldest(tidy, ages, most, gone):
    assert tidy.outdated(ages, tidy.Limits(DAY, most, 0)) == gone


def test_each_space_is_tidied(run, tmp_path):
    old = [session(tmp_path / slug, "sess_old", 2 * DAY) for slug in ("amap", "velo")]
    new = session(tmp_path / "velo", "sess_new", DAY / 2)
    assert run() == 0
    assert [path.exists() for path in old] == [False, False]
    assert new.exists()


def test_nothing_but_sessions_goes(run, tmp_path):
    home = tmp_path / "amap"
    other = session(home, "notes.txt", 2 * DAY)
    link = home / "sessions/sess_link"
    link.symlink_to(other)
    (home / "sessions/sess_folder").mkdir()
    for path in (link, home / "sessions/sess_folder"):
        os.utime(path, (0, 0), follow_symlinks=False)
    assert run() == 0
    assert other.exists()
    assert link.is_symlink()
    assert (home / "sessions/sess_folder").is_dir()


def test_a_log_and_the_one_before_it_are_all_there_is(run, tmp_path):
    home = tmp_path / "amap"
    for number in range(5):
        log(home, "nextcloud.log", MEGABYTE + 1, f"part {number}")
        assert run() == 0
    log(home, "nextcloud.log", MEGABYTE, "last")
    assert run() == 0
    assert sorted(os.listdir(home / "log")) == ["nextcloud.log", "nextcloud.log.1"]
    assert (home / "log/nextcloud.log.1").read_text().startswith("part 4")


def test_a_link_among_the_logs_leads_nowhere(run, tmp_path, tmp_path_factory):
    """Root would else rename, or later truncate, what the link leads to."""
    outside = tmp_path_factory.mktemp("outside") / "shadow"
    outside.write_bytes(b"x" * (MEGABYTE + 1))
    home = tmp_path / "amap"
    log(home, "nextcloud.log", MEGABYTE + 1, "mine")
    (home / "log/nextcloud.log.1").symlink_to(outside)
    (home / "log/php.log").symlink_to(outside)
    assert run() == 0
    # The link was replaced, not followed.
    assert (home / "log/nextcloud.log.1").read_bytes().startswith(b"mine")
    assert not (home / "log/nextcloud.log.1").is_symlink()
    assert (home / "log/php.log").is_symlink()
    assert outside.stat().st_size == MEGABYTE + 1


@pytest.mark.parametrize("place", ["amap/sessions", "amap/log", "amap"])
def test_a_link_in_place_of_a_folder_leads_nowhere(run, tmp_path, tmp_path_factory, place, capsys):
    outside = tmp_path_factory.mktemp("outside")
    other, large = session(outside, "sess_x", 2 * DAY), log(outside, "a.log", MEGABYTE + 1)
    mine = session(tmp_path / "velo", "sess_old", 2 * DAY)
    if place == "amap":
        (tmp_path / place).symlink_to(outside)
    else:
        session(tmp_path / "amap", "sess_mine", 0)
        (tmp_path / place).rename(tmp_path / "amap/moved")
        (tmp_path / place).symlink_to(outside / Path(place).name)
    assert run() == 1
    assert other.exists()
    assert large.exists()
    # It is said, and the others are tidied.
    assert "<3>amap: " in capsys.readouterr().out
    assert not mine.exists()
