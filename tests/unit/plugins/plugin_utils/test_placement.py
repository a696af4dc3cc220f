# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where spaces live: the planner as a table, the lock file, and what must always hold."""

from __future__ import annotations

import os
import random
import subprocess
import threading
import typing as t
from collections import Counter
from pathlib import Path

import pytest
import yaml

from ansible_collections.archipel.spaces.plugins.module_utils._spaces import IDS
from ansible_collections.archipel.spaces.plugins.plugin_utils import _placement
from ansible_collections.archipel.spaces.plugins.plugin_utils._placement import (
    ConflictError,
    Lock,
    Node,
    NoIdError,
    NoRoomError,
    Place,
    Shard,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._problem import RegistryError

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
            id="one machine, in the order of the slugs",
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
            id="what is placed stays, the emptier machine takes the new one",
        ),
        pytest.param(
            lock(("a", 70_000, "node1", "node1"), ("b", 70_001, "node1", "node1")),
            ["a", "b", "c", "d"],
            [Node("new"), Node("node1")],
            [Node("new"), Node("node1")],
            {"c": (70_002, "new", "new"), "d": (70_003, "new", "new")},
            id="a new machine moves nothing and fills up",
        ),
        pytest.param(
            Lock(),
            ["a", "b"],
            [Node("web1"), Node("web2")],
            [Node("db1")],
            {"a": (70_000, "web1", "db1"), "b": (70_001, "web2", "db1")},
            id="databases on a machine of their own",
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
            id="a placement on a machine that is gone is no reason to move",
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


def test_a_machine_that_is_to_take_none_keeps_what_it_has():
    leaving = [Node("old", 0), Node("new", 9)]
    known = lock(("a", 70_000, "old", "old"))
    assert _placement.plan(known, ["a", "b"], leaving, ONE)["b"].web == "new"
    assert "a" not in _placement.plan(known, ["a", "b"], leaving, ONE)


def test_a_full_machine_takes_nothing_more():
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
    """Spaces come and go in any order, machines are added; every step is recorded."""
    dice = random.Random(seed)
    known, machines, alive = Lock(), [Node("node0")], set[str]()
    owners: dict[int, str] = {}
    for step in range(30):
        if dice.random() < 0.2:
            machines.append(Node(f"node{step}"))
        alive |= {f"s{step}-{n}" for n in range(dice.randrange(6))}
        alive -= set(dice.sample(sorted(alive), k=len(alive) // 10))
        before = dict(known.spaces)
        pending = _placement.plan(known, alive, machines, machines)
        assert pending == _placement.plan(known, sorted(alive), machines, machines)
        known = _placement.merge(known, "lab", pending)
        assert {slug: known.spaces[slug] for slug in before} == before
        for slug, place in pending.items():
            assert owners.setdefault(place.id, slug) == slug
        purged = dice.sample(sorted(known.spaces), k=len(known.spaces) // 8)
        left = {slug: place for slug, place in known.spaces.items() if slug not in purged}
        known = Lock("lab", known.next_id, left)
        alive -= set(purged)
        assert _placement.parse_lock(_placement.dump_lock(known), "x") == known


def test_new_spaces_are_spread_evenly():
    machines = [Node(f"node{number}") for number in range(7)]
    placed = _placement.plan(Lock(), [f"s{number}" for number in range(700)], machines, machines)
    assert set(Counter(place.web for place in placed.values()).values()) == {100}
    assert all(place.web == place.db for place in placed.values())


class TestLockFile:
    LOCK = lock(("b", 70_001, "node2", "node1"), ("a", 70_000, "node1", "node1"))
    TEXT = _placement.dump_lock(LOCK)

    def test_has_one_line_per_space_in_order(self):
        assert self.TEXT.splitlines()[-5:] == [
            "environment: lab",
            "next_id: 70002",
            "spaces:",
            "  a: {id: 70000, web: node1, db: node1}",
            "  b: {id: 70001, web: node2, db: node1}",
        ]

    def test_is_yaml_that_says_the_same(self):
        assert yaml.safe_load(self.TEXT) == {
            "environment": "lab",
            "next_id": 70_002,
            "spaces": {
                slug: {"id": place.id, "web": place.web, "db": place.db}
                for slug, place in self.LOCK.spaces.items()
            },
        }

    @pytest.mark.parametrize(
        "text",
        [
            TEXT,
            "environment: lab\nnext_id: 70002\nspaces:\n  a:\n    id: 70000\n    web: node1\n"
            "    db: node1\n  b: {db: node1, web: node2, id: 70001}  # by hand\n",
        ],
        ids=["as written", "as YAML of somebody else"],
    )
    def test_is_read_back(self, text: str):
        assert _placement.parse_lock(text, "placement.yml") == self.LOCK

    def test_survives_machines_with_odd_names(self):
        odd = lock(("a", 70_000, "fe80::1", "no"), ("b", 70_001, "10.0.0.7", "été"))
        text = _placement.dump_lock(odd)
        assert _placement.parse_lock(text, "x") == odd
        assert yaml.safe_load(text)["spaces"]["a"] == {"id": 70_000, "web": "fe80::1", "db": "no"}

    def test_an_empty_lock_is_read_back(self):
        empty = Lock("lab", 70_007)
        assert _placement.parse_lock(_placement.dump_lock(empty), "x") == empty

    def test_a_lost_file_is_no_empty_lock(self, tmp_path: Path):
        with pytest.raises(RegistryError) as caught:
            _placement.read_lock(tmp_path / "placement.yml")
        assert "placement.yml: missing; it remembers the machine and the number" in str(
            caught.value
        )
        assert "git checkout -- " in str(caught.value)

    @pytest.mark.parametrize(
        ("old", "new", "expected"),
        [
            ("  b:", "<<<<<<< HEAD\n  b:", "8: found a merge conflict"),
            ("  b:", "=======\n  b:", "8: found a merge conflict"),
            ("id: 70001", "id: 70000", "8: b: id 70000 is that of a on line 7 already"),
            ("  b: {id: 70001", "  a: {id: 70001", "the space is here twice (first on line 7)"),
            ("id: 70001", "id: 70009", "8: b: found id 70009; allowed: from 70000 and below"),
            ("id: 70001", "id: 999", "8: b: found id 999; allowed: from 70000"),
            ("next_id: 70002\n", "", "next_id: missing; set it above every id"),
            ("next_id: 70002", "next_id: 100001", "a whole number from 70000 to 100000"),
            ("next_id: 70002", "next_id: many", 'next_id: found "many"; allowed: a whole number'),
            ("environment: lab", "environment: [1]", 'environment: found "[1]"; allowed'),
            ("spaces:", "nodes: 1\nspaces:", "nodes: unknown key; allowed: environment"),
            ("web: node2, ", "", "8: b: found \"{'id': 70001, 'db': 'node1'}\"; allowed: {id"),
            (TEXT, "", "next_id: missing"),
            ("  b: {", "  ../etc: {", '8: found the slug "../etc"; allowed: the name'),
            ("  b: {", "  b-: {", '8: found the slug "b-"; allowed: the name'),
            (TEXT, "- a\n", "allowed: a mapping of environment"),
            (TEXT, "a: [\n", "1: not readable as YAML"),
        ],
    )
    def test_what_is_wrong_is_named_with_its_line(self, old: str, new: str, expected: str):
        with pytest.raises(RegistryError) as caught:
            _placement.parse_lock(self.TEXT.replace(old, new), "placement.yml")
        assert expected in str(caught.value)

    def test_a_file_that_is_not_text_is_refused(self, tmp_path: Path):
        path = tmp_path / "placement.yml"
        path.write_bytes(b"\xff\xfe")
        with pytest.raises(RegistryError, match="cannot be read"):
            _placement.read_lock(path)

    def test_git_merges_spaces_that_two_people_added(self, tmp_path: Path):
        """One line per space, in order: only next_id needs a human, and says so."""
        base = lock(*((f"s{n}", 70_000 + n, "node1", "node1") for n in range(9)))
        pending = _placement.plan(base, ["aa"], ONE, ONE), _placement.plan(base, ["zz"], ONE, ONE)
        ours, theirs = (_placement.merge(base, "lab", new) for new in pending)
        for name, content in (("ours", ours), ("base", base), ("theirs", theirs)):
            (tmp_path / name).write_text(_placement.dump_lock(content), encoding="utf-8")
        merge = ["git", "merge-file", "-p", "ours", "base", "theirs"]
        result = subprocess.run(merge, cwd=tmp_path, capture_output=True, text=True, check=False)
        # Both wrote the same next_id, so git sees no conflict: the id given twice is found by us.
        with pytest.raises(RegistryError, match="id 70009 is that of aa on line 7 already"):
            _placement.parse_lock(result.stdout, "placement.yml")


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
        known = _placement.merge(Lock(), "lab", first)
        assert _placement.plan(known, ["a", "b"], ONE, ONE, self.ONE[1:]) == {}
        later = _placement.plan(known, ["a", "b", "c"], ONE, ONE, self.TWO)
        assert [later[slug].office["onlyoffice"] for slug in "abc"] == ["o1", "o1", "o2"]
        assert {place.office["collabora"] for place in later.values()} == {"c1"}
        merged = _placement.merge(known, "lab", later)
        assert _placement.plan(merged, ["a", "b", "c"], ONE, ONE, self.TWO) == {}

    def test_the_file_says_them(self):
        known = _placement.merge(Lock(), "lab", _placement.plan(Lock(), ["a"], ONE, ONE, self.ONE))
        text = _placement.dump_lock(known)
        line = "  a: {id: 70000, web: node1, db: node1, office: {collabora: c1, onlyoffice: o1}}"
        assert line in text.splitlines()
        assert _placement.parse_lock(text, "x") == known
        assert _placement.parse_lock(text.replace("{id", "{  id"), "x") == known

    @pytest.mark.parametrize(
        "office",
        [
            "c1",
            "{collabora: 1}",
            "{collabora: C1}",
            "[c1]",
            # The longest name has 20 letters, as in the inventory.
            "{collabora: " + "c" * 21 + "}",
            "{collabora: c}",
            "{collabora: c1-}",
        ],
    )
    def test_what_is_no_shard_is_refused(self, office: str):
        text = f"next_id: 70001\nspaces:\n  a: {{id: 70000, web: n, db: n, office: {office}}}\n"
        with pytest.raises(RegistryError, match=r"office: \{suite: shard\}"):
            _placement.parse_lock(text, "x")

    def test_two_that_nothing_parts_are_refused(self):
        office = "{collabora: c1onlyoffice: o1}"
        text = f"next_id: 70001\nspaces:\n  a: {{id: 70000, web: n, db: n, office: {office}}}\n"
        with pytest.raises(RegistryError, match="x:3: not readable as YAML"):
            _placement.parse_lock(text, "x")


class TestMerge:
    KNOWN = lock(("a", 70_000, "node1", "node1"), next_id=70_005)
    NEW: t.ClassVar = {"b": Place(70_005, "node1", "node1")}

    def test_adds_and_raises_the_mark(self):
        merged = _placement.merge(self.KNOWN, "lab", self.NEW)
        assert merged.spaces == {**self.KNOWN.spaces, **self.NEW}
        assert merged.next_id == 70_006

    def test_is_done_once(self):
        merged = _placement.merge(self.KNOWN, "lab", self.NEW)
        assert _placement.merge(merged, "lab", self.NEW) == merged

    def test_takes_what_others_added_meanwhile(self):
        meanwhile = _placement.merge(self.KNOWN, "lab", {"z": Place(70_005, "node2", "node2")})
        pending = {"b": Place(70_006, "node1", "node1")}
        assert set(_placement.merge(meanwhile, "lab", pending).spaces) == {"a", "b", "z"}

    def test_a_placed_space_is_given_a_shard(self):
        pending = {"a": Place(70_000, "node1", "node1", {"onlyoffice": "onlyoffice1"})}
        merged = _placement.merge(self.KNOWN, "lab", pending)
        assert merged.spaces == pending
        assert merged.next_id == self.KNOWN.next_id
        other = {"a": Place(70_000, "node1", "node1", {"onlyoffice": "onlyoffice2"})}
        with pytest.raises(ConflictError, match="a is now served by onlyoffice1"):
            _placement.merge(merged, "lab", other)

    @pytest.mark.parametrize(
        ("pending", "environment", "reason"),
        [
            ({"a": Place(70_005, "node2", "node2")}, "lab", "a is now on node1"),
            ({"b": Place(70_000, "node1", "node1")}, "lab", "is now that of a"),
            ({"b": Place(70_003, "node1", "node1")}, "lab", "was given to another space before"),
            (NEW, "production", 'it belongs to the environment "lab"'),
        ],
    )
    def test_refuses_what_contradicts(
        self, pending: dict[str, Place], environment: str, reason: str
    ):
        with pytest.raises(ConflictError, match=reason):
            _placement.merge(self.KNOWN, environment, pending)


class TestRecord:
    NEW: t.ClassVar = {"b": Place(70_000, "node1", "node1")}
    EMPTY = _placement.dump_lock(Lock("lab"))

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        (tmp_path / "placement.yml").write_text(self.EMPTY, encoding="utf-8")
        return tmp_path / "placement.yml"

    def test_writes_and_then_changes_nothing(self, path: Path):
        first = _placement.record(path, "lab", self.NEW, write=True)
        assert (first.before, first.new) == (self.EMPTY, self.NEW)
        assert path.read_text(encoding="utf-8") == first.after
        stamp = path.stat().st_mtime_ns
        second = _placement.record(path, "lab", self.NEW, write=True)
        assert (second.new, second.before) == ({}, second.after)
        assert path.stat().st_mtime_ns == stamp

    def test_check_mode_writes_nothing_and_says_the_same(self, path: Path):
        would = _placement.record(path, "lab", self.NEW, write=False)
        assert path.read_text(encoding="utf-8") == self.EMPTY
        assert would == _placement.record(path, "lab", self.NEW, write=True)

    def test_leaves_no_other_file_and_keeps_the_mode(self, path: Path):
        _placement.record(path, "lab", {}, write=True)
        path.write_text(_placement.dump_lock(Lock("lab")), encoding="utf-8")
        path.chmod(0o640)
        _placement.record(path, "lab", self.NEW, write=True)
        assert [entry.name for entry in path.parent.iterdir()] == ["placement.yml"]
        assert path.stat().st_mode & 0o777 == 0o640

    def test_a_failed_write_leaves_the_old_file(self, path: Path, monkeypatch: pytest.MonkeyPatch):
        old = _placement.record(path, "lab", self.NEW, write=True).after

        def full(_descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            _placement.record(path, "lab", {"c": Place(70_001, "n", "n")}, write=True)
        assert [entry.name for entry in path.parent.iterdir()] == ["placement.yml"]
        assert path.read_text(encoding="utf-8") == old

    def test_an_empty_file_is_not_taken_for_a_new_one(self, path: Path):
        """Ids would be given again."""
        path.write_text("", encoding="utf-8")
        with pytest.raises(RegistryError, match="next_id: missing"):
            _placement.record(path, "lab", self.NEW, write=True)

    def test_a_file_that_was_lost_meanwhile_is_not_made_anew(self, path: Path):
        path.unlink()
        with pytest.raises(RegistryError, match="missing; it remembers"):
            _placement.record(path, "lab", self.NEW, write=True)
        assert not path.exists()

    def test_two_operators_at_once_lose_nothing(self, path: Path):
        outcomes: list[str] = []

        def run(slug: str) -> None:
            try:
                plan = _placement.plan(_placement.read_lock(path), [slug], ONE, ONE)
                _placement.record(path, "lab", plan, write=True)
                outcomes.append(slug)
            except ConflictError:
                pass  # the other one was faster: running again plans anew

        threads = [threading.Thread(target=run, args=(f"s{number}",)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        recorded = _placement.read_lock(path).spaces
        assert set(recorded) == set(outcomes) != set()
