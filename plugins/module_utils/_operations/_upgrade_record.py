# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""How upgrades went: written down on the node, and read for people."""

from __future__ import annotations

import os
import re
import time
import typing as t
from collections.abc import Iterable

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._operations import _upgrade_job
from ansible_collections.archipel.spaces.plugins.module_utils._operations._upgrade_job import (
    Job,
    Settings,
)

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import JsonObject

TAIL_LINES = 12


def write_last(job: Job, result: str) -> None:
    """Write down how it went."""
    now, journal = time.time(), job.journal
    closed_at = journal.get("closed_at", now)
    os.makedirs(job.folder, mode=0o700, exist_ok=True)
    last = {
        "run": job.settings.run,
        "result": result,
        "from": journal["from"],
        "to": journal["to"],
        "version_before": journal["version"],
        "version": journal["version"] if result != "upgraded" else job.version_of(journal["to"]),
        "began": journal["began"],
        "ended": now,
        "downtime": round(now - closed_at, 2),
        "steps": job.took,
        "reason": journal.get("reason", ""),
        "log": job.log_path,
    }
    _journal.save(f"{job.folder}/{_upgrade_job.LAST}", last)


def tail(path: str, lines: int = TAIL_LINES) -> list[str]:
    """Return the last lines of a log."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.path.getsize(path) - (1 << 16)))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    return [re.sub(r"^\S+ ", "", line) for line in text.splitlines()[-lines:]]


def last_of(settings: Settings, slug: str) -> JsonObject:
    """Return how a space's last upgrade went; nothing if there was none."""
    found = _journal.read_json(f"{settings.layout(slug).upgrade}/{_upgrade_job.LAST}")
    return _journal.in_present_words(found, {"why": "reason"})


def outcomes(settings: Settings, slugs: Iterable[str]) -> dict[str, JsonObject]:
    """Return what this run did with spaces, with the end of the log where one failed."""
    found = {slug: last_of(settings, slug) for slug in slugs}
    mine = {slug: one for slug, one in found.items() if one.get("run") == settings.run}
    return {
        slug: {**one, **({"tail": tail(one["log"])} if one["reason"] else {})}
        for slug, one in sorted(mine.items())
    }
