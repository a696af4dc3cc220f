# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Sockets and timers of all spaces, compared with what systemd knows, in a few calls."""

from __future__ import annotations

import os
import typing as t
from dataclasses import asdict, dataclass, field

from ansible_collections.archipel.spaces.plugins.module_utils._core import _layout, _unit_names
from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import Report
from ansible_collections.archipel.spaces.plugins.module_utils._system import _systemd

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import Unit

# The timers that put idle spaces to sleep, run jobs that spaces ask for, bound sessions and logs,
# repair spaces after a new major, and what keeps the network as it is wanted.
NODE_UNITS = (
    "archipel-idle.timer",
    "archipel-jobs.timer",
    "archipel-changes.timer",
    "archipel-exports.timer",
    "archipel-network.path",
    "archipel-network.timer",
    "archipel-tidy.timer",
    "archipel-repair.timer",
)
WANTS = {
    ".socket": "sockets.target.wants",
    ".timer": "timers.target.wants",
    ".path": "paths.target.wants",
}


@dataclass
class Observed:
    """The units of spaces as systemd knows them."""

    active: dict[str, str] = field(default_factory=dict)
    enabled: set[str] = field(default_factory=set)
    # Spaces whose socket systemd takes for open, and whose file somebody removed.
    lost: set[str] = field(default_factory=set)


@dataclass
class Plan:
    """Units by what is to be done with them, in the order in which it is done."""

    disable: list[str] = field(default_factory=list)
    stop: list[str] = field(default_factory=list)
    enable: list[str] = field(default_factory=list)
    reset_failed: list[str] = field(default_factory=list)
    start: list[str] = field(default_factory=list)


def read_observed() -> Observed:
    """Read which units of spaces are active and which are enabled."""
    observed = Observed()
    for line in _systemd.systemctl(
        "list-units", "--all", "--plain", "--no-legend", "--full", *_unit_names.PATTERNS
    ).splitlines():
        fields = line.split(None, 4)
        if len(fields) >= 4:
            observed.active[fields[0]] = fields[2]
    for directory in WANTS.values():
        try:
            names = os.listdir(f"{_unit_names.FOLDER}/{directory}")
        except FileNotFoundError:
            continue
        observed.enabled.update(n for n in names if n.startswith(_unit_names.PREFIXES))
    observed.lost = find_lost_sockets(observed.active)
    return observed


def is_up(observed: Observed, unit: str) -> bool:
    """Tell whether a unit runs, or is about to. Pure."""
    return observed.active.get(unit, "inactive") not in {"inactive", "failed"}


def find_lost_sockets(
    active: t.Mapping[str, str], folder: str = _layout.Places.php_sockets
) -> set[str]:
    """Return the spaces whose socket is active and not there: nobody could reach them."""
    try:
        there = {name.removesuffix(_layout.SOCKET) for name in os.listdir(folder)}
    except FileNotFoundError:
        there = set()
    running = [name for name, state in active.items() if state == "active"]
    sockets = filter(_unit_names.PHP_SOCKET.fullmatch, running)
    return {_unit_names.parse_slug(name) for name in sockets} - there


def plan(wanted: t.Sequence[Unit], observed: Observed, report: Report) -> Plan:
    """Return what to enable, disable, start and stop; note it per space."""
    steps = Plan()
    for item in wanted:
        slug = item["space"]
        if item["running"]:
            for unit in _unit_names.Units(slug).enabled:
                if unit not in observed.enabled:
                    steps.enable.append(unit)
                    report.change(slug, f"{unit} enabled")
                if observed.active.get(unit) != "active":
                    steps.start.append(unit)
                    report.change(slug, f"{unit} started")
            if slug in observed.lost:
                recreate_socket(slug, steps, report)
            try_again(slug, observed, steps, report)
            continue
        for unit in _unit_names.Units(slug).stopped:
            if unit in observed.enabled:
                steps.disable.append(unit)
                report.change(slug, f"{unit} disabled")
            if is_up(observed, unit):
                steps.stop.append(unit)
                report.change(slug, f"{unit} stopped")
    return steps


def recreate_socket(slug: str, steps: Plan, report: Report) -> None:
    """Add what makes a socket anew: systemd lets nobody open one whose service runs."""
    units = _unit_names.Units(slug)
    steps.stop += [units.php, units.php_socket]
    steps.start.append(units.php_socket)
    report.change(slug, f"{units.php_socket} made anew, its file was gone")


def try_again(slug: str, observed: Observed, steps: Plan, report: Report) -> None:
    """Add what gives services that systemd has given up on another try; the run says how it ends.

    Its socket is closed with such a PHP: without this nothing but a person would open it again.
    """
    for unit in _unit_names.Units(slug).kept_alive:
        if observed.active.get(unit) == "failed":
            steps.reset_failed.append(unit)
            steps.start.append(unit)
            report.change(slug, f"{unit} had failed, tried again")


def plan_node(steps: Plan, observed: Observed, report: Report) -> None:
    """Add what the node itself needs, whatever its spaces."""
    for unit in NODE_UNITS:
        if unit not in observed.enabled:
            steps.enable.append(unit)
            report.node_change(f"{unit} enabled")
        if observed.active.get(unit) != "active":
            steps.start.append(unit)
            report.node_change(f"{unit} started")


def apply(steps: Plan, report: Report) -> None:
    """Carry out a plan, one verb after the other; a unit that fails, fails its space only.

    Enabling is a link that the next boot reads; systemd need not read its files again for it.
    """
    failed: dict[str, _systemd.Failures] = {}
    for name, units in asdict(steps).items():
        verb = name.replace("_", "-")
        options = _systemd.LINKS if verb in {"disable", "enable"} else ()
        failed[verb] = _systemd.run_sliced(units, *options, verb)
    for verb, units in failed.items():
        _systemd.note_failures(units, verb, report)
