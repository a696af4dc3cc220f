#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Stop the PHP service of every space that served nothing for a while.

php-fpm has no idle exit. Its sockets stay open, so the next request starts the
service again. A service counts as used when its children, those that run and those
that have ended, used processor time since the last look. It is read from /proc, so
the answer does not depend on the node's control groups.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from pathlib import Path

STATE = Path("/run/archipel/idle.json")
PATTERN = "space-php@*.service"
# Fields of /proc/<pid>/stat after the command's name: the process's own processor time,
# and that of its children that have ended, user and system each.
OWN_TIME, CHILDREN_TIME = slice(11, 13), slice(13, 15)


def running_services() -> dict[str, int]:
    """Return unit name → main process id of the running PHP services."""
    output = subprocess.run(
        ["systemctl", "show", PATTERN, "--property=Id,MainPID,ActiveState"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    services: dict[str, int] = {}
    for block in output.split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if values.get("ActiveState") == "active" and int(values.get("MainPID", 0)) > 0:
            services[values["Id"]] = int(values["MainPID"])
    return services


def processor_time(pid: int | str, which: slice) -> int:
    """Return the processor time of a process, in clock ticks."""
    # The second field, the command's name, may hold spaces and brackets.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[which]))


def activity(pid: int) -> str | None:
    """Return a mark that stays the same while nothing is served; None if the service is gone."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        served = processor_time(pid, CHILDREN_TIME) + sum(
            processor_time(child, OWN_TIME) for child in children
        )
    except OSError:
        return None
    return f"{pid}:{served}"


def load() -> dict[str, list[str | float]]:
    """Return what the last look saw: unit → [mark, since when]."""
    try:
        return dict(json.loads(STATE.read_text()))
    except (OSError, ValueError):
        return {}


def save(state: dict[str, list[str | float]]) -> None:
    """Keep what this look saw, whole or not at all."""
    beside = STATE.with_suffix(".tmp")
    beside.write_text(json.dumps(state))
    beside.replace(STATE)


def main() -> None:
    """Look once, stop what was idle for long enough."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--after", type=float, required=True, help="seconds without use")
    after = parser.parse_args().after
    now, before, seen, idle = time.monotonic(), load(), {}, []
    for unit, pid in running_services().items():
        mark = activity(pid)
        if mark is None:
            continue
        old_mark, since = before.get(unit, ["", now])
        start = float(since) if old_mark == mark else now
        if now - start >= after:
            idle.append(unit)
        else:
            seen[unit] = [mark, start]
    if idle:
        subprocess.run(["systemctl", "stop", *idle], check=True)
        print(f"stopped {len(idle)} idle spaces")
    save(seen)


if __name__ == "__main__":
    main()
