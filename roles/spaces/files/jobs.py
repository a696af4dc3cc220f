#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Run the jobs of every space that requested it, before their timer does.

A space asks by leaving a file in its folder for temporary files: after somebody there
chose another office suite, for instance. A web request never installs anything; the
space's own jobs do, as the space's own user and in its sandbox. All that a space gets by
asking is its next run sooner, and not more often than the pause allows.
"""

from __future__ import annotations

import argparse
import os
import stat
import subprocess
import time
from pathlib import Path

REQUEST = "tmp/jobs-wanted"
PROPERTIES = "Id,ActiveState,InactiveEnterTimestampMonotonic"
RUNNING = {"active", "activating", "deactivating", "reloading"}
# Spaces started in one look; the others wait for the next.
AT_ONCE = 20


def is_request(path: str) -> bool:
    """Tell whether a space left a job request: anything that can be taken away, so no folder."""
    try:
        return not stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def requesting(root: Path) -> list[str]:
    """Return the spaces that left a job request."""
    with os.scandir(root) as entries:
        return sorted(entry.name for entry in entries if is_request(f"{entry.path}/{REQUEST}"))


def take(path: Path) -> bool:
    """Take a request away; what a space exchanges meanwhile must not keep the others waiting."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def show(units: list[str]) -> dict[str, dict[str, str]]:
    """Return what systemd knows of units, by name."""
    output = subprocess.run(
        ["systemctl", "show", f"--property={PROPERTIES}", *units],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    blocks = (
        dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        for block in output.split("\n\n")
    )
    return {block["Id"]: block for block in blocks if block.get("Id")}


def due(units: dict[str, dict[str, str]], slug: str, now: float, pause: float) -> bool:
    """Tell whether a space's jobs may run now: its timer runs, they do not, and did not lately."""
    timer = units.get(f"space-cron@{slug}.timer", {})
    jobs = units.get(f"space-cron@{slug}.service", {})
    if timer.get("ActiveState") != "active" or jobs.get("ActiveState") in RUNNING:
        return False
    ended = int(jobs.get("InactiveEnterTimestampMonotonic") or 0) / 1_000_000
    return ended == 0 or now - ended >= pause


def main() -> None:
    """Look once, start what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder of the spaces")
    parser.add_argument("--pause", type=float, required=True, help="seconds between two runs")
    options = parser.parse_args()
    slugs = requesting(options.root)
    if not slugs:
        return
    units = show([f"space-cron@{slug}.{kind}" for slug in slugs for kind in ("timer", "service")])
    now = time.clock_gettime(time.CLOCK_MONOTONIC)
    chosen = [slug for slug in slugs if due(units, slug, now, options.pause)][:AT_ONCE]
    # Taken away first: a request made while the jobs run is a new one.
    chosen = [slug for slug in chosen if take(Path(options.root, slug, REQUEST))]
    if chosen:
        names = [f"space-cron@{slug}.service" for slug in chosen]
        subprocess.run(["systemctl", "start", "--no-block", *names], check=True)
        print(f"jobs of {', '.join(chosen)} were requested")


if __name__ == "__main__":
    main()
