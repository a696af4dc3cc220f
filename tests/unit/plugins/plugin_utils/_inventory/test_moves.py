# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which moves are proposed: few, small, the same each time, and none without a reason."""

from __future__ import annotations

import time
import typing as t

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._loads import Loads
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._moves import (
    Model,
    Planner,
    Room,
    Space,
)

MODEL = Model(4, 40, 10, 10, 85)


def room(name: str, *, web: bool = True, db: bool = True, **changes: t.Any) -> Room:
    limits = changes.pop("limits", {})
    return Room(name, web, db, limits, **changes)


def space(slug: str, web: str = "a", db: str = "", **changes: t.Any) -> Space:
    return Space(slug, web, db or web, **{"storage_gb": 40, **changes})


def relieved(rooms: list[Room], spaces: list[Space]) -> dict[str, tuple[str, str]]:
    planner = Planner(rooms, spaces, MODEL)
    planner.relieve()
    return {slug: (move.web, move.db) for slug, move in planner.moves.items()}


def test_a_node_that_was_added_moves_nothing():
    spaces = [space(f"s{n}", "ab"[n % 2]) for n in range(10)]
    rooms = [room(name, limits={"spaces": 6, "storage_gb": 400}) for name in "ab"]
    assert relieved(rooms, spaces) == {}
    assert relieved([*rooms, room("new", limits={"spaces": 6, "storage_gb": 400})], spaces) == {}


def test_a_full_node_keeps_what_it_has():
    full = [room("a", limits={"spaces": 3}), room("b", limits={"spaces": 3})]
    assert relieved(full, [space(f"s{n}") for n in range(3)]) == {}


def test_a_node_with_too_many_gives_those_away_that_store_least():
    rooms = [room("a", limits={"spaces": 2}), room("b", limits={"spaces": 9})]
    spaces = [space("heavy", used_gb=30), space("light", used_gb=1), space("middle", used_gb=5)]
    assert relieved(rooms, spaces) == {"light": ("b", "b")}


@pytest.mark.parametrize(
    ("sizes", "limit", "expected"),
    [
        pytest.param([10, 50, 90], 100, {"s1"}, id="the smallest that is enough by itself"),
        pytest.param([10, 20, 30], 5, {"s0", "s1", "s2"}, id="all of them"),
        pytest.param([40, 40, 40, 40], 80, {"s3", "s0"}, id="two of the same size"),
        pytest.param([10, 20, 30, 90], 35, {"s2", "s3"}, id="the largest, and what is left"),
    ],
)
def test_too_many_gb_are_promised(sizes: list[int], limit: int, expected: set[str]):
    rooms = [room("a", limits={"storage_gb": limit}), room("b", limits={"storage_gb": 900})]
    spaces = [space(f"s{n}", storage_gb=size) for n, size in enumerate(sizes)]
    assert set(relieved(rooms, spaces)) == expected


def test_a_disk_that_is_nearly_full_gives_away_what_is_stored_there():
    rooms = [room("a", limits={"used_gb": 50}), room("b", limits={"used_gb": 80})]
    spaces = [space("s0", used_gb=40), space("s1", used_gb=15), space("s2", used_gb=4)]
    assert relieved(rooms, spaces) == {"s1": ("b", "b")}


def test_memory_by_the_model_counts_databases_too():
    """Eight MiB for the files of a space, ten for its database: 54 in all, of 50."""
    rooms = [room("a", limits={"memory_mib": 50}), room("b", limits={"memory_mib": 900})]
    spaces = [space(f"s{n}", used_gb=n) for n in range(3)]
    assert relieved(rooms, spaces) == {"s0": ("b", "b")}


class TestANodeThatIsEmptied:
    def test_gives_all_away_evenly(self):
        rooms = [room("a", drains=True, limits={"spaces": 0}), room("b"), room("c")]
        moves = relieved(rooms, [space(f"s{n}") for n in range(4)])
        assert sorted(web for web, _db in moves.values()) == ["b", "b", "c", "c"]
        assert all(web == db for web, db in moves.values())

    def test_gives_databases_of_others_away_too(self):
        rooms = [room("a", drains=True), room("b", db=False), room("c")]
        assert relieved(rooms, [space("s0", "b", "a")]) == {"s0": ("b", "c")}

    def test_a_database_comes_along_to_a_node_for_databases(self):
        rooms = [room("a", drains=True), room("b", db=False), room("d", web=False)]
        assert relieved(rooms, [space("s0")]) == {"s0": ("b", "d")}

    def test_a_database_that_lives_apart_stays(self):
        rooms = [room("a", drains=True, db=False), room("b", db=False), room("d", web=False)]
        assert relieved(rooms, [space("s0", "a", "d")]) == {"s0": ("b", "d")}

    def test_says_which_spaces_cannot_move(self):
        planner = Planner(
            [room("a", drains=True), room("b", limits={"spaces": 1}), room("c", closed="silent")],
            [space("s0"), space("s1"), space("s2", obstacle="on hold")],
            MODEL,
        )
        planner.relieve()
        assert set(planner.moves) == {"s0"}
        assert {one.slug: one.why for one in planner.stuck} == {
            "s1": "no other node has room for it",
            "s2": "on hold",
        }

    def test_the_only_database_node_keeps_them(self):
        planner = Planner([room("a", drains=True), room("b", db=False)], [space("s0")], MODEL)
        planner.relieve()
        assert planner.moves["s0"].db == "a"
        assert [one.why for one in planner.stuck] == ["no other node takes its database"]

    def test_a_database_that_cannot_move_is_said(self):
        rooms = [room("a", drains=True), room("b")]
        planner = Planner(rooms, [space("s0", "b", "a", obstacle="on hold")], MODEL)
        planner.relieve()
        assert (planner.moves, planner.stuck[0].why) == ({}, "on hold")


class TestANodeThatIsFilled:
    def test_until_none_is_fuller(self):
        planner = Planner([room("a"), room("b"), room("new")], spread({"a": 9, "b": 6}), MODEL)
        planner.fill("new")
        assert [planner.web.taken(name, "spaces") for name in ("a", "b", "new")] == [5, 5, 5]

    def test_not_beyond_its_room(self):
        rooms = [room("a", limits={"spaces": 9}), room("new", limits={"spaces": 1})]
        planner = Planner(rooms, spread({"a": 9}), MODEL)
        planner.fill("new")
        assert planner.moves == {}

    def test_spaces_that_cannot_move_stay(self):
        spaces = [space(f"s{n}", obstacle="on hold") for n in range(4)]
        planner = Planner([room("a"), room("new")], spaces, MODEL)
        planner.fill("new")
        assert planner.moves == {}


class TestASpaceThatIsSent:
    @pytest.mark.parametrize(
        ("changes", "target", "expected"),
        [
            ({}, "a", "it is on a already"),
            ({"obstacle": "on hold"}, "b", "on hold"),
            ({}, "b", "b has no room for it: spaces, GB promised"),
        ],
    )
    def test_and_cannot_go(self, changes: dict[str, t.Any], target: str, expected: str):
        rooms = [room("a"), room("b", limits={"spaces": 1, "storage_gb": 60})]
        planner = Planner(rooms, [space("s0", **changes), space("s1", "b")], MODEL)
        planner.send("s0", target)
        assert (planner.moves, [one.why for one in planner.stuck]) == ({}, [expected])

    def test_goes_where_it_was_sent_as_long_as_there_is_room(self):
        rooms = [room("a"), room("b", limits={"spaces": 1})]
        planner = Planner(rooms, [space("s0"), space("s1")], MODEL)
        planner.send("s0", "b")
        planner.send("s1", "b")
        assert (set(planner.moves), [one.slug for one in planner.stuck]) == ({"s0"}, ["s1"])


def spread(counts: dict[str, int]) -> list[Space]:
    return [space(f"s{node}{n}", node) for node, count in counts.items() for n in range(count)]


def test_only_some_spaces_are_looked_at():
    planner = Planner([room("a", drains=True), room("b")], spread({"a": 3}), MODEL)
    planner.relieve(["sa1"])
    assert set(planner.moves) == {"sa1"}


def test_the_same_comes_of_the_same_whatever_its_order():
    rooms = [room("a", drains=True), *(room(name, limits={"spaces": 40}) for name in "bcd")]
    spaces = [space(f"s{n}", "abcd"[n % 4], storage_gb=n % 7 + 1) for n in range(100)]
    assert relieved(rooms, spaces) == relieved(rooms, spaces[::-1])
    moved = relieved(rooms, spaces)
    places = {one.slug: moved.get(one.slug, (one.web, one.db)) for one in spaces}
    after = [one._replace(web=places[one.slug][0], db=places[one.slug][1]) for one in spaces]
    assert relieved(rooms, after) == {}, "what was done is not proposed again"


def test_ten_thousand_spaces_on_fifty_nodes_take_a_moment():
    """One node is emptied, one holds 80 too many, the limits of all are near."""
    limits = {"spaces": 230, "storage_gb": 230 * 45, "memory_mib": 9000, "used_gb": 2500}
    rooms = [room(f"n{n:02}", limits=limits) for n in range(50)]
    rooms[7] = room("n07", drains=True, limits={**limits, "spaces": 0})
    rooms[9] = room("n09", limits={**limits, "spaces": 120})
    spaces = [
        space(f"s{n:05}", f"n{n % 50:02}", storage_gb=20 + n % 41, used_gb=n % 13)
        for n in range(10_000)
    ]
    start = time.process_time()
    moves = relieved(rooms, spaces)
    assert len(moves) == 280
    assert time.process_time() - start < 3, "it takes a tenth of that"


class TestLoads:
    def test_the_largest_share_counts(self):
        loads = Loads({"a": {"spaces": 10, "storage_gb": 100}, "b": {"spaces": 10}})
        loads.fill([("a", {"spaces": 1, "storage_gb": 50}), ("b", {"spaces": 4})])
        assert (loads.share("a"), loads.share("b")) == (0.5, 0.4)
        assert loads.take() == "b"

    def test_a_small_one_fits_where_a_large_one_did_not(self):
        loads = Loads({"a": {"storage_gb": 100}, "b": {"storage_gb": 100}})
        loads.fill([("a", {"storage_gb": 90}), ("b", {"storage_gb": 95})])
        assert loads.take({"storage_gb": 20}) is None
        assert loads.take({"storage_gb": 10}) == "a"
        assert loads.take({"storage_gb": 5}) == "b"

    def test_what_leaves_makes_room(self):
        loads = Loads({"a": {"spaces": 1}})
        assert (loads.take(), loads.take()) == ("a", None)
        loads.remove("a")
        assert loads.take() == "a"

    def test_what_is_on_nodes_that_are_gone_counts_nowhere(self):
        loads = Loads({"a": {}})
        loads.fill([("gone", {"spaces": 5}), ("a", {"spaces": 1})])
        assert loads.share("a") == 1
