# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is added to the lock file, by one operator or by two at once."""

from __future__ import annotations

import os
import threading
import typing as t
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import RegistryError
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import (
    _lock_file,
    _lock_record,
    _placement,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._lock_record import (
    ConflictError,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._placement import (
    Lock,
    Place,
)
from tests.unit.plugins.plugin_utils._inventory.test_placement import ONE, lock


class TestMerge:
    KNOWN = lock(("a", 70_000, "node1", "node1"), next_id=70_005)
    NEW: t.ClassVar = {"b": Place(70_005, "node1", "node1")}

    def test_adds_and_raises_the_mark(self):
        merged = _lock_record.merge(self.KNOWN, "lab", self.NEW)
        assert merged.spaces == {**self.KNOWN.spaces, **self.NEW}
        assert merged.next_id == 70_006

    def test_is_done_once(self):
        merged = _lock_record.merge(self.KNOWN, "lab", self.NEW)
        assert _lock_record.merge(merged, "lab", self.NEW) == merged

    def test_takes_what_others_added_meanwhile(self):
        meanwhile = _lock_record.merge(self.KNOWN, "lab", {"z": Place(70_005, "node2", "node2")})
        pending = {"b": Place(70_006, "node1", "node1")}
        assert set(_lock_record.merge(meanwhile, "lab", pending).spaces) == {"a", "b", "z"}

    def test_a_placed_space_is_given_a_shard(self):
        pending = {"a": Place(70_000, "node1", "node1", {"onlyoffice": "onlyoffice1"})}
        merged = _lock_record.merge(self.KNOWN, "lab", pending)
        assert merged.spaces == pending
        assert merged.next_id == self.KNOWN.next_id
        other = {"a": Place(70_000, "node1", "node1", {"onlyoffice": "onlyoffice2"})}
        with pytest.raises(ConflictError, match="a is now served by onlyoffice1"):
            _lock_record.merge(merged, "lab", other)

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
            _lock_record.merge(self.KNOWN, environment, pending)


class TestMove:
    KNOWN = lock(("a", 70_000, "node1", "node1"), ("b", 70_001, "node1", "db1"))

    def test_changes_the_nodes_of_a_line_and_nothing_else(self):
        office = Place(70_000, "node1", "node1", {"onlyoffice": "onlyoffice1"})
        known = Lock("lab", 70_002, {**self.KNOWN.spaces, "a": office})
        change = _lock_record.Change(("node1", "node1"), "node2", "node2")
        assert _lock_record.move(known, {"a": change}) == {
            "a": Place(70_000, "node2", "node2", {"onlyoffice": "onlyoffice1"})
        }

    def test_is_done_once(self):
        change = _lock_record.Change(("node2", "db1"), "node1", "db1")
        assert _lock_record.move(self.KNOWN, {"b": change}) == {}

    def test_says_with_which_node_it_was_lost_until_it_is_restored(self):
        change = _lock_record.Change(("node1", "node1"), "node2", "node2", "node1")
        place = Place(70_000, "node2", "node2", lost="node1")
        assert _lock_record.move(self.KNOWN, {"a": change}) == {"a": place}
        known = Lock("lab", 70_002, {**self.KNOWN.spaces, "a": place})
        assert _lock_record.move(known, {"a": change}) == {}
        # What a new space is given meanwhile changes nothing of it.
        served = {"onlyoffice": "onlyoffice1"}
        merged = _lock_record.merge(known, "lab", {"a": Place(70_000, "node2", "node2", served)})
        assert merged.spaces["a"] == place._replace(office=served)
        assert _lock_record.find_unrecorded(merged, {"a": place._replace(office=served)}) == {}
        # Nor does another node for its database.
        promoted = _lock_record.Change(("node2", "node2"), "node2", "db1")
        assert _lock_record.move(known, {"a": promoted}) == {"a": place._replace(db="db1")}
        restored = _lock_record.Change(("node2", "node2"), "node2", "node2", "")
        assert _lock_record.move(known, {"a": restored}) == {"a": place._replace(lost="")}

    @pytest.mark.parametrize(
        ("slug", "before", "reason"),
        [
            ("a", ("node3", "node3"), "a is now on node1, its database on node1"),
            ("b", ("node1", "node1"), "b is now on node1, its database on db1"),
            ("c", ("node1", "node1"), "c is not in it any more"),
        ],
    )
    def test_refuses_what_has_changed_meanwhile(
        self, slug: str, before: tuple[str, str], reason: str
    ):
        change = _lock_record.Change(before, "node2", "node2")
        with pytest.raises(ConflictError, match=reason):
            _lock_record.move(self.KNOWN, {slug: change})


class TestRecord:
    NEW: t.ClassVar = {"b": Place(70_000, "node1", "node1")}
    EMPTY = _lock_file.dump_lock(Lock("lab"))

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        (tmp_path / "placement.yml").write_text(self.EMPTY, encoding="utf-8")
        return tmp_path / "placement.yml"

    def test_writes_and_then_changes_nothing(self, path: Path):
        first = _lock_record.record(path, "lab", self.NEW, write=True)
        assert (first.before, first.new) == (self.EMPTY, self.NEW)
        assert path.read_text(encoding="utf-8") == first.after
        stamp = path.stat().st_mtime_ns
        second = _lock_record.record(path, "lab", self.NEW, write=True)
        assert (second.new, second.before) == ({}, second.after)
        assert path.stat().st_mtime_ns == stamp

    def test_a_space_that_moves_and_is_given_a_shard_keeps_both(self, path: Path):
        _lock_record.record(path, "lab", {"a": Place(70_000, "node1", "node1")}, write=True)
        served = {"a": Place(70_000, "node1", "node1", {"onlyoffice": "onlyoffice1"})}
        change = {"a": _lock_record.Change(("node1", "node1"), "node2", "node2")}
        done = _lock_record.record(path, "lab", served, change, write=True)
        assert set(done.moved) == {"a"}
        assert _lock_file.read_lock(path).spaces["a"] == Place(
            70_000, "node2", "node2", {"onlyoffice": "onlyoffice1"}
        )

    def test_check_mode_writes_nothing_and_says_the_same(self, path: Path):
        would = _lock_record.record(path, "lab", self.NEW, write=False)
        assert path.read_text(encoding="utf-8") == self.EMPTY
        assert would == _lock_record.record(path, "lab", self.NEW, write=True)

    def test_leaves_no_other_file_and_keeps_the_mode(self, path: Path):
        _lock_record.record(path, "lab", {}, write=True)
        path.write_text(_lock_file.dump_lock(Lock("lab")), encoding="utf-8")
        path.chmod(0o640)
        _lock_record.record(path, "lab", self.NEW, write=True)
        assert [entry.name for entry in path.parent.iterdir()] == ["placement.yml"]
        assert path.stat().st_mode & 0o777 == 0o640

    def test_a_failed_write_leaves_the_old_file(self, path: Path, monkeypatch: pytest.MonkeyPatch):
        old = _lock_record.record(path, "lab", self.NEW, write=True).after

        def full(_descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            _lock_record.record(path, "lab", {"c": Place(70_001, "n", "n")}, write=True)
        assert [entry.name for entry in path.parent.iterdir()] == ["placement.yml"]
        assert path.read_text(encoding="utf-8") == old

    def test_an_empty_file_is_not_taken_for_a_new_one(self, path: Path):
        """Ids would be given again."""
        path.write_text("", encoding="utf-8")
        with pytest.raises(RegistryError, match="next_id: missing"):
            _lock_record.record(path, "lab", self.NEW, write=True)

    def test_a_file_that_was_lost_meanwhile_is_not_made_anew(self, path: Path):
        path.unlink()
        with pytest.raises(RegistryError, match="missing; it remembers"):
            _lock_record.record(path, "lab", self.NEW, write=True)
        assert not path.exists()

    def test_two_operators_at_once_lose_nothing(self, path: Path):
        outcomes: list[str] = []

        def run(slug: str) -> None:
            try:
                plan = _placement.plan(_lock_file.read_lock(path), [slug], ONE, ONE)
                _lock_record.record(path, "lab", plan, write=True)
                outcomes.append(slug)
            except ConflictError:
                pass  # the other one was faster: running again plans anew

        threads = [threading.Thread(target=run, args=(f"s{number}",)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        recorded = _lock_file.read_lock(path).spaces
        assert set(recorded) == set(outcomes) != set()
