# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What archipel_capacity may be, and that new spaces keep to it."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import (
    _capacity,
    _placement,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._placement import (
    Lock,
    Node,
    NoRoomError,
    Place,
    Sizes,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, Node("a")),
        (0, Node("a", 0)),
        (400, Node("a", 400)),
        ({"spaces": 400}, Node("a", 400)),
        ({"storage_gb": 9000}, Node("a", None, 9000)),
        ({"spaces": 400, "storage_gb": 0}, Node("a", 400, 0)),
    ],
)
def test_a_capacity(value: t.Any, expected: Node):
    assert _capacity.read_node("a", value) == expected


@pytest.mark.parametrize(
    "value",
    ["many", -1, 1.5, True, [], {}, {"spaces": -1}, {"gb": 5}, {"spaces": 5, "storage_gb": "1 TB"}],
)
def test_none(value: t.Any):
    with pytest.raises(_capacity.CapacityError, match=r"for a; allowed: a whole number of spaces"):
        _capacity.read_node("a", value)


@pytest.mark.parametrize(
    ("nodes", "key"),
    [
        ([Node("a", 5), Node("b")], "archipel_capacity"),
        ([Node("a", 5, 9), Node("b", 5)], "archipel_capacity.storage_gb"),
        ([Node("a", 5, 9), Node("b", None, 9)], "archipel_capacity.spaces"),
    ],
)
def test_what_only_some_nodes_set(nodes: list[Node], key: str):
    ((found, text),) = _capacity.check_together(nodes)
    assert (found, text) == (
        key,
        "set for some web nodes but not for b; set it for all of them or for none",
    )


@pytest.mark.parametrize(
    "nodes",
    [
        [Node("a"), Node("b")],
        [Node("a", 5, 9), Node("b", 7, 1)],
        pytest.param([Node("a", 0), Node("b")], id="one that is emptied is compared with none"),
        pytest.param([Node("a", 0), Node("b", 5, 9)], id="nor in GB"),
    ],
)
def test_what_goes_together(nodes: list[Node]):
    assert list(_capacity.check_together(nodes)) == []


def test_new_spaces_keep_to_the_gb_that_a_node_may_promise():
    nodes = [Node("a", None, 100), Node("b", None, 100)]
    lock = Lock("lab", 70_001, {"big": Place(70_000, "a", "a")})
    sizes = Sizes({"big": 90, "s1": 20, "s2": 60, "s3": 10}, 40)
    found = _placement.plan(lock, ["big", "s1", "s2", "s3"], nodes, nodes, (), sizes)
    assert {slug: place.web for slug, place in found.items()} == {"s1": "b", "s2": "b", "s3": "b"}
    with pytest.raises(NoRoomError) as caught:
        _placement.plan(lock, ["s1", "s2", "s4"], nodes, nodes, (), sizes)
    assert (caught.value.slug, caught.value.storage_gb) == ("s4", 40)


def test_what_is_placed_and_unknown_is_as_large_as_the_policy_says():
    nodes = [Node("a", None, 100), Node("b", None, 90)]
    lock = Lock("lab", 70_001, {"gone": Place(70_000, "a", "a")})
    found = _placement.plan(lock, ["s1"], nodes, nodes, (), Sizes({"s1": 20}, 95))
    assert found["s1"].web == "b"


class TestDatabases:
    """A node that takes nothing takes no databases either."""

    def test_go_to_another_node(self):
        db = [Node("old", 0), Node("new")]
        assert _placement.plan(Lock(), ["a"], [Node("web")], db)["a"].db == "new"

    def test_stay_where_there_is_no_other(self):
        db = [Node("old", 0)]
        assert _placement.plan(Lock(), ["a"], [Node("old", 0), Node("web")], db)["a"] == (
            *(70_000, "web", "old"),
            *({}, ""),
        )
