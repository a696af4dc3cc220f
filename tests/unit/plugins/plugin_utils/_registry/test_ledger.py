# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The ledger: what it takes, and what it notices."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import RegistryError
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _ledger
from tests.unit.environment import Environment

KEY = "k" * 32
CINE = {"slug": "cine", "id": 70001, "at": "2026-01-02T03:04:05Z"}
AMAP = {"slug": "amap", "id": 70002, "at": "2026-01-03T03:04:05Z"}


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    path = tmp_path / _ledger.NAME
    assert _ledger.append(path, KEY, CINE)
    assert _ledger.append(path, KEY, AMAP)
    return path


def wrong(path: Path, key: str = KEY) -> list[int | None]:
    return [
        problem.line for problem in _ledger.check_signatures(_ledger.read(path), key, str(path))
    ]


def test_what_is_written_is_read(ledger: Path):
    assert [line.entry for line in _ledger.read(ledger)] == [CINE, AMAP]
    assert wrong(ledger) == []
    assert _ledger.list_purged(_ledger.read(ledger)) == {"cine": CINE["at"], "amap": AMAP["at"]}


def test_a_space_is_written_once(ledger: Path):
    before = ledger.read_text()
    assert not _ledger.append(ledger, KEY, {**CINE, "at": "later"})
    assert ledger.read_text() == before


def test_the_same_slug_with_another_id_is_another_space(ledger: Path):
    assert _ledger.append(ledger, KEY, {**CINE, "id": 70009})


def test_a_changed_line_is_noticed(ledger: Path):
    ledger.write_text(ledger.read_text().replace("70001", "70007"))
    assert wrong(ledger) == [1]
    with pytest.raises(RegistryError, match=r"ledger.txt:1: the signature is wrong"):
        _ledger.append(ledger, KEY, {**CINE, "id": 70010})


def test_a_removed_line_is_noticed(ledger: Path):
    ledger.write_text(ledger.read_text().splitlines()[1] + "\n")
    assert wrong(ledger) == [1]


def test_another_key_is_noticed(ledger: Path):
    assert wrong(ledger, "x" * 32) == [1, 2]


def test_half_a_line_of_an_interrupted_run_is_written_anew(ledger: Path):
    whole = ledger.read_text()
    ledger.write_text(whole + '{"slug": "qu')
    assert _ledger.append(ledger, KEY, {**AMAP, "slug": "quai", "id": 70003})
    assert [line.entry["slug"] for line in _ledger.read(ledger)] == ["cine", "amap", "quai"]
    assert wrong(ledger) == []


@pytest.mark.parametrize("left", ['{"slug": "qu', '{"slug": "quai", "id": 1} hmac-sha256:0a1b'])
def test_half_a_line_does_not_stop_the_next_run(ledger: Path, left: str):
    ledger.write_text(ledger.read_text() + left)
    assert [line.entry for line in _ledger.read(ledger)] == [CINE, AMAP]


def test_a_line_whose_break_was_lost_is_kept(ledger: Path):
    """As an editor leaves it: the purge is recorded all the same."""
    ledger.write_text(ledger.read_text().removesuffix("\n"))
    assert _ledger.append(ledger, KEY, {**AMAP, "slug": "quai", "id": 70003})
    assert [line.entry["slug"] for line in _ledger.read(ledger)] == ["cine", "amap", "quai"]
    assert wrong(ledger) == []


def test_a_changed_last_line_without_its_break_is_noticed(ledger: Path):
    ledger.write_text(ledger.read_text().replace("70002", "70009").removesuffix("\n"))
    with pytest.raises(RegistryError, match=r"ledger.txt:2: the signature is wrong"):
        _ledger.append(ledger, KEY, {**CINE, "id": 70010})


def test_check_mode_says_what_would_be_written(ledger: Path):
    before = ledger.read_text()
    assert not _ledger.append(ledger, KEY, CINE, write=False)
    assert _ledger.append(ledger, KEY, {**CINE, "id": 70010}, write=False)
    assert _ledger.append(ledger.with_name("new.txt"), KEY, CINE, write=False)
    assert ledger.read_text() == before
    assert not ledger.with_name("new.txt").exists()


def test_what_is_no_line_is_refused(tmp_path: Path):
    path = tmp_path / _ledger.NAME
    path.write_text(json.dumps({"slug": "cine"}) + "\n")
    with pytest.raises(RegistryError, match=r"ledger.txt:1: not a line of the ledger"):
        _ledger.read(path)


class TestInventory:
    def test_a_purged_space_is_only_remembered(self, environment: Environment):
        environment.space("cine", status="closed", closed_on="2024-06-01", domains=["a.example"])
        environment.space("quai", domains=["a.example"])
        assert _ledger.append(environment.home / _ledger.NAME, KEY, CINE)
        inventory = environment.load()
        assert environment.problems() == []
        entries = inventory.get_host("node1").vars["archipel_spaces"]
        assert [entry["slug"] for entry in entries] == ["quai", "velo-ecole"]
        report = inventory.groups["nodes"].vars["archipel_report"]
        assert (report["closed"], report["purged"]) == ([], ["cine"])

    def test_a_space_may_come_back_as_a_new_one(self, environment: Environment):
        environment.space("cine")
        environment.placement(next_id=70002)
        assert _ledger.append(environment.home / _ledger.NAME, KEY, CINE)
        entries = environment.load().get_host("node1").vars["archipel_spaces"]
        assert {entry["slug"]: entry["id"] for entry in entries}["cine"] == 70002

    def test_a_ledger_that_is_none_is_refused(self, environment: Environment):
        environment.write(_ledger.NAME, "cine\n")
        assert environment.problems() == [
            "ledger.txt:1: not a line of the ledger; nobody writes there by hand: take the file's "
            "last version from git"
        ]
