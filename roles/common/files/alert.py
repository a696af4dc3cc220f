#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Tell that a unit failed: to the journal, and to every program in /etc/archipel/alert.d.

Each of them gets the unit's name as its argument and the last lines of its journal as input.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path("/etc/archipel/alert.d")
SECONDS = 60


def programs(folder: Path) -> list[Path]:
    """Return the executable files of a folder, by name."""
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path for path in found if path.is_file() and os.access(path, os.X_OK)]


def tail(unit: str) -> str:
    """Return the last lines that a unit wrote."""
    command = ["journalctl", f"--unit={unit}", "--lines=30", "--no-pager", "--output=cat"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def main(unit: str) -> int:
    """Tell everybody; a program that fails does not keep the others from being told."""
    # systemd reads the priority in front of a line.
    print(f"<2>{unit} failed: journalctl -u {unit}", flush=True)
    failed = 0
    for program in programs(FOLDER):
        try:
            done = subprocess.run(
                [program, unit], input=tail(unit), text=True, timeout=SECONDS, check=False
            )
            code = done.returncode
        except (OSError, subprocess.TimeoutExpired) as error:
            print(f"<3>{program}: {error}", flush=True)
            code = 1
        failed += code != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
