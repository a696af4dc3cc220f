# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Narrow a run to some spaces: by slug, or by ring, status, office or node."""

from __future__ import annotations

import re
import typing as t

Spaces = list[dict[str, t.Any]]
GROUPED_BY = ("ring", "status", "office")


def list_words(space: t.Mapping[str, t.Any]) -> set[str]:
    """Return the words that select a space: its slug and the names of its groups."""
    node = re.sub(r"\W", "_", f"on_{space['web']}")
    return {space["slug"], node, *(f"{key}_{space[key]}" for key in GROUPED_BY)}


def select(spaces: Spaces, only: str) -> Spaces:
    """Return the spaces that any word of a comma-separated selection names; all, if it is empty.

    A word that names nothing on this node may name a space of another one: whether it
    names anything at all is asked once, of the whole inventory, before any node is touched.
    """
    wanted = {word for word in only.replace(" ", "").split(",") if word}
    return [space for space in spaces if wanted & list_words(space)] if wanted else spaces
