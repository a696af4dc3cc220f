# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The program that puts spaces to sleep: who is unused, who stays awake all the same."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

MIB = 1024**2
SLUG = "amap"
PHP, TIMER = f"space-php@{SLUG}.service", f"space-awake@{SLUG}.timer"


@pytest.fixture
def idle(load) -> ModuleType:
    """The program as a module."""
    return load("roles/spaces/files/idle.py")


@pytest.fixture
def watched(idle, tmp_path, monkeypatch) -> ModuleType:
    """The program, with a state of its own, one awake space and half of its memory available."""
    monkeypatch.setattr(idle, "STATE", tmp_path / "idle.json")
    monkeypatch.setattr(idle, "MEMORY", tmp_path / "meminfo")
    idle.MEMORY.write_text("MemTotal:  2048 kB\nMemFree:  1 kB\nMemAvailable:  1024 kB\n")
    monkeypatch.setattr(idle, "running", lambda: ({SLUG: 42}, {SLUG}))
    monkeypatch.setattr(idle, "size", lambda _pid: 1)
    return idle


def looks(module, monkeypatch, marks, longest=100, available=0):
    """Look once per (time, mark), idle after 100 seconds; return what systemd was asked for."""
    asked: list[str] = []
    options = ["--after", "100", "--longest", str(longest), "--available", str(available)]
    monkeypatch.setattr(sys, "argv", ["idle", *options])
    monkeypatch.setattr(
        module.subprocess, "run", lambda command, **_options: asked.append(" ".join(command[1:]))
    )
    for now, mark in marks:
        monkeypatch.setattr(module.time, "monotonic", lambda now=now: now)
        monkeypatch.setattr(module, "activity", lambda _pid, mark=mark: mark)
        module.main()
    return asked


@pytest.mark.parametrize(
    ("marks", "stopped"),
    [
        ([(0, "a"), (99, "a")], []),
        ([(0, "a"), (100, "a")], [f"stop {PHP}"]),
        ([(0, "a"), (99, "b"), (150, "b")], []),
        ([(0, "a"), (99, "b"), (199, "b")], [f"stop {PHP}"]),
        ([(0, "a"), (50, None), (120, "a")], []),
    ],
)
def test_a_service_is_stopped_after_the_whole_time_without_use(
    watched, monkeypatch, marks, stopped
):
    assert looks(watched, monkeypatch, marks) == stopped


def test_one_that_nobody_uses_stays_awake_but_for_its_jobs(watched, monkeypatch):
    marks = [(0, "a"), (100, "a")]
    assert looks(watched, monkeypatch, marks, longest=1000) == [f"stop {TIMER}"]


def test_one_that_is_used_again_has_its_jobs_again(watched, monkeypatch):
    looks(watched, monkeypatch, [(0, "a"), (100, "a")], longest=1000)
    monkeypatch.setattr(watched, "running", lambda: ({SLUG: 42}, set()))
    assert looks(watched, monkeypatch, [(160, "a")], longest=1000) == []
    assert looks(watched, monkeypatch, [(220, "b")], longest=1000) == [f"start {TIMER}"]


@pytest.mark.parametrize(("percent", "done"), [(50, TIMER), (51, PHP), (100, PHP)])
def test_it_goes_when_too_little_of_the_memory_is_available(watched, monkeypatch, percent, done):
    marks = [(0, "a"), (100, "a")]
    assert looks(watched, monkeypatch, marks, longest=1000, available=percent) == [f"stop {done}"]


def test_one_in_use_never_goes_however_little_there_is(watched, monkeypatch):
    assert looks(watched, monkeypatch, [(0, "a"), (99, "a")], available=100) == []


@pytest.mark.parametrize(
    ("lacking", "stopped"),
    [
        (0, []),
        (1, ["old"]),
        (10 * MIB, ["old"]),
        (11 * MIB, ["old", "middle"]),
        (900 * MIB, ["old", "middle", "young"]),
    ],
)
def test_those_go_first_that_were_unused_for_longest_and_no_more_than_needed(
    idle, lacking, stopped
):
    unused = {"young": 200.0, "old": 400.0, "used": 10.0, "middle": 300.0}
    limits = idle.Limits(100, 1000, 2000 * MIB)
    todo = idle.plan(unused, set(unused), limits, 2000 * MIB - lacking, lambda _slug: 10 * MIB)
    assert todo.stop == stopped
    assert todo.rest == sorted({"old", "middle", "young"} - set(stopped))
    assert todo.resume == []


def test_what_goes_for_its_age_makes_room_too(idle):
    unused = {"ancient": 5000.0, "old": 400.0}
    limits = idle.Limits(100, 1000, 100 * MIB)
    assert idle.plan(unused, set(), limits, 90 * MIB, lambda _slug: 10 * MIB).stop == ["ancient"]


def test_sizes_are_asked_only_of_those_that_go(idle):
    asked: list[str] = []
    idle.plan({SLUG: 400.0}, set(), idle.Limits(100, 1000, 0), 1, asked.append)
    assert asked == []


def test_what_has_no_size_any_more_holds_nobody_up(idle):
    """Services that ended while they were looked at leave nothing: the next ones go as well."""
    unused = {"gone": 400.0, "old": 300.0}
    todo = idle.plan(unused, set(), idle.Limits(100, 1000, 10), 0, lambda _slug: 0)
    assert todo.stop == ["gone", "old"]


SHOWN = """\
MainPID=42
Id=space-php@amap.service
ActiveState=active

MainPID=0
Id=space-php@velo-ecole.service
ActiveState=activating

Id=space-awake@amap.timer
ActiveState=active

Id=space-awake@fanfare.timer
ActiveState=inactive
"""


def test_what_runs_is_told_by_systemd(idle, monkeypatch):
    monkeypatch.setattr(
        idle.subprocess, "run", lambda _command, **_options: SimpleNamespace(stdout=SHOWN)
    )
    assert idle.running() == ({"amap": 42}, {"amap"})


def test_the_memory_of_a_process_and_its_children_is_counted(idle):
    with subprocess.Popen(["sleep", "60"]) as process:
        alone, whole = idle.size(process.pid), idle.size(os.getpid())
        process.kill()
    assert 0 < alone < whole
    assert idle.size(os.getpid() + 4_000_000) == 0


def test_a_field_that_is_not_there_is_nothing(idle, tmp_path):
    path = Path(tmp_path, "meminfo")
    path.write_text("MemTotal:       2048 kB\n")
    assert idle.field(path, "MemTotal") == 2 * MIB
    assert idle.field(path, "MemAvailable") == 0


# Waits, spends a third of a second of processor time, and waits again.
CHILD = """
import time
print("ready", flush=True)
input()
while time.process_time() < 0.4: pass
print("done", flush=True)
input()
"""
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}])"


def test_what_the_children_of_a_process_do_is_seen(idle):
    """A real process with a child that works, then waits; however busy the machine is."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        first = idle.activity(process.pid)
        process.stdin.write("work\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"
        # The little that a process does on its way to sleep.
        time.sleep(0.5)
        second = idle.activity(process.pid)
        time.sleep(0.5)
        third = idle.activity(process.pid)
        process.stdin.close()
        process.wait()
    assert first != second
    assert second == third


def test_a_service_that_is_gone_is_not_idle(idle):
    assert idle.activity(os.getpid() + 4_000_000) is None


def test_a_damaged_state_starts_anew(watched):
    watched.STATE.write_text("{")
    assert watched.load() == {}
