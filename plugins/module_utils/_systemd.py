# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Doors, clocks and services of all spaces, compared with what runs, in a few calls.

What runs is compared with what is configured: the time a service last read its
configuration against the time its files changed. No notification can get lost.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
import typing as t
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from ansible_collections.archipel.spaces.plugins.module_utils import _drift
from ansible_collections.archipel.spaces.plugins.module_utils._spaces import Report

MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ UTC")
UNITS = "/etc/systemd/system"
# How units are enabled and disabled: by their links alone, which the next boot reads. Asked for
# it, systemd would take every unit of the machine for changed (NeedDaemonReload) until somebody
# reloads it, also with --no-reload; and it takes five times as long.
LINKS = ("--root=/",)
# Arguments of one systemctl call; far below the kernel's limit.
SLICE = 400
# Seconds after which a systemctl that says nothing is given up: longer than any unit of ours
# takes to stop, and a slice of sockets to start.
PATIENCE = 600.0
# What a running space consists of, and what must not run for the others.
ENABLED = ("space-php@{}.socket", "space-cron@{}.timer")
STOPPED = (
    *ENABLED,
    "space-cron@{}.service",
    "space-php@{}.service",
    # Both go with the PHP, and are named where it was not the one that kept them.
    "space-awake@{}.timer",
    "space-redis@{}.service",
)
# Services that systemd stops starting where they keep failing.
GIVEN_UP = ("space-redis@{}.service", "space-php@{}.service")
DOOR = re.compile(r"space-php@.+\.socket")
# Where the sockets are.
DOORS = "/run/archipel/php"
OWN_UNITS = ("space-", "archipel-")
# Units of the distribution that the role spaces adds to.
ADDED_TO = ("nftables.service",)
RELOAD_STAMP = "/run/archipel/daemon-reload"
RELOADED = "/run/archipel/reloaded"
PATTERNS = (
    "space-php@*",
    "space-cron@*",
    "space-awake@*",
    "space-redis@*",
    "archipel-*.path",
    "archipel-*.timer",
)
# The timers that put idle spaces to sleep, run jobs that spaces ask for, bound sessions and logs,
# repair spaces after a new major, and what keeps the network as it is wanted.
NODE_UNITS = (
    "archipel-idle.timer",
    "archipel-jobs.timer",
    "archipel-network.path",
    "archipel-network.timer",
    "archipel-tidy.timer",
    "archipel-repair.timer",
)
# What is done to a service that runs, and to no other.
TRY = {"restart": "try-restart", "reload": "try-reload-or-restart"}
WANTS = {
    ".socket": "sockets.target.wants",
    ".timer": "timers.target.wants",
    ".path": "paths.target.wants",
}


@dataclass
class World:
    """The units of spaces as systemd knows them."""

    active: dict[str, str] = field(default_factory=dict)
    enabled: set[str] = field(default_factory=set)
    # Spaces whose door systemd takes for open, and whose socket somebody removed.
    lost: set[str] = field(default_factory=set)


@dataclass
class Plan:
    """Units by what is to be done with them, in the order in which it is done."""

    disable: list[str] = field(default_factory=list)
    stop: list[str] = field(default_factory=list)
    enable: list[str] = field(default_factory=list)
    reset_failed: list[str] = field(default_factory=list)
    start: list[str] = field(default_factory=list)


class SystemdError(Exception):
    """systemctl said no."""


class SilenceError(SystemdError):
    """systemctl said nothing: asking it again for each unit would take hours."""


# Unit → why it did not obey. Whoever gets one looks at it: held by a policy test.
Failures = dict[str, str]


def systemctl(*arguments: str) -> str:
    """Run systemctl and return what it printed.

    Raises:
        SystemdError: it failed; the text is its own.
        SilenceError: it did not come to an end.

    """
    command = ["systemctl", "--no-pager", "--no-ask-password", *arguments]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
            env={**os.environ, "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired as error:
        raise SilenceError(
            f"systemctl {arguments[0]} has not answered for {PATIENCE:.0f} seconds: look at "
            "systemctl list-jobs, and run again once nothing hangs there"
        ) from error
    if done.returncode != 0:
        raise SystemdError((done.stderr or done.stdout).strip()[-1000:])
    return done.stdout


def demand(units: t.Sequence[str], *verb: str) -> None:
    """Run one systemctl verb over units that must all obey.

    Raises:
        SystemdError: one of them did not; each is named, with what systemd says.

    """
    if failed := in_slices(units, *verb):
        words = (f"systemctl {verb[-1]} {unit}: {why}" for unit, why in failed.items())
        raise SystemdError("; ".join(words))


def in_slices(units: t.Sequence[str], *verb: str) -> Failures:
    """Run one systemctl verb over many units, some hundreds at a time.

    Where one of them fails, nobody knows what became of the others: each is asked for alone.
    For the units of one space, see `demand`.

    Returns:
        Unit → why it failed.

    """
    failed: Failures = {}
    for start in range(0, len(units), SLICE):
        some = units[start : start + SLICE]
        try:
            systemctl(*verb, "--", *some)
        except SilenceError as error:
            return failed | dict.fromkeys(units[start:], str(error))
        except SystemdError:
            failed |= one_by_one(some, *verb)
    return failed


def one_by_one(units: t.Sequence[str], *verb: str) -> Failures:
    """Run one systemctl verb for each unit alone; return why it failed, by unit."""
    failed: Failures = {}
    for number, unit in enumerate(units):
        try:
            systemctl(*verb, "--", unit)
        except SilenceError as error:
            return failed | dict.fromkeys(units[number:], str(error))
        except SystemdError as error:
            failed[unit] = str(error)
    return failed


def note_failures(failed: t.Mapping[str, str], verb: str, report: Report) -> None:
    """Write into the report which spaces' units did not obey.

    Raises:
        SystemdError: it was one of the node itself.

    """
    node = []
    for unit, why in failed.items():
        words = f"systemctl {verb} {unit}: {why}"
        if slug := slug_of(unit):
            report.fail(slug, words)
        else:
            node.append(words)
    if node:
        raise SystemdError("; ".join(node))


def read_world() -> World:
    """Read which units of spaces are active and which are enabled."""
    world = World()
    for line in systemctl(
        "list-units", "--all", "--plain", "--no-legend", "--full", *PATTERNS
    ).splitlines():
        fields = line.split(None, 4)
        if len(fields) >= 4:
            world.active[fields[0]] = fields[2]
    for directory in WANTS.values():
        try:
            world.enabled.update(
                n for n in os.listdir(f"{UNITS}/{directory}") if n.startswith(OWN_UNITS)
            )
        except FileNotFoundError:
            continue
    world.lost = lost_doors(world.active)
    return world


def lost_doors(active: t.Mapping[str, str], folder: str = DOORS) -> set[str]:
    """Return the spaces whose socket is active and not there: nobody could reach them."""
    try:
        there = {name.removesuffix(".sock") for name in os.listdir(folder)}
    except FileNotFoundError:
        there = set()
    doors = (name for name, state in active.items() if state == "active" and DOOR.fullmatch(name))
    return {slug_of(name) for name in doors} - there


def plan(wanted: t.Sequence[t.Mapping[str, t.Any]], world: World, report: Report) -> Plan:
    """Return what to enable, disable, start and stop; note it per space."""
    steps = Plan()
    for item in wanted:
        slug = item["space"]
        if item["running"]:
            for unit in (name.format(slug) for name in ENABLED):
                if unit not in world.enabled:
                    steps.enable.append(unit)
                    report.change(slug, f"{unit} enabled")
                if world.active.get(unit) != "active":
                    steps.start.append(unit)
                    report.change(slug, f"{unit} started")
            if slug in world.lost:
                make_door_anew(slug, steps, report)
            try_again(slug, world, steps, report)
            continue
        for unit in (name.format(slug) for name in STOPPED):
            if unit in world.enabled:
                steps.disable.append(unit)
                report.change(slug, f"{unit} disabled")
            if world.active.get(unit, "inactive") not in {"inactive", "failed"}:
                steps.stop.append(unit)
                report.change(slug, f"{unit} stopped")
    return steps


def make_door_anew(slug: str, steps: Plan, report: Report) -> None:
    """Add what makes a socket anew: systemd lets nobody open one whose service runs."""
    unit = f"space-php@{slug}.socket"
    steps.stop += [f"space-php@{slug}.service", unit]
    steps.start.append(unit)
    report.change(slug, f"{unit} made anew, its file was gone")


def try_again(slug: str, world: World, steps: Plan, report: Report) -> None:
    """Add what gives services that systemd has given up on another try; the run says how it ends.

    Its socket is closed with such a PHP: without this nothing but a person would open it again.
    """
    for unit in (name.format(slug) for name in GIVEN_UP):
        if world.active.get(unit) == "failed":
            steps.reset_failed.append(unit)
            steps.start.append(unit)
            report.change(slug, f"{unit} had failed, tried again")


def plan_node(steps: Plan, world: World, report: Report) -> None:
    """Add what the node itself needs, whatever its spaces."""
    for unit in NODE_UNITS:
        if unit not in world.enabled:
            steps.enable.append(unit)
            report.node_change(f"{unit} enabled")
        if world.active.get(unit) != "active":
            steps.start.append(unit)
            report.node_change(f"{unit} started")


def apply(steps: Plan, report: Report) -> None:
    """Carry out a plan, one verb after the other; a unit that fails, fails its space only.

    Enabling is a link that the next boot reads; systemd need not read its files again for it.
    """
    failed: dict[str, Failures] = {}
    for name, units in asdict(steps).items():
        verb = name.replace("_", "-")
        failed[verb] = in_slices(units, *(LINKS if verb in {"disable", "enable"} else ()), verb)
    for verb, units in failed.items():
        note_failures(units, verb, report)


def newest(paths: t.Iterable[str], names: tuple[str, ...] = ("",)) -> float:
    """Return the latest modification time, in seconds, of files and of folders' entries.

    A folder counts with itself (an entry that went) and with the files whose name
    starts with one of `names`.
    """
    latest = 0.0
    for path in paths:
        try:
            if not os.path.isdir(path):
                latest = max(latest, os.stat(path).st_mtime)
                continue
            if names == ("",):
                latest = max(latest, os.stat(path).st_mtime)
            with os.scandir(path) as entries:
                times = (
                    e.stat().st_mtime for e in entries if e.name.startswith(names) and e.is_file()
                )
                latest = max(latest, max(times, default=0.0))
        except FileNotFoundError:
            continue
    return latest


def moment(text: str) -> float:
    """Return the latest time in a text of systemd (`--timestamp=us+utc`), in seconds; 0 if none."""
    times = [datetime.strptime(found, "%Y-%m-%d %H:%M:%S.%f UTC") for found in MOMENT.findall(text)]
    return max((time.replace(tzinfo=UTC).timestamp() for time in times), default=0.0)


def loaded_at(unit: str, values: t.Mapping[str, str]) -> float:
    """Return when a service last read its configuration: its start, or its last reload.

    systemd forgets the time of a reload when it reads its own unit files again: our own
    reloads are kept beside it.
    """
    reload = values.get("ExecReload", "").partition("start_time=")[2].partition("]")[0]
    started = moment(values.get("ExecMainStartTimestamp", ""))
    return max(started, moment(reload), newest([f"{RELOADED}/{unit}"]))


def note_reload(units: t.Iterable[str], now: float) -> None:
    """Remember when these services were told to read their configuration."""
    os.makedirs(RELOADED, exist_ok=True)
    for unit in units:
        with open(f"{RELOADED}/{unit}", "w", encoding="ascii"):
            os.utime(f"{RELOADED}/{unit}", (now, now))


def properties(units: t.Sequence[str], *names: str) -> dict[str, dict[str, str]]:
    """Return the named properties of units, by unit; units that are not loaded are left out."""
    output = systemctl(
        "show", "--timestamp=us+utc", f"--property=Id,{','.join(names)}", "--", *units
    )
    found = {}
    for block in output.split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if values.get("Id"):
            found[values["Id"]] = values
    return found


def daemon_reload(report: Report, *, check: bool) -> None:
    """Make systemd read unit files that changed since it last did."""
    started = moment(systemctl("show", "--timestamp=us+utc", "--property=UserspaceTimestamp"))
    ours = (*OWN_UNITS, *ADDED_TO)
    dropins = [f"{UNITS}/{n}" for n in os.listdir(UNITS) if n.startswith(ours) and n.endswith(".d")]
    if max(newest([UNITS], OWN_UNITS), newest(dropins)) <= max(started, newest([RELOAD_STAMP])):
        return
    report.node_change("systemd: unit files read again")
    if not check:
        # Stamped first: a file that changes during the call is newer than the stamp.
        os.makedirs(os.path.dirname(RELOAD_STAMP), exist_ok=True)
        stamp = time.time()
        systemctl("daemon-reload")
        with open(RELOAD_STAMP, "w", encoding="ascii"):
            os.utime(RELOAD_STAMP, (stamp, stamp))


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
    options: t.Mapping[str, t.Any], stopped: t.Collection[str], report: Report, *, check: bool
) -> None:
    """Reload or restart the running PHP services whose configuration is newer than they are.

    Sleeping services need nothing, nor those this run has `stopped` (in check mode, would have):
    they read it when they wake.
    """
    sources = {
        # What a package installs carries the time of its build; its change of place does not.
        "restart": max(newest(options["restart"]), changed_at(options["binaries"])),
        "reload": newest(options["reload"]),
    }
    running = {unit: times for unit, times in running_services().items() if unit not in stopped}
    steps = plan_services(
        running, sources, lambda u: newest([f"{options['own']}/{slug_of(u)}.conf"])
    )
    for verb, units in steps.items():
        for unit in units:
            report.change(slug_of(unit), f"{unit}: {verb}")
        if units and not check:
            # Timed before: what changes meanwhile is newer.
            now = time.time()
            # One that went to sleep meanwhile reads it when it wakes.
            failed = in_slices(units, TRY[verb])
            note_failures(failed, verb, report)
            note_reload([unit for unit in units if unit not in failed], now)


def converge_nginx(options: t.Mapping[str, t.Any], report: Report, *, check: bool) -> None:
    """Check nginx's configuration and reload it if it is newer than what nginx runs with."""
    values = properties(["nginx.service"], "ActiveState", "ExecMainStartTimestamp", "ExecReload")[
        "nginx.service"
    ]
    if values["ActiveState"] == "active" and newest(options["paths"]) <= loaded_at(
        "nginx.service", values
    ):
        return
    report.node_change("nginx reloaded" if values["ActiveState"] == "active" else "nginx started")
    if check:
        return
    tested = subprocess.run(["nginx", "-t", "-q"], capture_output=True, text=True, check=False)
    if tested.returncode != 0:
        raise SystemdError(
            f"nginx refuses the configuration, keeps the old one: {tested.stderr.strip()[-1500:]}"
        )
    now = time.time()
    systemctl("reload-or-restart", "nginx.service")
    note_reload(["nginx.service"], now)


def running_services() -> dict[str, tuple[float, float]]:
    """Return when each running PHP service started, and when it last read its configuration."""
    found = properties(
        ["space-php@*.service"], "ActiveState", "ExecMainStartTimestamp", "ExecReload"
    )
    return {
        unit: (moment(values.get("ExecMainStartTimestamp", "")), loaded_at(unit, values))
        for unit, values in found.items()
        if values.get("ActiveState") == "active"
    }


def changed_at(paths: t.Iterable[str]) -> float:
    """Return the latest time at which one of these files was put in its place."""
    return max((os.stat(path).st_ctime for path in paths if os.path.exists(path)), default=0.0)


def slug_of(unit: str) -> str:
    """Return the slug in the name of a unit: space-php@velo-ecole.service → velo-ecole."""
    return unit.partition("@")[2].rpartition(".")[0]


def drift(
    wanted: t.Mapping[str, t.Any], world: World, *, check: bool
) -> dict[str, dict[str, list[str]]]:
    """Return what is on the node and in no file, and the other way round.

    The units of the spaces of this run are what they shall be: what did not start has failed
    and is named as such. What a check run would make is not missing.
    """
    chosen = {item["space"]: item["running"] for item in wanted["units"]}
    running = {slug for slug, runs in chosen.items() if runs}
    running |= _drift.units(world.active, world.enabled) - set(chosen)
    known = wanted["drift"]["known"]
    found = _drift.read_web(wanted["drift"]["places"], running, wanted["drift"]["ids"])
    result = _drift.compare(found, known)
    return {**result, "missing": {}} if check else result


def converge(wanted: t.Mapping[str, t.Any], report: Report, *, check: bool) -> None:
    """Bring units, PHP services and nginx in line with what is configured."""
    daemon_reload(report, check=check)
    world = read_world()
    steps = plan(wanted["units"], world, report)
    plan_node(steps, world, report)
    if not check:
        apply(steps, report)
    converge_services(wanted["php"], steps.stop, report, check=check)
    converge_nginx(wanted["nginx"], report, check=check)
    report.facts["drift"] = _drift.sentences(drift(wanted, world, check=check))
