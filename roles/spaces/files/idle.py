#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Decide which spaces that nobody uses stay awake, and stop the PHP of the others.

php-fpm has no idle exit. A space that served nothing for a while first loses the timer that
begins its jobs more often; its PHP stays, so that whoever comes next does not wait. It is
stopped when the node needs the memory, those first that were unused for longest, or after a
longer while. Sockets stay open: the next request starts it again.

A service counts as used when its children, those that run and those that have ended, used
processor time since the last look. It is read from /proc, so the answer does not depend on
the node's control groups.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

STATE = Path("/run/archipel/idle.json")
MEMORY = Path("/proc/meminfo")
PHP, TIMER = "space-php@{}.service", "space-awake@{}.timer"
SLUG = re.compile(r"space-(?:php|awake)@(.+)\.(?:service|timer)")
# Fields of /proc/<pid>/stat after the command's name: the process's own processor time,
# and that of its children that have ended, user and system each.
OWN_TIME, CHILDREN_TIME = slice(11, 13), slice(13, 15)
KIB = 1024


@dataclass(frozen=True)
class Limits:
    """How long spaces stay awake that nobody uses, and at whose expense."""

    # Seconds without use: from then on, and at most.
    after: float
    longest: float
    # Bytes of the node's memory that must be available.
    available: float = 0


@dataclass(frozen=True)
class Plan:
    """Slugs: whose PHP is stopped, whose timer of jobs is stopped, whose is started again."""

    stop: list[str]
    rest: list[str]
    resume: list[str]


def plan(
    unused: Mapping[str, float],
    timers: Collection[str],
    limits: Limits,
    available: float,
    size: Callable[[str], float],
) -> Plan:
    """Return what is to be done. Pure but for `size`, which is asked for those that may go.

    Args:
        unused: slug → seconds without use, of the spaces whose PHP runs.
        timers: slugs whose timer of jobs runs.
        limits: what was set.
        available: bytes of the node's memory that are.
        size: slug → bytes that its PHP has for itself.

    """
    lacking = limits.available - available
    stop: list[str] = []
    for slug in sorted(unused, key=lambda one: (-unused[one], one)):
        if unused[slug] < limits.after:
            break
        if unused[slug] >= limits.longest or lacking > 0:
            stop.append(slug)
            lacking -= size(slug)
    kept = sorted(set(unused) - set(stop))
    return Plan(
        stop,
        rest=[slug for slug in kept if unused[slug] >= limits.after and slug in timers],
        resume=[slug for slug in kept if unused[slug] < limits.after and slug not in timers],
    )


def running() -> tuple[dict[str, int], set[str]]:
    """Return slug → main process id of the PHP that runs, and the slugs whose timer runs."""
    output = subprocess.run(
        [
            "systemctl",
            "show",
            PHP.format("*"),
            TIMER.format("*"),
            "--property=Id,MainPID,ActiveState",
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    masters: dict[str, int] = {}
    timers: set[str] = set()
    for block in output.split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        found = SLUG.fullmatch(values.get("Id", ""))
        if not found or values.get("ActiveState") != "active":
            continue
        if found[0].endswith(".timer"):
            timers.add(found[1])
        elif int(values.get("MainPID", 0)) > 0:
            masters[found[1]] = int(values["MainPID"])
    return masters, timers


def children(pid: int) -> list[str]:
    """Return the process ids of a process's children.

    Raises:
        OSError: the process is gone.

    """
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def processor_time(pid: int | str, which: slice) -> int:
    """Return the processor time of a process, in clock ticks."""
    # The second field, the command's name, may hold spaces and brackets.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[which]))


def activity(pid: int) -> str | None:
    """Return a mark that stays the same while nothing is served; None if the service is gone."""
    try:
        served = processor_time(pid, CHILDREN_TIME) + sum(
            processor_time(child, OWN_TIME) for child in children(pid)
        )
    except OSError:
        return None
    return f"{pid}:{served}"


def field(path: Path, name: str) -> float:
    """Return a field of a file of /proc, in bytes; 0 if it is not there.

    Raises:
        OSError: the file is not there.

    """
    found = re.search(rf"^{name}: +(\d+) kB$", path.read_text(), re.MULTILINE)
    return int(found[1]) * KIB if found else 0


def size(pid: int) -> float:
    """Return the bytes of memory that a service has for itself; 0 if it is gone."""
    try:
        processes = [str(pid), *children(pid)]
        return sum(field(Path(f"/proc/{one}/smaps_rollup"), "Pss") for one in processes)
    except OSError:
        return 0


def load() -> dict[str, list[str | float]]:
    """Return what the last look saw: slug → [mark, since when]."""
    try:
        return dict(json.loads(STATE.read_text()))
    except (OSError, ValueError):
        return {}


def save(state: dict[str, list[str | float]]) -> None:
    """Keep what this look saw, whole or not at all."""
    beside = STATE.with_suffix(".tmp")
    beside.write_text(json.dumps(state))
    beside.replace(STATE)


def look(masters: Mapping[str, int], now: float) -> dict[str, list[str | float]]:
    """Return slug → [mark, since when it has been the same] of the PHP that runs."""
    before = load()
    seen: dict[str, list[str | float]] = {}
    for slug, pid in masters.items():
        mark = activity(pid)
        if mark is not None:
            old_mark, since = before.get(slug, ["", now])
            start = float(since) if old_mark == mark else now
            seen[slug] = [mark, start]
    return seen


def systemctl(verb: str, template: str, slugs: Collection[str]) -> None:
    """Have systemd start or stop the units of spaces."""
    if slugs:
        subprocess.run(["systemctl", verb, *(template.format(slug) for slug in slugs)], check=True)


def main() -> None:
    """Look once, and stop what need not stay."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--after", type=float, required=True, help="seconds without use")
    parser.add_argument("--longest", type=float, required=True, help="seconds until it is stopped")
    parser.add_argument("--available", type=float, required=True, help="percent of memory to leave")
    options = parser.parse_args()
    wanted = field(MEMORY, "MemTotal") * options.available / 100
    masters, timers = running()
    now = time.monotonic()
    seen = look(masters, now)
    todo = plan(
        {slug: now - float(since) for slug, (_mark, since) in seen.items()},
        timers,
        Limits(options.after, options.longest, wanted),
        field(MEMORY, "MemAvailable"),
        lambda slug: size(masters[slug]),
    )
    # One that is stopped and wakes again has another process, and so another mark.
    save(seen)
    systemctl("stop", PHP, todo.stop)
    systemctl("stop", TIMER, todo.rest)
    systemctl("start", TIMER, todo.resume)
    if todo.stop:
        print(f"stopped {len(todo.stop)} of {len(seen)} spaces that were awake")


if __name__ == "__main__":
    main()
