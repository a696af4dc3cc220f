#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Count the spaces of this node whose background jobs are late, and fail if there are any.

Mails, reminders and the trash of a space are jobs; nobody sees that they do not run. When they came
to their end last is in accounts.json. That a timer fired is no answer: it did so too for jobs that
were killed, or that ended with an error.

A space has jobs while its timer is enabled. Time counts from the last end, from the boot, and from
when the timer was enabled, whichever came last: a node that was off for a night is late with
nothing.
"""

from __future__ import annotations

import argparse
import calendar
import json
import sys
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

from _spaces_report import family, write

# Where systemd has the timers that are enabled, and their names.
TIMERS = Path("/etc/systemd/system/timers.target.wants")
PREFIX, SUFFIX = "space-cron@", ".timer"
# How many late spaces a message names.
NAMED = 10


@dataclass(frozen=True)
class Jobs:
    """When a space's jobs came to their end, and whether they are late."""

    # Seconds since 1970; 0: never.
    last: int
    late: bool


class ReportError(Exception):
    """What the accounts' report says is of no use."""


def timers(folder: Path) -> dict[str, float]:
    """Return slug → when its timer was enabled, in seconds since 1970."""
    return {
        path.name.removeprefix(PREFIX).removesuffix(SUFFIX): path.lstat().st_mtime
        for path in (folder.glob(f"{PREFIX}*{SUFFIX}") if folder.is_dir() else ())
    }


def booted(now: float) -> float:
    """Return when this node booted, in seconds since 1970."""
    return now - time.clock_gettime(time.CLOCK_BOOTTIME)


def read(path: Path, now: float, after: float) -> dict[str, int]:
    """Return slug → when jobs ended last, of the spaces of which that is known.

    Args:
        path: accounts.json.
        now: seconds since 1970.
        after: seconds from which on a report is too old to say that something is late.

    Raises:
        ReportError: it is not there, no report, or too old.

    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        at = calendar.timegm(time.strptime(document["time"], "%Y-%m-%dT%H:%M:%SZ"))
        found = {slug: one.get("last_jobs") for slug, one in document["spaces"].items()}
    except FileNotFoundError:
        raise ReportError(f"{path}: is not there; archipel-accounts.service writes it") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReportError(f"{path}: is no report of accounts: {error!r}") from None
    if now - at > after:
        raise ReportError(
            f"{path}: is of {document['time']}, more than {after:.0f} seconds ago; "
            "archipel-accounts.service writes it"
        )
    return {slug: last for slug, last in found.items() if isinstance(last, int)}


def judge(
    ends: t.Mapping[str, int], enabled: t.Mapping[str, float], boot: float, now: float, after: float
) -> dict[str, Jobs]:
    """Return slug → what its jobs are like, of the spaces that have jobs. Pure.

    Args:
        ends: slug → when jobs ended last.
        enabled: slug → when its timer was enabled.
        boot: when the node booted.
        now: all of them in seconds since 1970.
        after: seconds without an end from which on jobs are late.

    """
    return {
        slug: Jobs(ends[slug], now - max(ends[slug], enabled[slug], boot) > after)
        for slug in sorted(ends.keys() & enabled.keys())
    }


def metrics(spaces: t.Mapping[str, Jobs], now: float) -> str:
    """Return the report as Prometheus reads it. Pure."""
    number = sum(one.late for one in spaces.values())
    each = [(f'{{space="{slug}"}}', int(one.late)) for slug, one in spaces.items()]
    return "".join(
        [
            family("archipel_jobs_timestamp_seconds", "When this was read.", [("", int(now))]),
            family("archipel_jobs_late", "Spaces whose jobs are late.", [("", number)]),
            family("archipel_space_jobs_late", "Whether a space's jobs are late.", each),
        ]
    )


def sentence(spaces: t.Mapping[str, Jobs], after: float) -> str:
    """Return what there is to say of late jobs; nothing if there are none. Pure."""
    late = [slug for slug, one in spaces.items() if one.late]
    if not late:
        return ""
    more = f" and {len(late) - NAMED} more" if len(late) > NAMED else ""
    return (
        f"jobs of {len(late)} of {len(spaces)} spaces have not come to their end for more than "
        f"{after:.0f} seconds: {', '.join(late[:NAMED])}{more}. "
        f"Why: journalctl -u {PREFIX}{late[0]}"
    )


def main() -> int:
    """Look once; write the metrics, and say what is late."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--accounts", type=Path, required=True, help="accounts.json")
    options.add_argument("--metrics", type=Path, help="folder for Prometheus' node exporter")
    options.add_argument("--after", type=float, required=True, help="seconds; late from here on")
    arguments = options.parse_args()
    now = time.time()
    try:
        ends = read(arguments.accounts, now, arguments.after)
    except ReportError as error:
        print(f"<3>{error}", file=sys.stderr)
        return 1
    spaces = judge(ends, timers(TIMERS), booted(now), now, arguments.after)
    if arguments.metrics is not None:
        write(arguments.metrics / "archipel_jobs.prom", metrics(spaces, now))
    said = sentence(spaces, arguments.after)
    if said:
        print(f"<3>{said}", file=sys.stderr)
    return int(bool(said))


if __name__ == "__main__":
    sys.exit(main())
