# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Copies of spaces, for trying something: what their files say and must be true of them. Pure.

A copy ends like any other space, on the day of its `closing`: there is no second date to keep.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import Problem

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import CopyOf
    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Unchecked
    from ansible_collections.archipel.spaces.plugins.plugin_utils._registry._registry import Record

KEY = "copy_of"
# What to write where the end of one is missing.
CLOSING = {"on": "2026-09-01", "by": "moderation", "noticed_on": "2026-08-01"}


class OfCopy(t.TypedDict, total=False):
    """What only the entry of a copy has."""

    copy_of: CopyOf


def describe(data: Unchecked) -> OfCopy:
    """Return what an entry says of the space that it is a copy of; nothing for any other."""
    noted = data.get(KEY)
    if not noted:
        return {}
    until = data.get("closing", {}).get("on")
    return {"copy_of": {"space": noted["space"], "on": noted["on"], "until": until}}


def list_sources(records: Iterable[Record]) -> dict[str, str]:
    """Return copy → the space that it is made of."""
    return {one.slug: one.data[KEY]["space"] for one in records if KEY in one.data}


def check(record: Record) -> Iterator[Problem]:
    """Yield what is wrong with the file of a copy that its schema alone cannot say."""
    noted, data = record.data.get(KEY), record.data
    if not noted:
        return
    if noted["space"] == record.slug:
        text = _('found "{slug}", this space itself; allowed: another one', slug=record.slug)
        yield record.problem(text, KEY, "space")
    if data["status"] in {"approved", "suspended"} and "closing" not in data:
        text = _(
            "missing; a copy holds what belongs to others, and has a day on which it ends. Add for "
            "instance `{example}`",
            example=f"closing: {json.dumps(CLOSING)}".replace('"', ""),
        )
        yield record.problem(text, "closing")
    if data.get("domains"):
        text = _(
            "not allowed in a copy, which answers below the platform's domain alone; remove it"
        )
        yield record.problem(text, "domains")
