# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The nodes of the spaces that `-e only=…` names: a run for one space begins on no others."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._core import _selection
from ansible_collections.archipel.spaces.plugins.plugin_utils._policy import _variables

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from ansible.inventory.data import InventoryData

    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import (
        ServerLoad,
        SpaceEntry,
    )
    from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._entries import Result
    from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._nodes import Nodes

# A restore narrows what it opens to the space that it restores into.
OPTIONS = ("only", "into")
GROUP = "chosen_nodes"


def split(value: object) -> set[str]:
    """Return the words of a selection: comma-separated, or a list of them."""
    listed = value if isinstance(value, list) else str(value).split(",")
    return {word for one in listed if (word := str(one).replace(" ", ""))}


def find_nodes(
    entries: Iterable[SpaceEntry],
    words: Collection[str],
    members: Collection[str],
    offices: Iterable[ServerLoad],
) -> set[str]:
    """Return the nodes that have any part of a space that is named.

    Args:
        entries: approved, suspended and closed spaces.
        words: slugs and names of groups.
        members: slugs of spaces in groups that are named, such as groups of one's own.
        offices: the office servers, each with its node.

    """
    homes = {server["name"]: server["node"] for server in offices}
    found: set[str] = set()
    for entry in entries:
        if entry["slug"] in members or not _selection.list_words(entry).isdisjoint(words):
            found |= {entry["web"], entry["db"]}
            # Of a closed one as well: they have to forget it.
            shards = (server["shard"] for server in entry["office_servers"].values())
            found |= {homes[shard] for shard in shards if shard in homes}
    return found


def add_group(inventory: InventoryData, nodes: Nodes, result: Result) -> None:
    """Make the group chosen_nodes, where a selection is given, and the edge part of it.

    Without a selection there is none, and plays take all nodes. So they do where it can only be
    told on a node.
    """
    try:
        words = _read(nodes)
    except _variables.Unknown:
        return
    if not words:
        return
    members = {str(host.name) for word in words for host in nodes.members(word)}
    chosen = find_nodes(result.entries, words, members, result.report["offices"])
    # It leads every name to its node.
    chosen |= {str(host.name) for host in nodes.members("edge")}
    inventory.add_group(GROUP)
    for host in nodes.hosts:
        if host.name in chosen:
            inventory.add_host(str(host.name), GROUP)


def _read(nodes: Nodes) -> set[str]:
    """Return the words of this run.

    Raises:
        Unknown: they depend on what only a run knows.

    """
    given = (nodes.extra(name) for name in OPTIONS)
    return {word for value in given if value for word in split(value)}
