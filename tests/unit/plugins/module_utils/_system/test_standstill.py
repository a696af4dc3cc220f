# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Nothing of a space runs, and what systemctl says is not taken for it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _unit_names
from ansible_collections.archipel.spaces.plugins.module_utils._system import (
    _standstill,
    _systemd,
)
from tests.unit.plugins.module_utils.machine import Machine, machine

__all__ = ["machine"]

SOCKET, TIMER = "space-php@amap.socket", "space-cron@amap.timer"
AWAKE = "space-awake@amap.timer"
AWAKE = "space-awake@amap.timer"
PHP, CRON = "space-php@amap.service", "space-cron@amap.service"
REDIS, OCC = "space-redis@amap.service", "space-occ@amap.target"
ALL = (SOCKET, TIMER, AWAKE, PHP, CRON, REDIS, OCC)
REMEDY = "run the same playbook again"
USER = 70001
FOLDER = _standstill.FOLDER
TEMPLATES = _unit_names.Units("")


def held(slug: str = "amap") -> bool:
    return Path(_standstill.FOLDER, slug).exists()


def test_what_could_start_the_others_stops_first(machine: Machine):
    machine.run(*ALL, "space-php@velo.service")
    _standstill.bring("amap", USER)
    assert machine.running() == {"space-php@velo.service"}
    first, second = machine.calls("stop")
    assert set(first.split()) == {SOCKET, TIMER, AWAKE}
    assert set(second.split()) == {PHP, CRON, REDIS, OCC}
    assert held()
    _standstill.lift("amap")
    _standstill.lift("amap")
    assert not held()


def test_it_is_held_down_before_anything_is_stopped(machine: Machine):
    machine.refuse("all")
    with pytest.raises(_systemd.SystemdError):
        _standstill.bring("amap", USER)
    assert held()


def test_a_systemctl_that_always_fails(machine: Machine):
    machine.run(*ALL)
    machine.refuse("all")
    with pytest.raises(_systemd.SystemdError, match=REMEDY) as caught:
        _standstill.bring("amap", USER)
    assert f"systemctl stop {SOCKET}: Job for {SOCKET} failed." in str(caught.value)


@pytest.mark.parametrize("unit", ALL)
def test_a_systemctl_that_fails_for_one_unit(machine: Machine, unit: str):
    machine.run(*ALL)
    machine.refuse(unit)
    with pytest.raises(_systemd.SystemdError, match=REMEDY) as caught:
        _standstill.bring("amap", USER)
    assert f"systemctl stop {unit}" in str(caught.value)
    machine.obey()
    _standstill.bring("amap", USER)
    assert machine.running() == set()


@pytest.mark.parametrize("unit", ALL)
@pytest.mark.parametrize("state", ["active", "activating", "deactivating", "reloading"])
def test_a_systemctl_that_claims_success(machine: Machine, unit: str, state: str):
    machine.run(unit, state=state)
    machine.lie(unit)
    with pytest.raises(_standstill.StandstillError, match=REMEDY) as caught:
        _standstill.bring("amap", USER)
    assert f"{unit} is {state}" in str(caught.value)


def test_a_systemctl_that_hangs(machine: Machine, monkeypatch):
    monkeypatch.setattr(_systemd, "PATIENCE", 0.2)
    machine.break_down("hangs")
    with pytest.raises(_systemd.SystemdError, match="has not answered") as caught:
        _standstill.bring("amap", USER)
    assert "systemctl list-jobs" in str(caught.value)
    # It is not asked again for each unit.
    assert len(machine.calls("stop")) == 1


def test_a_systemd_that_tells_no_state_is_not_at_a_standstill(machine: Machine):
    machine.break_down("mute")
    with pytest.raises(_standstill.StandstillError, match="does not report the state"):
        _standstill.bring("amap", USER)


def test_a_unit_that_has_failed_does_not_run(machine: Machine):
    machine.run(PHP, state="failed")
    machine.lie(PHP)
    _standstill.bring("amap", USER)


def test_a_process_of_the_space_that_is_in_no_unit_of_it(machine: Machine):
    """An occ is in a unit without the space's name; somebody's shell is in none."""
    machine.process(4711, USER, unit="run-u12.service")
    machine.process(4712, USER + 1)
    with pytest.raises(_standstill.StandstillError, match=REMEDY) as caught:
        _standstill.bring("amap", USER)
    assert "process 4711 (php, of run-u12.service)" in str(caught.value)
    assert "4712" not in str(caught.value)


def test_processes_have_a_while_to_go(machine: Machine, monkeypatch):
    machine.process(4711, USER)
    monkeypatch.setattr(_standstill, "GRACE", 5.0)

    def sleep(_seconds: float) -> None:
        (machine.lab / "proc/4711").rename(machine.lab / "gone")

    monkeypatch.setattr(_standstill, "time", SimpleNamespace(sleep=sleep, monotonic=time.monotonic))
    _standstill.bring("amap", USER)
    assert (machine.lab / "gone").exists()


def test_a_zombie_has_ended_and_who_changed_its_user_has_not(machine: Machine):
    machine.process(4711, USER, state="Z")
    assert _standstill.list_processes("amap", USER) == []
    machine.process(4712, 0)
    status = machine.lab / "proc/4712/status"
    status.write_text(status.read_text().replace("Uid:\t0\t0", f"Uid:\t0\t{USER}"))
    assert [one.pid for one in _standstill.list_processes("amap", USER)] == [4712]


def test_a_space_without_a_user_has_no_processes(machine: Machine):
    machine.process(4711, USER)
    assert _standstill.list_processes("nobody-has-this-name") == []


@pytest.mark.parametrize("unit", [*TEMPLATES.waking, *TEMPLATES.running])
def test_the_units_obey_the_file(unit: str):
    """What holds a space down is a condition in its units: the same path in both places."""
    root = Path(__file__).parents[5]
    variables = (root / "roles/spaces/vars/main.yml").read_text(encoding="utf-8")
    assert f"\n__spaces_still: {FOLDER}\n" in variables
    path = root / f"roles/spaces/templates/etc/systemd/system/{unit}.j2"
    condition = "\nConditionPathExists=!{{ __spaces_still }}/%i\n"
    # A target runs nothing itself.
    assert (condition in path.read_text("utf-8")) == (not unit.endswith(".target"))


def test_it_is_held_before_anything_else_is_written_whatever_disk_that_is_on(
    machine: Machine, monkeypatch
):
    synced = []
    monkeypatch.setattr("os.fsync", lambda one: synced.append((os.fstat(one).st_ino, held())))
    _standstill.hold("amap")
    assert synced == [(os.stat(_standstill.FOLDER).st_ino, True)]
