# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The text of the lock file: read back, merged by git, and refused with its line."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import RegistryError
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import (
    _lock_file,
    _lock_record,
    _placement,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._placement import (
    Lock,
    Place,
    Shard,
)
from tests.unit.plugins.plugin_utils._inventory.test_placement import ONE, lock


class TestLockFile:
    LOCK = lock(("b", 70_001, "node2", "node1"), ("a", 70_000, "node1", "node1"))
    TEXT = _lock_file.dump_lock(LOCK)

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
        assert _lock_file.parse_lock(text, "placement.yml") == self.LOCK

    def test_says_with_which_node_a_space_was_lost(self):
        shards = {"onlyoffice": "o1"}
        places = {
            "a": Place(70_000, "w", "w", lost="no"),
            "b": Place(70_001, "w", "w", shards, "m"),
        }
        text = _lock_file.dump_lock(Lock("lab", 70_002, places))
        assert text.splitlines()[-2:] == [
            '  a: {id: 70000, web: w, db: w, lost: "no"}',
            "  b: {id: 70001, web: w, db: w, office: {onlyoffice: o1}, lost: m}",
        ]
        assert dict(_lock_file.parse_lock(text, "x").spaces) == places

    def test_a_node_is_named_by_a_text(self):
        text = "next_id: 70001\nspaces:\n  a: {id: 70000, web: n, db: n, lost: {}}\n"
        with pytest.raises(RegistryError, match=r"allowed: \{id: number"):
            _lock_file.parse_lock(text, "x")

    def test_survives_nodes_with_odd_names(self):
        odd = lock(("a", 70_000, "fe80::1", "no"), ("b", 70_001, "10.0.0.7", "été"))
        text = _lock_file.dump_lock(odd)
        assert _lock_file.parse_lock(text, "x") == odd
        assert yaml.safe_load(text)["spaces"]["a"] == {"id": 70_000, "web": "fe80::1", "db": "no"}

    def test_an_empty_lock_is_read_back(self):
        empty = Lock("lab", 70_007)
        assert _lock_file.parse_lock(_lock_file.dump_lock(empty), "x") == empty

    def test_a_lost_file_is_no_empty_lock(self, tmp_path: Path):
        with pytest.raises(RegistryError) as caught:
            _lock_file.read_lock(tmp_path / "placement.yml")
        assert "placement.yml: missing; it remembers the node and the number" in str(caught.value)
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
            _lock_file.parse_lock(self.TEXT.replace(old, new), "placement.yml")
        assert expected in str(caught.value)

    def test_a_head_that_is_there_twice_is_refused(self):
        """The lower of two marks would give an id of a purged space again."""
        text = self.TEXT.replace("next_id: 70002\n", "next_id: 70009\nnext_id: 70002\n")
        assert text != self.TEXT
        with pytest.raises(RegistryError, match=r'the key "next_id" is here twice'):
            _lock_file.parse_lock(text, "placement.yml")

    def test_a_file_that_is_not_text_is_refused(self, tmp_path: Path):
        path = tmp_path / "placement.yml"
        path.write_bytes(b"\xff\xfe")
        with pytest.raises(RegistryError, match="cannot be read"):
            _lock_file.read_lock(path)

    def test_git_merges_spaces_that_two_people_added(self, tmp_path: Path):
        """One line per space, in order: only next_id needs a human, and says so."""
        base = lock(*((f"s{n}", 70_000 + n, "node1", "node1") for n in range(9)))
        pending = _placement.plan(base, ["aa"], ONE, ONE), _placement.plan(base, ["zz"], ONE, ONE)
        ours, theirs = (_lock_record.merge(base, "lab", new) for new in pending)
        for name, content in (("ours", ours), ("base", base), ("theirs", theirs)):
            (tmp_path / name).write_text(_lock_file.dump_lock(content), encoding="utf-8")
        merge = ["git", "merge-file", "-p", "ours", "base", "theirs"]
        result = subprocess.run(merge, cwd=tmp_path, capture_output=True, text=True, check=False)
        # Both wrote the same next_id, so git sees no conflict: the id given twice is found by us.
        with pytest.raises(RegistryError, match="id 70009 is that of aa on line 7 already"):
            _lock_file.parse_lock(result.stdout, "placement.yml")


class TestShards:
    SHARDS: t.ClassVar = [Shard("c1", "collabora"), Shard("o1", "onlyoffice")]

    def test_the_file_says_them(self):
        known = _lock_record.merge(
            Lock(), "lab", _placement.plan(Lock(), ["a"], ONE, ONE, self.SHARDS)
        )
        text = _lock_file.dump_lock(known)
        line = "  a: {id: 70000, web: node1, db: node1, office: {collabora: c1, onlyoffice: o1}}"
        assert line in text.splitlines()
        assert _lock_file.parse_lock(text, "x") == known
        assert _lock_file.parse_lock(text.replace("{id", "{  id"), "x") == known

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
            _lock_file.parse_lock(text, "x")

    def test_two_that_nothing_parts_are_refused(self):
        office = "{collabora: c1onlyoffice: o1}"
        text = f"next_id: 70001\nspaces:\n  a: {{id: 70000, web: n, db: n, office: {office}}}\n"
        with pytest.raises(RegistryError, match="x:3: not readable as YAML"):
            _lock_file.parse_lock(text, "x")
