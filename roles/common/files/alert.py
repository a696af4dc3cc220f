#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Tell that a unit failed: to the journal, and to every program in /etc/archipel/alert.d.

Each of them gets the unit's name as its argument and, as input, which page says what to do
and the last lines of the unit's journal.
What breaks on a node may break every space that wakes: of the same kind of unit the programs
hear a few times an hour, and the last time that there may be more. The journal has them all.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path("/etc/archipel/alert.d")
RECORD = Path("/run/archipel/alerts.json")
# Of a program.
SECONDS = 60
# How often programs are told of one kind of unit, in so many seconds.
MOST, WITHIN = 5, 3600
MORE = (
    "Further failures of this kind are told to the journal alone for an hour: "
    "journalctl -u 'archipel-alert@*' and playbooks/status.yml name them.\n"
)


def programs(folder: Path) -> list[Path]:
    """Return the executable files of a folder, by name."""
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path for path in found if path.is_file() and os.access(path, os.X_OK)]


def tail(unit: str) -> str:
    """Return the last lines that a unit wrote."""
    command = ["journalctl", f"--unit={unit}", "--lines=30", "--no-pager", "--output=cat"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def kind_of(unit: str) -> str:
    """Return what a unit is one of: of those of spaces and of shards there are many. Pure."""
    return unit.removesuffix(".service").partition("@")[0]


def count(moments: list[float], now: float) -> list[float]:
    """Return when programs were told lately, with this time if they are told now. Pure."""
    lately = [moment for moment in moments if now - moment < WITHIN]
    return [*lately, now] if len(lately) < MOST else lately


def parse(text: str) -> dict[str, list[float]]:
    """Return when programs were told, by kind of unit; nothing of a record that is none. Pure."""
    try:
        found = {
            kind: [float(one) for one in moments]
            for kind, moments in dict(json.loads(text)).items()
        }
    except (ValueError, TypeError):
        return {}
    return found


def due(unit: str, now: float) -> int:
    """Return the how-many-eth time this kind of unit is told of within the hour; 0: not told."""
    kind = kind_of(unit)
    RECORD.parent.mkdir(exist_ok=True)
    with RECORD.open("a+", encoding="utf-8") as file:
        # Many spaces fail at the same moment.
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        known = parse(file.read())
        known[kind] = count(known.get(kind, []), now)
        file.truncate(0)
        file.write(json.dumps(known))
    return len(known[kind]) if now in known[kind] else 0


def tell(program: Path, unit: str, text: str) -> bool:
    """Call one program; return whether it did its work."""
    try:
        done = subprocess.run([program, unit], input=text, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"<3>{program}: {error}", flush=True)
        return False
    return done.returncode == 0


def main(unit: str, template: str) -> int:
    """Tell everybody; a program that fails does not keep the others from being told.

    The template is where the pages about alerts are, with {unit} for the kind of unit.
    """
    page = template.replace("{unit}", kind_of(unit))
    # systemd reads the priority in front of a line.
    print(f"<2>{unit} failed: journalctl -u {unit}; what to do: {page}", flush=True)
    try:
        number = due(unit, time.time())
    except OSError as error:
        # Told too often rather than never: /run may be full.
        print(f"<3>{RECORD}: {error}", flush=True)
        number = 1
    if not number:
        return 0
    text = f"What to do: {page}\n" + tail(unit) + (MORE if number == MOST else "")
    delivered = [tell(program, unit, text) for program in programs(FOLDER)]
    return 0 if all(delivered) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("unit")
    parser.add_argument("--page", required=True, help="where its page is, with {unit} for its kind")
    given = parser.parse_args()
    sys.exit(main(given.unit, given.page))
