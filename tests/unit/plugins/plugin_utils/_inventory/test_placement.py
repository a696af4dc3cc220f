# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where spaces live: the planner as a table, and what must always hold."""

from __future__ import annotations

import random
import typing as t
from collections import Counter

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import IDS
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import (
    _lock_file,
    _lock_record,
    _placement,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._placement import (
    Lock,
    Node,
    NoIdError,
    NoRoomError,
    Place,
    Shard,
)

ONE = [Node("node1")]
TWO = [Node("node1"), Node("node2")]


def lock(*places: tuple[str, int, str, str], next_id: int = 0, environment: str = "lab") -> Lock:
    spaces = {slug: Place(number, web, db) for slug, number, web, db in places}
    highest = max((place.id for place in spaces.values()), default=IDS.start - 1)
    return Lock(environment, next_id or highest + 1, spaces)


@pytest.mark.parametrize(
    ("known", "slugs", "web", "db", "expected"),
    [
        pytest.param(Lock(), [], ONE, ONE, {}, id="nothing to place"),
        pytest.param(
            Lock(),
            ["b", "a"],
            ONE,
            ONE,
            {"a": (70_000, "node1", "node1"), "b": (70_001, "node1", "node1")},
            id="one node, in the order of the slugs",
        ),
        pytest.param(
            Lock(),
            ["a", "b", "c"],
            TWO,
            TWO,
            {
                "a": (70_000, "node1", "node1"),
                "b": (70_001, "node2", "node2"),
                "c": (70_002, "node1", "node1"),
            },
            id="spread by count, database beside",
        ),
        pytest.param(
            lock(("a", 70_000, "node1", "node1")),
            ["a", "b"],
            TWO,
            TWO,
            {"b": (70_001, "node2", "node2")},
            id="what is placed stays, the emptier node takes the new one",
        ),
        pytest.param(
            lock(("a", 70_000, "node1", "node1"), ("b", 70_001, "node1", "node1")),
            ["a", "b", "c", "d"],
            [Node("new"), Node("node1")],
            [Node("new"), Node("node1")],
            {"c": (70_002, "new", "new"), "d": (70_003, "new", "new")},
            id="a new node moves nothing and fills up",
        ),
        pytest.param(
            Lock(),
            ["a", "b"],
            [Node("web1"), Node("web2")],
            [Node("db1")],
            {"a": (70_000, "web1", "db1"), "b": (70_001, "web2", "db1")},
            id="databases on a node of their own",
        ),
        pytest.param(
            Lock(),
            ["a", "b", "c", "d"],
            [Node("web1"), Node("both")],
            [Node("both"), Node("db1")],
            {
                "a": (70_000, "web1", "both"),
                "b": (70_001, "both", "both"),
                "c": (70_002, "web1", "db1"),
                "d": (70_003, "both", "both"),
            },
            id="beside the web where possible, else on the least loaded",
        ),
        pytest.param(
            Lock(),
            ["a", "b", "c", "d"],
            [Node("small", 1), Node("large", 3)],
            [Node("small"), Node("large")],
            {
                "a": (70_000, "small", "small"),
                "b": (70_001, "large", "large"),
                "c": (70_002, "large", "large"),
                "d": (70_003, "large", "large"),
            },
            id="by the share of the capacity that is taken",
        ),
        pytest.param(
            lock(("gone", 70_005, "node1", "node1"), next_id=70_020),
            ["a"],
            ONE,
            ONE,
            {"a": (70_020, "node1", "node1")},
            id="ids below next_id are never given again",
        ),
        pytest.param(
            lock(("a", 70_000, "burnt", "burnt")),
            ["a", "b"],
            ONE,
            ONE,
            {"b": (70_001, "node1", "node1")},
            id="a placement on a node that is gone is no reason to move",
        ),
    ],
)
def test_plan(
    known: Lock,
    slugs: list[str],
    web: list[Node],
    db: list[Node],
    expected: dict[str, tuple[int, str, str]],
):
    planned = _placement.plan(known, slugs, web, db)
    assert {slug: place[:3] for slug, place in planned.items()} == expected


def test_a_node_that_is_to_take_none_keeps_what_it_has():
    leaving = [Node("old", 0), Node("new", 9)]
    known = lock(("a", 70_000, "old", "old"))
    assert _placement.plan(known, ["a", "b"], leaving, ONE)["b"].web == "new"
    assert "a" not in _placement.plan(known, ["a", "b"], leaving, ONE)


def test_a_full_node_takes_nothing_more():
    full = [Node("node1", 1), Node("node2", 1)]
    known = lock(("a", 70_000, "node1", "node1"))
    assert _placement.plan(known, ["a", "b"], full, ONE)["b"].web == "node2"
    with pytest.raises(NoRoomError):
        _placement.plan(known, ["a", "b", "c"], full, ONE)


def test_no_id_is_given_twice_not_even_the_last():
    known = lock(("a", 70_000, "node1", "node1"), next_id=99_999)
    last = _placement.plan(known, ["a", "b"], ONE, ONE)
    assert last["b"].id == 99_999
    with pytest.raises(NoIdError):
        _placement.plan(known, ["a", "b", "c"], ONE, ONE)


@pytest.mark.parametrize("seed", range(25))
def test_whatever_happens_nothing_moves_and_no_id_is_given_twice(seed: int):
    """Spaces come and go in any order, nodes are added; every step is recorded."""
    dice = random.Random(seed)
    known, nodes, alive = Lock(), [Node("node0")], set[str]()
    owners: dict[int, str] = {}
    for step in range(30):
        if dice.random() < 0.2:
            nodes.append(Node(f"node{step}"))
        alive |= {f"s{step}-{n}" for n in range(dice.randrange(6))}
        alive -= set(dice.sample(sorted(alive), k=len(alive) // 10))
        before = dict(known.spaces)
        pending = _placement.plan(known, alive, nodes, nodes)
        assert pending == _placement.plan(known, sorted(alive), nodes, nodes)
        known = _lock_record.merge(known, "lab", pending)
        assert {slug: known.spaces[slug] for slug in before} == before
        for slug, place in pending.items():
            assert owners.setdefault(place.id, slug) == slug
        purged = dice.sample(sorted(known.spaces), k=len(known.spaces) // 8)
        left = {slug: place for slug, place in known.spaces.items() if slug not in purged}
        known = Lock("lab", known.next_id, left)
        alive -= set(purged)
        assert _lock_file.parse_lock(_lock_file.dump_lock(known), "x") == known


def test_new_spaces_are_spread_evenly():
    nodes = [Node(f"node{number}") for number in range(7)]
    placed = _placement.plan(Lock(), [f"s{number}" for number in range(700)], nodes, nodes)
    assert set(Counter(place.web for place in placed.values()).values()) == {100}
    assert all(place.web == place.db for place in placed.values())


class TestShards:
    ONE: t.ClassVar = [Shard("c1", "collabora"), Shard("o1", "onlyoffice")]
    TWO: t.ClassVar = [*ONE, Shard("o2", "onlyoffice")]

    def test_a_space_has_one_of_each_suite(self):
        placed = _placement.plan(Lock(), ["a"], ONE, ONE, self.ONE)
        assert placed["a"].office == {"collabora": "c1", "onlyoffice": "o1"}

    def test_the_emptiest_is_taken(self):
        placed = _placement.plan(Lock(), ["a", "b", "c"], ONE, ONE, self.TWO)
        assert [placed[slug].office["onlyoffice"] for slug in "abc"] == ["o1", "o2", "o1"]

    def test_what_the_lock_knows_stays_and_a_new_suite_is_added(self):
        first = _placement.plan(Lock(), ["a", "b"], ONE, ONE, self.ONE[1:])
        known = _lock_record.merge(Lock(), "lab", first)
        assert _placement.plan(known, ["a", "b"], ONE, ONE, self.ONE[1:]) == {}
        later = _placement.plan(known, ["a", "b", "c"], ONE, ONE, self.TWO)
        assert [later[slug].office["onlyoffice"] for slug in "abc"] == ["o1", "o1", "o2"]
        assert {place.office["collabora"] for place in later.values()} == {"c1"}
        merged = _lock_record.merge(known, "lab", later)
        assert _placement.plan(merged, ["a", "b", "c"], ONE, ONE, self.TWO) == {}
