# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Doors, clocks and services: what is compared with what."""

from __future__ import annotations

import os

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils import _systemd
from ansible_collections.archipel.spaces.plugins.module_utils._spaces import Report
from ansible_collections.archipel.spaces.plugins.module_utils._systemd import Plan, World

SOCKET, TIMER = "space-php@amap.socket", "space-cron@amap.timer"
SERVICE = "space-php@amap.service"


def plan(running, active=(), enabled=()):
    report = Report()
    world = World(dict.fromkeys(active, "active"), set(enabled))
    return _systemd.plan([{"space": "amap", "running": running}], world, report), report


def test_a_new_space_gets_its_door_and_its_clock():
    steps, report = plan(running=True)
    assert steps == Plan(enable=[SOCKET, TIMER], start=[SOCKET, TIMER])
    assert len(report.changes["amap"]) == 4


def test_a_running_space_needs_nothing():
    steps, report = plan(running=True, active=[SOCKET, TIMER, SERVICE], enabled=[SOCKET, TIMER])
    assert steps == Plan()
    assert report.changes == {}


def test_a_door_that_would_not_survive_a_reboot_is_enabled():
    steps, _ = plan(running=True, active=[SOCKET, TIMER], enabled=[TIMER])
    assert steps == Plan(enable=[SOCKET])


@pytest.mark.parametrize("unit", [SERVICE, "space-redis@amap.service"])
def test_what_systemd_gave_up_is_tried_again_and_named(unit):
    """Such a PHP takes its socket along: nobody but the run would open it again."""
    report = Report()
    world = World({SOCKET: "failed", TIMER: "active", unit: "failed"}, {SOCKET, TIMER})
    steps = _systemd.plan([{"space": "amap", "running": True}], world, report)
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
    _systemd.apply(Plan(reset_failed=[SERVICE], start=[SERVICE]), report)
    assert done[0] == ("reset-failed", "--", SERVICE)
    assert report.failures == {"amap": f"systemctl start {SERVICE}: Job failed"}


def test_a_failed_service_of_a_suspended_space_is_left(monkeypatch):
    world = World({SERVICE: "failed"}, set())
    assert _systemd.plan([{"space": "amap", "running": False}], world, Report()) == Plan()


def test_units_are_enabled_by_their_links_alone(monkeypatch):
    """Asked for it, systemd takes all units of the machine for changed until it is reloaded."""
    systemctl, done = refusing()
    monkeypatch.setattr(_systemd, "systemctl", systemctl)
    _systemd.apply(Plan(disable=[SOCKET], enable=[TIMER], start=[TIMER]), Report())
    assert done == [
        ("--root=/", "disable", "--", SOCKET),
        ("--root=/", "enable", "--", TIMER),
        ("start", "--", TIMER),
    ]


def test_a_suspended_space_is_stopped_and_cannot_wake():
    steps, _ = plan(running=False, active=[SOCKET, TIMER, SERVICE], enabled=[SOCKET, TIMER])
    assert steps == Plan(disable=[SOCKET, TIMER], stop=[SOCKET, TIMER, SERVICE])


@pytest.mark.parametrize(
    ("restart", "reload", "own", "expected"),
    [
        (0, 0, 0, {"restart": [], "reload": []}),
        (15, 0, 0, {"restart": [SERVICE], "reload": []}),
        (5, 25, 0, {"restart": [], "reload": [SERVICE]}),
        (5, 15, 0, {"restart": [], "reload": []}),
        (5, 5, 21, {"restart": [], "reload": [SERVICE]}),
        (15, 25, 25, {"restart": [SERVICE], "reload": []}),
    ],
)
def test_only_services_older_than_their_configuration_are_touched(restart, reload, own, expected):
    services = {SERVICE: (10.0, 20.0)}
    sources = {"restart": restart, "reload": reload}
    assert _systemd.plan_services(services, sources, lambda _: own) == expected


def test_systemds_times_are_read_to_the_microsecond():
    text = "start_time=[Sun 2026-11-22 08:48:42.335675 UTC] ; stop_time=[n/a]"
    assert _systemd.moment(text) == pytest.approx(1795337322.335675, abs=1e-6)
    assert _systemd.moment("") == 0


def test_a_service_read_its_configuration_at_its_start_or_its_last_reload():
    values = {
        "ExecMainStartTimestamp": "Sun 2026-11-22 08:00:00.000001 UTC",
        "ExecReload": "{ start_time=[Sun 2026-11-22 09:00:00.000001 UTC] ; "
        "stop_time=[Sun 2026-11-22 10:00:00.000001 UTC] }",
    }
    loaded = _systemd.loaded_at("nginx.service", values)
    assert loaded - _systemd.moment(values["ExecMainStartTimestamp"]) == pytest.approx(3600)


def test_a_reload_is_remembered_when_systemd_forgets_it(tmp_path, monkeypatch):
    monkeypatch.setattr(_systemd, "RELOADED", str(tmp_path / "reloaded"))
    values = {"ExecMainStartTimestamp": "Sun 2026-11-22 08:00:00.000001 UTC", "ExecReload": ""}
    started = _systemd.moment(values["ExecMainStartTimestamp"])
    assert _systemd.loaded_at("nginx.service", values) == started
    _systemd.note_reload(["nginx.service"], started + 60)
    assert _systemd.loaded_at("nginx.service", values) == pytest.approx(started + 60)
    assert _systemd.loaded_at("other.service", values) == started


def test_the_newest_file_of_a_folder_counts_and_foreign_names_do_not(tmp_path):
    for name, time in (("space-php@.service", 100), ("ssh.service", 900)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time, time))
    assert _systemd.newest([str(tmp_path)], _systemd.OWN_UNITS) == 100
    assert _systemd.newest([str(tmp_path / "missing")]) == 0


def test_a_slug_is_read_from_the_name_of_a_unit():
    assert _systemd.slug_of("space-php@velo-ecole.service") == "velo-ecole"


def test_many_units_are_handled_some_hundreds_at_a_time(monkeypatch):
    calls = []
    monkeypatch.setattr(_systemd, "systemctl", lambda *arguments: calls.append(arguments))
    _systemd.in_slices([f"u{n}" for n in range(_systemd.SLICE + 1)], "start")
    assert [len(call) for call in calls] == [_systemd.SLICE + 2, 3]
    assert calls[1] == ("start", "--", f"u{_systemd.SLICE}")


def refusing(*refused):
    """Return a systemctl that refuses calls in which one of these units is, and what it did."""
    done = []

    def systemctl(*arguments):
        if set(refused) & set(arguments):
            raise _systemd.SystemdError("Job failed")
        done.append(arguments)
        return ""

    return systemctl, done


def test_a_unit_that_does_not_start_fails_its_space_only(monkeypatch):
    systemctl, done = refusing("space-php@velo.socket")
    monkeypatch.setattr(_systemd, "systemctl", systemctl)
    monkeypatch.setattr(_systemd, "SLICE", 2)
    doors = [f"space-php@{slug}.socket" for slug in ("velo", "amap", "cine")]
    report = Report()
    _systemd.apply(Plan(enable=doors, start=doors), report)
    assert report.failures == {
        "velo": "systemctl enable space-php@velo.socket: Job failed",
    }
    asked = [(one[-3], one[-1]) for one in done]
    assert asked == [(verb, door) for verb in ("enable", "start") for door in doors[1:]]


def test_a_clock_of_the_node_that_does_not_start_fails_the_node_after_all_else(monkeypatch):
    systemctl, done = refusing("archipel-idle.timer")
    monkeypatch.setattr(_systemd, "systemctl", systemctl)
    with pytest.raises(_systemd.SystemdError, match=r"start archipel-idle\.timer: Job failed"):
        _systemd.apply(Plan(start=["archipel-idle.timer", SOCKET]), Report())
    assert done == [("start", "--", SOCKET)]


def test_a_service_that_went_to_sleep_meanwhile_is_not_woken(monkeypatch, tmp_path):
    systemctl, done = refusing("space-php@velo.service")
    monkeypatch.setattr(_systemd, "systemctl", systemctl)
    monkeypatch.setattr(_systemd, "RELOADED", str(tmp_path))
    running = {SERVICE: (10.0, 10.0), "space-php@velo.service": (10.0, 10.0)}
    monkeypatch.setattr(_systemd, "running_services", lambda: running)
    (tmp_path / "php.conf").touch()
    options = {"restart": [], "binaries": [], "own": "", "reload": [str(tmp_path / "php.conf")]}
    report = Report()
    _systemd.converge_services(options, [], report, check=False)
    assert done == [("try-reload-or-restart", "--", SERVICE)]
    assert set(report.failures) == {"velo"}
    # What failed is tried again by the next run.
    assert (tmp_path / SERVICE).exists()
    assert not (tmp_path / "space-php@velo.service").exists()


@pytest.mark.parametrize("check", [True, False])
def test_a_service_that_the_run_stops_is_not_reloaded_too(monkeypatch, tmp_path, check):
    systemctl, done = refusing()
    monkeypatch.setattr(_systemd, "systemctl", systemctl)
    monkeypatch.setattr(_systemd, "running_services", lambda: {SERVICE: (10.0, 10.0)})
    (tmp_path / "php.conf").touch()
    options = {"restart": [], "binaries": [], "own": "", "reload": [str(tmp_path / "php.conf")]}
    report = Report()
    _systemd.converge_services(options, [SERVICE], report, check=check)
    assert (done, report.changes) == ([], {})


def test_a_door_whose_socket_is_gone_is_made_anew(tmp_path):
    (tmp_path / "cine.sock").touch()
    doors = [SOCKET, "space-php@cine.socket", "space-php@old.socket", SERVICE]
    active = {**dict.fromkeys(doors, "active"), "space-php@old.socket": "inactive"}
    assert _systemd.lost_doors(active, str(tmp_path)) == {"amap"}
    assert _systemd.lost_doors(active, str(tmp_path / "missing")) == {"amap", "cine"}
    world = World({SOCKET: "active", TIMER: "active"}, {SOCKET, TIMER}, {"amap"})
    steps = _systemd.plan([{"space": "amap", "running": True}], world, Report())
    assert steps == Plan(stop=[SERVICE, SOCKET], start=[SOCKET])
