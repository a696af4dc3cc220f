# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Narrow a run to some spaces: by slug, or by ring, status, office or node."""

from __future__ import annotations

import re

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import SpaceEntry


def list_words(space: SpaceEntry) -> set[str]:
    """Return the words that select a space: its slug and the names of its groups."""
    node = re.sub(r"\W", "_", f"on_{space['web']}")
    groups = {"ring": space["ring"], "status": space["status"], "office": space["office"]}
    return {space["slug"], node, *(f"{kind}_{name}" for kind, name in groups.items())}


def select(spaces: list[SpaceEntry], only: str) -> list[SpaceEntry]:
    """Return the spaces that any word of a comma-separated selection names; all, if it is empty.

    A word that names nothing on this node may name a space of another one: whether it
    names anything at all is asked once, of the whole inventory, before any node is touched.
    """
    wanted = {word for word in only.replace(" ", "").split(",") if word}
    return [space for space in spaces if wanted & list_words(space)] if wanted else spaces
