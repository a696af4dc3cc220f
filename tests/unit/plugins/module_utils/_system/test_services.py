# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""PHP services and nginx: what is compared with what."""

from __future__ import annotations

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import Report
from ansible_collections.archipel.spaces.plugins.module_utils._system import _services, _systemd
from tests.unit.plugins.module_utils.machine import refusing

SERVICE = "space-php@amap.service"


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
    assert _services.plan_services(services, sources, lambda _: own) == expected


def test_a_service_read_its_configuration_at_its_start_or_its_last_reload():
    values = {
        "ExecMainStartTimestamp": "Sun 2026-11-22 08:00:00.000001 UTC",
        "ExecReload": "{ start_time=[Sun 2026-11-22 09:00:00.000001 UTC] ; "
        "stop_time=[Sun 2026-11-22 10:00:00.000001 UTC] }",
    }
    loaded = _services.read_loaded("nginx.service", values)
    assert loaded - _systemd.parse_moment(values["ExecMainStartTimestamp"]) == pytest.approx(3600)


def test_a_reload_is_remembered_when_systemd_forgets_it(tmp_path, monkeypatch):
    monkeypatch.setattr(_services, "RELOADED", str(tmp_path / "reloaded"))
    values = {"ExecMainStartTimestamp": "Sun 2026-11-22 08:00:00.000001 UTC", "ExecReload": ""}
    started = _systemd.parse_moment(values["ExecMainStartTimestamp"])
    assert _services.read_loaded("nginx.service", values) == started
    _services.note_reload(["nginx.service"], started + 60)
    assert _services.read_loaded("nginx.service", values) == pytest.approx(started + 60)
    assert _services.read_loaded("other.service", values) == started


def test_a_service_that_went_to_sleep_meanwhile_is_not_woken(monkeypatch, tmp_path):
    systemctl, done = refusing("space-php@velo.service")
    monkeypatch.setattr(_systemd, "systemctl", systemctl)
    monkeypatch.setattr(_services, "RELOADED", str(tmp_path))
    running = {SERVICE: (10.0, 10.0), "space-php@velo.service": (10.0, 10.0)}
    monkeypatch.setattr(_services, "list_running", lambda: running)
    (tmp_path / "php.conf").touch()
    options = {"restart": [], "binaries": [], "own": "", "reload": [str(tmp_path / "php.conf")]}
    report = Report()
    _services.converge_services(options, [], report, check=False)
    assert done == [("try-reload-or-restart", "--", SERVICE)]
    assert set(report.failures) == {"velo"}
    # What failed is tried again by the next run.
    assert (tmp_path / SERVICE).exists()
    assert not (tmp_path / "space-php@velo.service").exists()


@pytest.mark.parametrize("check", [True, False])
def test_a_service_that_the_run_stops_is_not_reloaded_too(monkeypatch, tmp_path, check):
    systemctl, done = refusing()
    monkeypatch.setattr(_systemd, "systemctl", systemctl)
    monkeypatch.setattr(_services, "list_running", lambda: {SERVICE: (10.0, 10.0)})
    (tmp_path / "php.conf").touch()
    options = {"restart": [], "binaries": [], "own": "", "reload": [str(tmp_path / "php.conf")]}
    report = Report()
    _services.converge_services(options, [SERVICE], report, check=check)
    assert (done, report.changes) == ([], {})
