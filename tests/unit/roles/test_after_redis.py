# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""PHP waits for the door of its Redis, and not for ever."""

from __future__ import annotations

import socket
import subprocess
import threading
from pathlib import Path

import pytest

from tests.unit.environment import ROOT

PROGRAM = ROOT / "roles/spaces/files/after-redis.sh"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The program, with doors and patience for a test."""
    text = PROGRAM.read_text(encoding="utf-8")
    assert "/run/archipel/redis" in text
    assert "left=250" in text
    path = tmp_path / "after-redis"
    text = text.replace("/run/archipel/redis", str(tmp_path)).replace("left=250", "left=10")
    path.write_text(text, encoding="utf-8")
    (tmp_path / "amap").mkdir()
    return path


def start(program: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["sh", str(program), "amap", *words], stdout=subprocess.PIPE, text=True, errors="strict"
    )


def test_it_waits_for_the_door_and_becomes_the_program(program: Path):
    with socket.socket(socket.AF_UNIX) as door:
        opened = threading.Timer(0.08, door.bind, [str(program.parent / "amap/redis.sock")])
        opened.start()
        door_there = f"test -S {program.parent}/amap/redis.sock && echo $$"
        process = start(program, "sh", "-c", door_there)
        assert process.communicate(timeout=10)[0].strip() == str(process.pid)


def test_without_redis_the_program_starts_all_the_same(program: Path):
    process = start(program, "echo", "two words", "*")
    assert process.communicate(timeout=10)[0] == "two words *\n"


def test_a_plain_file_is_no_door(program: Path):
    (program.parent / "amap/redis.sock").touch()
    process = start(program, "true")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.05)
    assert process.wait(timeout=10) == 0
