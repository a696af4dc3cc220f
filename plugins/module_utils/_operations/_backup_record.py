# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What a node has written down of its backups: the last of each space, and what failed since."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import JsonObject

# `backup`, `verification`, `failed`, `unverified` → what is known of it.
Entry = dict[str, dict[str, t.Any]]
# Parts, and what is in them, as they were called.
FORMER_PARTS = {"proof": "verification", "unproved": "unverified"}
FORMER_WORDS = {"why": "reason"}
# Nodes that were lost, and had a space until then.
STALE = "stale"


def path_in(work: str) -> str:
    """Return where it is written down, in the folder that backups work in."""
    return f"{work}/record.json"


def read(work: str) -> dict[str, Entry]:
    """Return slug → its last backup, its last verification, and what failed since."""
    return read_at(path_in(work))


def read_at(path: str) -> dict[str, Entry]:
    """Return the record in a file, by its present words; nothing if there is none."""
    found = _journal.read_json(path)
    return {
        slug: {
            FORMER_PARTS.get(part, part): _journal.in_present_words(report, FORMER_WORDS)
            for part, report in entry.items()
        }
        for slug, entry in found.items()
    }


def stale(work: str, slug: str) -> dict[str, str]:
    """Return node → time since which its backups of a space are of a copy from before."""
    return dict(read(work).get(slug, {}).get(STALE, {}))


def write(work: str, slug: str, **changes: JsonObject | None) -> None:
    """Change what is known of one space; None takes a part away."""
    os.makedirs(work, mode=0o700, exist_ok=True)
    # Others write the same record: it takes them milliseconds.
    with _journal.waiting(f"{work}/record.lock"):
        record = read(work)
        entry = {**record.get(slug, {}), **changes}
        record[slug] = {key: value for key, value in entry.items() if value is not None}
        if not record[slug]:
            del record[slug]
        _journal.save(path_in(work), record)
