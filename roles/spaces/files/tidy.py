#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Keep what spaces write beside their data from growing without end: sessions and logs.

Sessions that ended are removed. PHP removes none itself: a request would pay for going through
all of them. Every visitor without a cookie leaves one, a program that logs in each time among
them: of more than a space may have, those go that were unused for longest. A log that became
too large takes the place of the one before it; Nextcloud opens its log for each message, so
nothing need be told.

The folders belong to spaces, this runs as root. Each is opened without following a link, and
what is in it is renamed or removed, never opened: whatever a space puts there, it is its own.
"""

from __future__ import annotations

import argparse
import os
import stat
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SESSIONS, LOGS = "sessions", "log"
SESSION_PREFIX, OLDER = "sess_", ".1"
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


@dataclass(frozen=True)
class Limits:
    """What a space may have of each."""

    # How long an unused session is kept, and how many there may be.
    session_seconds: float
    sessions: int
    # Size from which a log is put aside; one older is kept.
    log_bytes: int


def outdated(ages: Mapping[str, float], limits: Limits) -> list[str]:
    """Return which sessions go, given the seconds since the last use of each. Pure."""
    by_age = sorted(ages, key=lambda name: (ages[name], name))
    kept = [name for name in by_age if ages[name] <= limits.session_seconds][: limits.sessions]
    return sorted(set(by_age) - set(kept))


def too_large(sizes: Mapping[str, int], limits: Limits) -> list[str]:
    """Return which logs are put aside, given their sizes in bytes. Pure."""
    return sorted(
        name for name, size in sizes.items() if size > limits.log_bytes and not name.endswith(OLDER)
    )


@contextmanager
def opened(root: str, slug: str, name: str) -> Iterator[int]:
    """Open a folder of a space; what the space put in its place is refused."""
    home = os.open(f"{root}/{slug}", FOLDER)
    try:
        folder = os.open(name, FOLDER, dir_fd=home)
    finally:
        os.close(home)
    try:
        yield folder
    finally:
        os.close(folder)


def files(folder: int, prefix: str = "") -> dict[str, os.stat_result]:
    """Return the plain files in an open folder whose name begins so."""
    found = {}
    for name in os.listdir(folder):
        if not name.startswith(prefix):
            continue
        # Somebody logged out meanwhile.
        with suppress(FileNotFoundError):
            found[name] = os.stat(name, dir_fd=folder, follow_symlinks=False)
    return {name: about for name, about in found.items() if stat.S_ISREG(about.st_mode)}


def clean_sessions(root: str, slug: str, limits: Limits) -> int:
    """Remove the sessions that go from one space; return how many."""
    now = time.time()
    with opened(root, slug, SESSIONS) as folder:
        ages = {n: now - about.st_mtime for n, about in files(folder, SESSION_PREFIX).items()}
        gone = outdated(ages, limits)
        for name in gone:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)
    return len(gone)


def rotate_logs(root: str, slug: str, limits: Limits) -> int:
    """Put the logs of one space aside that became too large; return how many."""
    with opened(root, slug, LOGS) as folder:
        names = too_large({n: about.st_size for n, about in files(folder).items()}, limits)
        for name in names:
            os.rename(name, f"{name}{OLDER}", src_dir_fd=folder, dst_dir_fd=folder)
    return len(names)


def main() -> int:
    """Tidy every space; one that cannot be tidied does not keep the others from it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", required=True, help="folder of the spaces")
    parser.add_argument("--session-seconds", type=float, required=True)
    parser.add_argument("--sessions", type=int, required=True, help="how many a space may have")
    parser.add_argument("--log-bytes", type=int, required=True, help="how large a log may be")
    options = parser.parse_args()
    limits = Limits(options.session_seconds, options.sessions, options.log_bytes)
    done, failed = {clean_sessions: 0, rotate_logs: 0}, 0
    with os.scandir(options.root) as entries:
        # A closed or half-made space has none.
        slugs = sorted(e.name for e in entries if os.path.lexists(f"{e.path}/{SESSIONS}"))
    for slug in slugs:
        for act in done:
            try:
                done[act] += act(options.root, slug, limits)
            except OSError as error:
                # systemd reads the priority in front of a line.
                print(f"<3>{slug}: {error}", flush=True)
                failed += 1
    if any(done.values()):
        print(f"{done[clean_sessions]} sessions removed, {done[rotate_logs]} logs put aside")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
