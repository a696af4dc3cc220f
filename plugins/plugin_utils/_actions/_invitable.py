# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether somebody may be invited into spaces: named one by one, and approved. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._actions._eligible import words
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import did_you_mean
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Unchecked

if t.TYPE_CHECKING:
    from collections.abc import Iterable


def invitable(
    spaces: Iterable[Unchecked], report: Unchecked, only: str
) -> tuple[list[str], list[str]]:
    """The slugs that are named, and everything that speaks against inviting there.

    Args:
        spaces: the spaces of all nodes.
        report: archipel_report.
        only: comma-separated slugs.

    """
    entries = {space["slug"]: space for space in spaces}
    named = words(only)
    if not named:
        return [], ["name the spaces: -e only=slug,slug"]
    problems = []
    for word in named:
        why = _against(entries[word]) if word in entries else _unknown(word, report, entries)
        problems += [f"{word}: {why}"] if why else []
    return named, problems


def _against(entry: Unchecked) -> str:
    if entry["hold"]:
        return f"is on hold; take `hold: true` out of {entry['file']} first"
    if "copy_of" in entry:
        return f"is a copy of {entry['copy_of']['space']}, and has its accounts: nobody is invited"
    if entry["status"] != "approved":
        return f"is {entry['status']}; nobody is invited into a space that is not approved"
    return ""


def _unknown(word: str, report: Unchecked, known: Iterable[str]) -> str:
    for status in ("requested", "refused"):
        if word in {space["slug"] for space in report.get(status, ())}:
            return f"is {status}: it has no space"
    if word in report.get("purged", ()):
        return "was purged"
    if word in report.get("skipped", {}):
        return "its file has errors and it is left as it is: see archipel_report"
    if word in report.get("without_file", ()):
        return "is placed, but its file is gone: take it back from git"
    hint = did_you_mean(word, known)
    return f"names no space; invitations take slugs, one by one, and no groups.{hint}"
