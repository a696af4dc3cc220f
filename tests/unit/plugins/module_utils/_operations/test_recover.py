# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Spaces of a lost node: claimed, restored, opened; killed anywhere they are never made empty."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _config, _journal
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _backup_record,
    _recover,
    _restic,
    _restore_steps,
)
from tests.unit.plugins.module_utils.machine import machine
from tests.unit.plugins.module_utils.restoring import (
    ID,
    PHP,
    UNITS,
    Killed,
    Lab,
    failing,
    keeps,
    lab,
    put_back,
    restore,
    restored,
    settled,
)

__all__ = ["lab", "machine"]

LOST = "node0"


@pytest.fixture
def empty(lab: Lab) -> Lab:
    """A node that has nothing of the space yet."""
    again(lab)
    return lab


def again(lab: Lab) -> None:
    """Make the beginning anew."""
    for folder in (Path(lab.settings.root), lab.tmp / "life", lab.tmp / "still", lab.tmp / "work"):
        shutil.rmtree(folder, ignore_errors=True)
    lab.databases.clear()
    lab.machine.lab.joinpath("proc").mkdir(exist_ok=True)
    Path(lab.settings.root).mkdir()


def item(lab: Lab, *, stays: bool = False) -> _recover.Item:
    return _recover.Item("amap", "node1", "node2" if lab.distant else "node1", stays)


def claim(lab: Lab, **words: bool) -> _backup.Outcome:
    return _recover.claim(lab.settings, [item(lab, **words)], LOST)


def run(lab: Lab, **words: bool) -> _backup.Outcome:
    """Do what the playbook does: the role makes what is missing, then it is restored."""
    lab.role()
    return _recover.run(lab.settings, [item(lab, **words)], LOST, 2)


def is_safe(lab: Lab) -> bool:
    """Tell whether no run would make an empty space: there is a journal, or it is restored."""
    return bool(_journal.under_way("amap")) or _backup.is_space(lab.settings, "amap")


def test_claimed_restored_and_opened(empty: Lab):
    lab = empty
    assert claim(lab).done == {"amap": {"claimed": ID}}
    place = {"web": "node1", "db": item(lab).db}
    (found,) = _recover.claims(lab.settings, LOST).values()
    assert (found["step"], found["place"]) == ("fetch", place)
    assert _recover.claims(lab.settings, "node7") == {}
    # Not a second time.
    assert claim(lab).done == {}
    (done,) = run(lab).done["amap"]["restored"]
    assert "restored from backup 55555555" in done
    restored(lab)
    settled(lab)
    # There was nothing before, where the database is new as well.
    assert keeps(lab) is lab.distant
    (found,) = _recover.claims(lab.settings, LOST).values()
    assert (found["step"], found["place"]) == ("open", place)
    assert run(lab).done == {"amap": {"restored": ["restored before, and not opened yet"]}}
    assert _recover.opened(lab.settings, [item(lab)]).done == {"amap": {"opened": True}}
    assert _recover.claims(lab.settings, LOST) == {}
    assert _recover.opened(lab.settings, [item(lab)]).done == {}
    # Whatever the lost node backs up when it comes back is of a copy from before.
    assert list(_backup_record.stale(lab.settings.work, "amap")) == [LOST]
    assert list(_backup_record.read(lab.settings.work)["amap"]) == [_backup_record.STALE]


def test_killed_at_each_change_it_goes_on(empty: Lab):
    lab, number, ended = empty, 0, False
    while not ended:
        again(lab)
        claim(lab)
        lab.left = number
        try:
            run(lab)
            ended = True
        except Killed:
            lab.left = -1
            number += 1
            assert is_safe(lab)
            # Found by the next run, whoever starts it from wherever.
            assert list(_recover.claims(lab.settings, LOST)) == ["amap"]
            assert run(lab).failed == {}
        lab.left = -1
        restored(lab)
        assert list(_recover.claims(lab.settings, LOST)) == ["amap"]
        assert _journal.read("amap") is None
    assert number >= 8


@pytest.mark.parametrize("step", list(_restore_steps.STEPS))
def test_what_fails_stays_claimed_and_goes_on(empty: Lab, monkeypatch, step: str):
    lab = empty
    claim(lab)
    monkeypatch.setitem(_restore_steps.STEPS, step, failing(_restore_steps.STEPS[step]))
    assert run(lab).failed == {"amap": "the disk is gone"}
    said = _journal.under_way("amap")
    assert f"playbooks/recover.yml -e lost={LOST} -e confirm={LOST}" in said
    assert "playbooks/restore.yml -e only=amap -e confirm=amap" in said
    assert list(_recover.claims(lab.settings, LOST)) == ["amap"]
    assert run(lab).failed == {}
    restored(lab)
    settled(lab)


def test_a_claim_is_taken_up_by_hand_or_given_up(empty: Lab):
    lab = empty
    claim(lab)
    lab.role()
    (said,) = put_back(lab)
    assert "it had not touched the space yet" in said
    assert _recover.claims(lab.settings, LOST) == {}
    assert "it is not claimed for this node" in run(lab).failed["amap"]
    claim(lab)
    lab.role()
    restore(lab)
    restored(lab)
    settled(lab)


def test_an_installation_is_not_replaced(lab: Lab):
    """From before a move, or made by hand: somebody has to look."""
    (why,) = claim(lab).failed.values()
    assert "holds an installation of it already, which would be replaced" in why
    assert _journal.read("amap") is None
    assert lab.state(lab.home) == "old"


def test_where_only_its_database_was_lost_what_is_there_is_kept(lab: Lab):
    lab.databases.clear()
    assert claim(lab, stays=True).failed == {}
    assert run(lab, stays=True).failed == {}
    restored(lab)
    settled(lab)
    assert lab.state(lab.previous) == "old"
    assert keeps(lab)


def test_what_is_under_way_here_is_not_claimed(empty: Lab):
    _journal.write("amap", {"verb": "purge", "step": "drop"})
    (why,) = claim(empty).failed.values()
    assert "a purge of it was interrupted" in why


def test_a_space_without_a_backup_is_not_claimed(empty: Lab, monkeypatch):
    def none(*_: object) -> None:
        raise _restic.ResticError("there is no backup of amap in the repository")

    monkeypatch.setattr(_restic, "choose", none)
    assert claim(empty).failed == {"amap": "there is no backup of amap in the repository"}
    assert _recover.claims(empty.settings, LOST) == {}


def test_a_repository_that_does_not_open_is_said_once(empty: Lab, monkeypatch):
    def closed(*_: object) -> None:
        raise _restic.ResticError("it was made with another key")

    claim(empty)
    monkeypatch.setattr(_restic, "check_reachable", closed)
    with pytest.raises(_restic.ResticError, match="another key"):
        run(empty)
    assert list(_recover.claims(empty.settings, LOST)) == ["amap"]


def test_a_journal_that_nobody_understands_is_not_taken_for_a_claim(empty: Lab):
    claim(empty)
    folder = Path(_journal.path_of("amap")).parent
    (folder / "velo.json").write_text("{")
    (folder / "chorale.json.new").write_text("{}")
    (folder / "Not-A-Slug.json").write_text("{}")
    _journal.write("cine", {"verb": "restore", "step": "load"})
    assert list(_recover.claims(empty.settings, LOST)) == ["amap"]


def test_the_last_backup_of_each_space(lab: Lab):
    found = _recover.last_backups(lab.settings)
    assert found == {
        "amap": {
            "snapshot": ID,
            "at": "2026-05-30T00:00:00+00:00",
            "host": "node1",
            "bytes": None,
        }
    }


class TestBack:
    def test_what_lives_elsewhere_is_held_down_and_nothing_is_deleted(self, lab: Lab):
        homes = {"amap": "node2", "velo": "node3"}
        assert _recover.fence(lab.settings, homes).done == {"amap": {"fenced": "node2"}}
        assert lab.machine.running() == set()
        assert (lab.tmp / "still/amap").exists()
        assert lab.state(lab.home) == "old"
        # Backups, upgrades and runs leave it alone.
        assert "it lives on node2 since this node was lost" in _journal.under_way("amap")
        with pytest.raises(_backup.BackupError, match="it lives on node2"):
            _backup.back_up(lab.settings, "amap")
        assert _recover.fence(lab.settings, homes).done == {}

    def test_what_was_under_way_is_not_gone_on_with(self, lab: Lab):
        before = {"verb": "upgrade", "step": "migrate", "to": "34"}
        _journal.write("amap", before)
        _recover.fence(lab.settings, {"amap": "node2"})
        journal = _journal.read("amap") or {}
        assert (journal["verb"], journal["before"]) == ("fenced", before)

    def test_what_does_not_stop_is_named_and_held_down_all_the_same(self, lab: Lab):
        lab.machine.refuse(PHP)
        (why,) = _recover.fence(lab.settings, {"amap": "node2"}).failed.values()
        assert PHP in why
        assert (lab.tmp / "still/amap").exists()
        assert "it lives on node2" in _journal.under_way("amap")
        lab.machine.obey()
        # It is not new; it is stopped.
        assert _recover.fence(lab.settings, {"amap": "node2"}).failed == {}
        assert lab.machine.running().isdisjoint(UNITS)

    def test_it_is_not_claimed_again_by_accident(self, lab: Lab):
        _recover.fence(lab.settings, {"amap": "node2"})
        (why,) = claim(lab).failed.values()
        assert "what is here is from before" in why


def test_sync_clients_are_told_that_they_meet_an_older_state(lab: Lab):
    config = lab.backup / "files/config/config.php"
    text = "<?php\n$CONFIG = array (\n  'installed' => true,\n  'mark' => 'new',\n);\n"
    config.write_text(text)
    restore(lab)
    found = (lab.home / "config/config.php").read_text()
    mark = _config.text_of(found, "data-fingerprint")
    assert len(mark) == 32
    assert _config.without(found, {"data-fingerprint"}) == text
