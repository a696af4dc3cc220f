# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Long work done in several calls of one module, so that people see how far it is."""

from __future__ import annotations

import sys

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Result

# Whether people look. Asked where this is first read, in Ansible's main process: those in which
# tasks run have nothing that is a terminal.
TERMINAL = sys.stdout.isatty()


def merged(earlier: Result, later: Result) -> Result:
    """Return the result of two calls of one module as if it had been one. Pure.

    Args:
        earlier: what the calls so far gave.
        later: what the last one gave; a failure of its own is kept.

    """
    return {
        **earlier,
        **later,
        "changed": bool(earlier.get("changed") or later.get("changed")),
        "spaces": {**earlier.get("spaces", {}), **later.get("spaces", {})},
        "failed_spaces": {**earlier.get("failed_spaces", {}), **later.get("failed_spaces", {})},
        "uninvited": {**earlier.get("uninvited", {}), **later.get("uninvited", {})},
        "node": [*earlier.get("node", []), *later.get("node", [])],
        "diff": [*earlier.get("diff", []), *later.get("diff", [])],
        "begun": earlier.get("begun", 0) + later.get("begun", 0),
    }


def sentence(what: str, done: int, left: int, failed: int, seconds: float) -> str:
    """Return a line for people: how many are done, how fast, how long the others will take. Pure.

    Args:
        what: what is being done, as a verb: installed.
        done: spaces begun so far, those that failed included.
        left: spaces still to do.
        failed: spaces that failed.
        seconds: time that it took so far.

    """
    rate = done / seconds if seconds > 0 else 0.0
    parts = [f"{done - failed} of {done + left} spaces {what}"]
    if failed:
        parts.append(f"{failed} failed")
    if rate > 0:
        parts.append(f"{rate:.1f} per second, about {duration(left / rate)} left")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Return a time in words: 40 s, 3 min, 2 h 05 min. Pure."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"
