#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What a space does to its node: ``tenant.py KIND FOLDER SECONDS``, the folder being of its data.

Run by a space's own PHP, as its own user, in its own sandbox. It goes on after the request that
began it, and ends by itself.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

MIB = 1 << 20


# Of memory taken at a time.
BLOCK = 16 * MIB
# Files that are full, and how many attempts later there is room again for a moment.
FILE, AGAIN = 64, 20
PROCESSES = 4


def bomb(end: float, _folder: Path) -> None:
    """Fork, and let all that come of it fork, as often as the kernel lets them."""
    while time.time() < end:
        try:
            os.fork()
        except OSError:
            # No room: again at once, as a bomb does.
            continue


def hog(end: float, _folder: Path) -> None:
    """Take memory and touch it; what the kernel ends begins anew."""
    while time.time() < end:
        child = os.fork()
        if child == 0:
            taken = []
            while time.time() < end:
                taken.append(b"x" * BLOCK)
            os._exit(0)
        os.waitpid(child, 0)


def fill(end: float, folder: Path) -> None:
    """Write until nothing more fits, and try on; half of it goes at times: disks are to be busy."""
    block, number = os.urandom(MIB), 0
    names: list[Path] = []
    while time.time() < end:
        number += 1
        names.append(folder / f"flood-{os.getpid()}-{number}")
        try:
            with names[-1].open("wb") as file:
                for _ in range(FILE):
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            if number % AGAIN == 0:
                half = len(names) // 2
                for one in names[:half]:
                    one.unlink(missing_ok=True)
                names = names[half:]


KINDS = {"fork bomb": bomb, "memory hog": hog, "full disk": fill}


def main() -> None:
    """Leave the request, and begin."""
    kind, folder, seconds = sys.argv[1:]
    if os.fork():
        # Whoever reads the output waits for all that hold it: this one ends, the others let go.
        os._exit(0)
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nothing, number)
    end = time.time() + float(seconds)
    for _ in range(PROCESSES - 1):
        if os.fork() == 0:
            break
    KINDS[kind](end, Path(folder))
    os._exit(0)


if __name__ == "__main__":
    main()
