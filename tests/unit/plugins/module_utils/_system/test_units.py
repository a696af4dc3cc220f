# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Sockets and timers: what is compared with what."""

from __future__ import annotations

import fnmatch

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _unit_names
from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import Report
from ansible_collections.archipel.spaces.plugins.module_utils._system import _systemd, _units
from ansible_collections.archipel.spaces.plugins.module_utils._system._units import Observed, Plan
from tests.unit.plugins.module_utils.machine import refusing

SOCKET, TIMER = "space-php@amap.socket", "space-cron@amap.timer"
SERVICE = "space-php@amap.service"


def plan(running, active=(), enabled=()):
    report = Report()
    observed = Observed(dict.fromkeys(active, "active"), set(enabled))
    return _units.plan([{"space": "amap", "running": running}], observed, report), report


def test_a_new_space_gets_its_socket_and_its_timer():
    steps, report = plan(running=True)
    assert steps == Plan(enable=[SOCKET, TIMER], start=[SOCKET, TIMER])
    assert len(report.changes["amap"]) == 4


def test_a_running_space_needs_nothing():
    steps, report = plan(running=True, active=[SOCKET, TIMER, SERVICE], enabled=[SOCKET, TIMER])
    assert steps == Plan()
    assert report.changes == {}


def test_a_socket_that_would_not_survive_a_reboot_is_enabled():
    steps, _ = plan(running=True, active=[SOCKET, TIMER], enabled=[TIMER])
    assert steps == Plan(enable=[SOCKET])


@pytest.mark.parametrize("unit", [SERVICE, "space-redis@amap.service"])
def test_what_systemd_gave_up_is_tried_again_and_named(unit):
    """Such a PHP takes its socket along: nobody but the run would open it again."""
    report = Report()
    observed = Observed({SOCKET: "failed", TIMER: "active", unit: "failed"}, {SOCKET, TIMER})
    steps = _units.plan([{"space": "amap", "running": True}], observed, report)
    assert steps == Plan(reset_failed=[unit], start=[SOCKET, unit])
    assert f"{unit} had failed, tried again" in report.changes["amap"]


def test_what_still_fails_fails_its_space(monkeypatch):
    done: list[tuple[str, ...]] = []

    def systemctl(*arguments):
        done.append(arguments)
        if arguments[0] == "start":
            raise _systemd.SystemdError("Job failed")
        return ""

    monkeypatch.setattr(_systemd, "systemctl", systemctl)
    report = Report()
    _units.apply(Plan(reset_failed=[SERVICE], start=[SERVICE]), report)
    assert done[0] == ("reset-failed", "--", SERVICE)
    assert report.failures == {"amap": f"systemctl start {SERVICE}: Job failed"}


def test_a_failed_service_of_a_suspended_space_is_left(monkeypatch):
    observed = Observed({SERVICE: "failed"}, set())
    assert _units.plan([{"space": "amap", "running": False}], observed, Report()) == Plan()


def test_units_are_enabled_by_their_links_alone(monkeypatch):
    """Asked for it, systemd takes all units of the machine for changed until it is reloaded."""
    systemctl, done = refusing()
    monkeypatch.setattr(_systemd, "systemctl", systemctl)
    _units.apply(Plan(disable=[SOCKET], enable=[TIMER], start=[TIMER]), Report())
    assert done == [
        ("--root=/", "disable", "--", SOCKET),
        ("--root=/", "enable", "--", TIMER),
        ("start", "--", TIMER),
    ]


def test_a_suspended_space_is_stopped_and_cannot_wake():
    steps, _ = plan(running=False, active=[SOCKET, TIMER, SERVICE], enabled=[SOCKET, TIMER])
    assert steps == Plan(disable=[SOCKET, TIMER], stop=[SOCKET, TIMER, SERVICE])


def test_a_unit_that_does_not_start_fails_its_space_only(monkeypatch):
    systemctl, done = refusing("space-php@velo.socket")
    monkeypatch.setattr(_systemd, "systemctl", systemctl)
    monkeypatch.setattr(_systemd, "SLICE", 2)
    sockets = [f"space-php@{slug}.socket" for slug in ("velo", "amap", "cine")]
    report = Report()
    _units.apply(Plan(enable=sockets, start=sockets), report)
    assert report.failures == {
        "velo": "systemctl enable space-php@velo.socket: Job failed",
    }
    asked = [(one[-3], one[-1]) for one in done]
    assert asked == [(verb, socket) for verb in ("enable", "start") for socket in sockets[1:]]


def test_a_timer_of_the_node_that_does_not_start_fails_the_node_after_all_else(monkeypatch):
    systemctl, done = refusing("archipel-idle.timer")
    monkeypatch.setattr(_systemd, "systemctl", systemctl)
    with pytest.raises(_systemd.SystemdError, match=r"start archipel-idle\.timer: Job failed"):
        _units.apply(Plan(start=["archipel-idle.timer", SOCKET]), Report())
    assert done == [("start", "--", SOCKET)]


def test_a_socket_whose_file_is_gone_is_made_anew(tmp_path):
    (tmp_path / "cine.sock").touch()
    sockets = [SOCKET, "space-php@cine.socket", "space-php@old.socket", SERVICE]
    active = {**dict.fromkeys(sockets, "active"), "space-php@old.socket": "inactive"}
    assert _units.find_lost_sockets(active, str(tmp_path)) == {"amap"}
    assert _units.find_lost_sockets(active, str(tmp_path / "missing")) == {"amap", "cine"}
    observed = Observed({SOCKET: "active", TIMER: "active"}, {SOCKET, TIMER}, {"amap"})
    steps = _units.plan([{"space": "amap", "running": True}], observed, Report())
    assert steps == Plan(stop=[SERVICE, SOCKET], start=[SOCKET])


def test_what_is_planned_is_what_systemd_is_asked_for(monkeypatch, tmp_path):
    """A unit that the question leaves out would be started anew by each run."""
    asked: list[str] = []

    def systemctl(*arguments: str) -> str:
        asked.extend(arguments)
        return f"{SOCKET} loaded active listening A socket\n{TIMER} loaded active waiting A timer\n"

    monkeypatch.setattr(_systemd, "systemctl", systemctl)
    monkeypatch.setattr(_unit_names, "FOLDER", str(tmp_path))
    (tmp_path / "timers.target.wants").mkdir()
    for name in (TIMER, "ssh.timer"):
        (tmp_path / "timers.target.wants" / name).touch()
    observed = _units.read_observed()
    assert (observed.active, observed.enabled) == ({SOCKET: "active", TIMER: "active"}, {TIMER})
    for unit in (*_units.NODE_UNITS, *_unit_names.Units("amap").stopped):
        assert any(fnmatch.fnmatchcase(unit, pattern) for pattern in asked), unit


def test_a_node_whose_own_units_run_needs_nothing():
    steps, report = Plan(), Report()
    units = _units.NODE_UNITS
    _units.plan_node(steps, Observed(dict.fromkeys(units, "active"), set(units)), report)
    assert (steps, report.node_changes) == (Plan(), [])
