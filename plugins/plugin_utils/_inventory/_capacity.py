# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""How much a node takes at most, as archipel_capacity has it. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import (
    _,
    mark,
    ngettext,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import quoted
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._placement import Node

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

NAME = "archipel_capacity"
ALLOWED = mark("a whole number of spaces, or {spaces, storage_gb}, whole numbers; 0 for none")
KINDS = ("spaces", "storage_gb")


class CapacityError(Exception):
    """A capacity that means nothing; says what was found and what is allowed."""


def read_node(name: str, value: t.Any) -> Node:
    """Return a node with what it takes at most. Nothing was said: as much as there is.

    Raises:
        CapacityError: it is neither a number nor a mapping of them.

    """
    if value is None:
        return Node(name)
    if _is_amount(value):
        return Node(name, value)
    if isinstance(value, Mapping) and _is_mapping_of_amounts(value):
        return Node(name, value.get("spaces"), value.get("storage_gb"))
    text = _(
        "found {found} for {node}; allowed: {allowed}",
        found=quoted(value),
        node=name,
        allowed=_(ALLOWED),
    )
    raise CapacityError(text)


def _is_amount(value: t.Any) -> bool:
    return type(value) is int and value >= 0


def _is_mapping_of_amounts(value: Mapping[t.Any, t.Any]) -> bool:
    return bool(value) and set(value) <= set(KINDS) and all(map(_is_amount, value.values()))


def check_together(nodes: Sequence[Node]) -> Iterator[tuple[str, str]]:
    """Yield key and sentence of each kind that only some of the nodes set.

    Shares of different things cannot be compared. A node that takes nothing is not compared.
    """
    taking = [node for node in nodes if not node.takes_none]
    without = [node.name for node in taking if node.capacity == node.storage_gb is None]
    if without and len(without) < len(taking):
        yield NAME, _only_some(without)
        return
    for kind, amounts in (
        ("spaces", {node.name: node.capacity for node in taking}),
        ("storage_gb", {node.name: node.storage_gb for node in taking}),
    ):
        missing = [name for name, amount in amounts.items() if amount is None]
        if missing and len(missing) < len(amounts):
            yield f"{NAME}.{kind}", _only_some(missing)


def _only_some(missing: Iterable[str]) -> str:
    return _(
        "set for some web nodes but not for {nodes}; set it for all of them or for none",
        nodes=", ".join(missing),
    )


def describe(node: Node) -> str:
    """Return a node with what it takes, for people."""
    if node.storage_gb is None:
        return f"{node.name} ({node.capacity})"
    storage = _("{number} GB", number=node.storage_gb)
    if node.capacity is None:
        return f"{node.name} ({storage})"
    return f"{node.name} ({ngettext('{n} space', '{n} spaces', node.capacity)}, {storage})"


def explain_full(nodes: Iterable[Node], slug: str, storage_gb: int) -> str:
    """Return why a space that is promised so many GB has no place, and what to do."""
    return _(
        "no room for new spaces, every web node is at its archipel_capacity: {nodes}; add a "
        "node or raise it; the first that fits nowhere is {slug}, with {storage_gb} GB",
        nodes=", ".join(map(describe, nodes)),
        slug=slug,
        storage_gb=storage_gb,
    )
