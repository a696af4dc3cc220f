# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""PHP services and nginx, compared with the files that they have read.

What runs is compared with what is configured: the time a service last read its
configuration against the time its files changed. No notification can get lost.
"""

from __future__ import annotations

import os
import subprocess
import time
import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._core import _layout, _unit_names
from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import Report
from ansible_collections.archipel.spaces.plugins.module_utils._system import (
    _systemd,
    _units,
)

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import (
        NginxSources,
        PhpSources,
        SpacesServices,
    )

RELOADED = _layout.Places.reloads
# What is done to a service that runs, and to no other.
# What says whether a service runs, and since when with which configuration.
TIMES = ("ActiveState", "ExecMainStartTimestamp", "ExecReload")
TRY = {"restart": "try-restart", "reload": "try-reload-or-restart"}


def read_loaded(unit: str, values: t.Mapping[str, str]) -> float:
    """Return when a service last read its configuration: its start, or its last reload.

    systemd forgets the time of a reload when it reads its own unit files again: our own
    reloads are kept beside it.
    """
    reload = values.get("ExecReload", "").partition("start_time=")[2].partition("]")[0]
    started = _systemd.parse_moment(values.get("ExecMainStartTimestamp", ""))
    return max(started, _systemd.parse_moment(reload), _systemd.find_newest([f"{RELOADED}/{unit}"]))


def note_reload(units: t.Iterable[str], now: float) -> None:
    """Remember when these services were made to read their configuration."""
    os.makedirs(RELOADED, exist_ok=True)
    for unit in units:
        with open(f"{RELOADED}/{unit}", "w", encoding="ascii"):
            os.utime(f"{RELOADED}/{unit}", (now, now))


def plan_services(
    services: t.Mapping[str, tuple[float, float]],
    sources: t.Mapping[str, float],
    own: t.Callable[[str], float],
) -> dict[str, list[str]]:
    """Return which running services must be restarted, and which reloaded. Pure.

    Args:
        services: unit → (start, last reading of its configuration), in seconds.
        sources: latest change of what needs a ``restart`` and of what a ``reload`` is enough for.
        own: unit → latest change of its own configuration file.

    """
    steps: dict[str, list[str]] = {"restart": [], "reload": []}
    for unit, (started, loaded) in sorted(services.items()):
        if sources["restart"] > started:
            steps["restart"].append(unit)
        elif max(sources["reload"], own(unit)) > loaded:
            steps["reload"].append(unit)
    return steps


def converge_services(
    options: PhpSources, stopped: t.Collection[str], report: Report, *, check: bool
) -> None:
    """Reload or restart the running PHP services whose configuration is newer than they are.

    Sleeping services need nothing, nor those this run has `stopped` (in check mode, would have):
    they read it when they wake.
    """
    sources = {
        # What a package installs carries the time of its build; its change of place does not.
        "restart": max(_systemd.find_newest(options["restart"]), read_changed(options["binaries"])),
        "reload": _systemd.find_newest(options["reload"]),
    }
    running = {unit: times for unit, times in list_running().items() if unit not in stopped}
    steps = plan_services(
        running,
        sources,
        lambda unit: _systemd.find_newest([find_own_file(options["own"], unit)]),
    )
    for verb, units in steps.items():
        for unit in units:
            report.change(_unit_names.parse_slug(unit), f"{unit}: {verb}")
        if units and not check:
            # Timed before: what changes meanwhile is newer.
            now = time.time()
            # One that went to sleep meanwhile reads it when it wakes.
            failed = _systemd.run_sliced(units, TRY[verb])
            _systemd.note_failures(failed, verb, report)
            note_reload([unit for unit in units if unit not in failed], now)


def find_own_file(folder: str, unit: str) -> str:
    """Return the configuration that a space's PHP service alone reads. Pure."""
    return f"{folder}/{_unit_names.parse_slug(unit)}{_layout.CONF}"


def converge_nginx(options: NginxSources, report: Report, *, check: bool) -> None:
    """Check nginx's configuration and reload it if it is newer than what nginx runs with.

    Raises:
        SystemdError: nginx refuses the configuration.

    """
    values = _systemd.read_properties(["nginx.service"], *TIMES)["nginx.service"]
    if values["ActiveState"] == "active" and _systemd.find_newest(options["paths"]) <= read_loaded(
        "nginx.service", values
    ):
        return
    report.node_change("nginx reloaded" if values["ActiveState"] == "active" else "nginx started")
    if check:
        return
    tested = subprocess.run(["nginx", "-t", "-q"], capture_output=True, text=True, check=False)
    if tested.returncode != 0:
        raise _systemd.SystemdError(
            f"nginx refuses the configuration, keeps the old one: {tested.stderr.strip()[-1500:]}"
        )
    now = time.time()
    _systemd.systemctl("reload-or-restart", "nginx.service")
    note_reload(["nginx.service"], now)


def list_running() -> dict[str, tuple[float, float]]:
    """Return when each running PHP service started, and when it last read its configuration."""
    found = _systemd.read_properties([_unit_names.PHP_SERVICES], *TIMES)
    return {
        unit: (
            _systemd.parse_moment(values.get("ExecMainStartTimestamp", "")),
            read_loaded(unit, values),
        )
        for unit, values in found.items()
        if values.get("ActiveState") == "active"
    }


def read_changed(paths: t.Iterable[str]) -> float:
    """Return the latest time at which one of these files was put in its place."""
    return max((os.stat(path).st_ctime for path in paths if os.path.exists(path)), default=0.0)


def converge(wanted: SpacesServices, report: Report, *, check: bool) -> _units.Observed:
    """Bring units, PHP services and nginx in line with what is configured.

    Returns:
        The units as they were before.

    Raises:
        SystemdError: what concerns the whole node did not obey.

    """
    _systemd.reload_daemon(report, check=check)
    observed = _units.read_observed()
    steps = _units.plan(wanted["units"], observed, report)
    _units.plan_node(steps, observed, report)
    if not check:
        _units.apply(steps, report)
    converge_services(wanted["php"], steps.stop, report, check=check)
    converge_nginx(wanted["nginx"], report, check=check)
    return observed
