# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The program that puts spaces to sleep: who is idle, and who is not."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from types import ModuleType

import pytest

UNIT = "space-php@amap.service"


@pytest.fixture
def idle(load, tmp_path, monkeypatch) -> ModuleType:
    """The program, with a state of its own and one running service."""
    module = load("roles/spaces/files/idle.py")
    monkeypatch.setattr(module, "STATE", tmp_path / "idle.json")
    monkeypatch.setattr(module, "running_services", lambda: {UNIT: 42})
    monkeypatch.setattr(sys, "argv", ["idle", "--after", "100"])
    return module


def looks(module, monkeypatch, marks):
    """Look once per (time, mark); return what was stopped."""
    stopped: list[str] = []

    def run(command, **_options):
        stopped.extend(command[2:])

    monkeypatch.setattr(module.subprocess, "run", run)
    for now, mark in marks:
        monkeypatch.setattr(module.time, "monotonic", lambda now=now: now)
        monkeypatch.setattr(module, "activity", lambda _pid, mark=mark: mark)
        module.main()
    return stopped


@pytest.mark.parametrize(
    ("marks", "stopped"),
    [
        ([(0, "a"), (99, "a")], []),
        ([(0, "a"), (100, "a")], [UNIT]),
        ([(0, "a"), (99, "b"), (150, "b")], []),
        ([(0, "a"), (99, "b"), (199, "b")], [UNIT]),
        ([(0, "a"), (50, None), (120, "a")], []),
    ],
)
def test_a_service_is_stopped_after_the_whole_time_without_use(idle, monkeypatch, marks, stopped):
    assert looks(idle, monkeypatch, marks) == stopped


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


def test_a_damaged_state_starts_anew(idle):
    idle.STATE.write_text("{")
    assert idle.load() == {}
