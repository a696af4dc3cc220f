# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether spaces may be purged: named one by one, closed, past their grace. Pure."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import did_you_mean
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Unchecked

if t.TYPE_CHECKING:
    from collections.abc import Iterable


def words(only: str) -> list[str]:
    """The words of a selection, each once."""
    return list(dict.fromkeys(word for word in only.replace(" ", "").split(",") if word))


def purgeable(
    spaces: Iterable[Unchecked],
    report: Unchecked,
    only: str,
    grace_days: int,
    today: datetime.date,
) -> tuple[list[Unchecked], list[str]]:
    """The spaces that are named, and everything that speaks against purging them."""
    entries = {space["slug"]: space for space in spaces}
    named = words(only)
    if not named:
        ready = [s for s, e in entries.items() if not _against(e, grace_days, today)]
        listed = ", ".join(sorted(ready)) or "none"
        return [], [f"name the spaces: -e only=slug,slug. Closed and past their grace: {listed}"]
    chosen, problems = [], []
    for word in named:
        if word in entries:
            chosen.append(entries[word])
            found = _against(entries[word], grace_days, today)
            problems += [f"{word}: {reason}" for reason in found]
        else:
            problems.append(f"{word}: {_unknown(word, report, entries)}")
    return chosen, problems


def _against(entry: Unchecked, grace_days: int, today: datetime.date) -> list[str]:
    if entry["hold"]:
        return [f"is on hold; take `hold: true` out of {entry['file']} first"]
    if entry["status"] != "closed":
        how = (
            f"write `status: closed` and `closed_on` into {entry['file']}, run playbooks/spaces.yml"
        )
        text = (
            f"is {entry['status']}; only closed spaces are purged. If it is to go: {how}, and wait"
        )
        return [f"{text} {grace_days} days"]
    # All that is in a copy is in the space that it was made of: nobody misses it.
    days = 0 if "copy_of" in entry else grace_days
    until = datetime.date.fromisoformat(entry["closed_on"]) + datetime.timedelta(days=days)
    if today < until:
        text = f"was closed on {entry['closed_on']} and is kept for {grace_days} days"
        return [f"{text} (archipel_grace_days): it may be purged from {until} on"]
    if entry["db"] != entry["web"]:
        return [f"its database is on {entry['db']}: purging it from two nodes is not possible yet"]
    return []


def _unknown(word: str, report: Unchecked, known: Iterable[str]) -> str:
    if word in report.get("purged", ()):
        return "was purged already, says the ledger; its file may be removed"
    if word in report.get("skipped", {}):
        return "its file has errors and it is left as it is: see archipel_report"
    if word in report.get("without_file", ()):
        return (
            "is placed, but its file is gone: take it back from git; to purge it, it must say "
            "`status: closed`"
        )
    for status in ("requested", "refused"):
        if word in {space["slug"] for space in report.get(status, ())}:
            return f"is {status}: it has no space"
    hint = did_you_mean(word, known)
    return f"names no space; a purge takes slugs, one by one, and no groups.{hint}"
