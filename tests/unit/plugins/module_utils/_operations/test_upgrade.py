# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The way of one space to another release and back, wherever it is cut short."""

from __future__ import annotations

import os

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _node, _occ, _probe
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _upgrade,
    _upgrade_check,
    _upgrade_flag,
    _upgrade_occ,
    _upgrade_record,
    _upgrade_release,
    _upgrade_steps,
    _workflow,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations._upgrade_job import (
    BACK,
    FORWARD,
    UNDO,
    UpgradeError,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations._upgrade_steps import (
    STEPS,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from ansible_collections.archipel.spaces.plugins.module_utils._system import _systemd
from tests.unit.plugins.module_utils.upgrading import (
    DECISION,
    ITEM,
    Killed,
    Ready,
    database,
    job,
    keep_point,
    lab,
    settings,
)

__all__ = ["database", "lab", "settings"]


def test_all_steps_in_their_order_and_no_journal_is_left(lab):
    assert lab.move() == ""
    assert lab.done == list(FORWARD)
    assert lab.journal() is None
    last = _upgrade_record.last_of(lab.settings, "amap")
    assert (last["result"], last["version"], last["run"]) == ("upgraded", "34.0.4.1", "r1")


@pytest.mark.parametrize("step", FORWARD)
@pytest.mark.parametrize(
    "error",
    [
        UpgradeError("no"),
        _probe.ProbeError("no"),
        _database.DatabaseError("no"),
        _systemd.SystemdError("no"),
        _node.InstallationError("no"),
        OSError("no"),
        ConnectionError("no"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_fails_wherever_leads_back(lab, step, error):
    lab.events[step] = error
    assert lab.move() == f"{step}: no"
    assert lab.done == [*FORWARD[: FORWARD.index(step) + 1], *BACK]
    assert lab.journal() is None
    assert _upgrade_record.last_of(lab.settings, "amap")["reason"] == f"{step}: no"


@pytest.mark.parametrize("step", FORWARD)
def test_a_run_that_was_killed_goes_on_at_the_same_step(lab, step):
    lab.events[step] = Killed()
    with pytest.raises(Killed):
        lab.move()
    assert lab.journal()["step"] == step
    lab.done.clear()
    assert lab.move() == ""
    assert lab.done == list(FORWARD[FORWARD.index(step) :])
    # An occ that the killed run left behind is ended first; a run that begins has none.
    assert bool(lab.ended) == (step != FORWARD[0])


@pytest.mark.parametrize("step", BACK)
def test_a_rollback_that_was_killed_goes_on_too(lab, step):
    lab.events |= {"upgrade": UpgradeError("broken"), step: Killed()}
    with pytest.raises(Killed):
        lab.move()
    lab.done.clear()
    # Nothing is upgraded by finishing the rollback.
    assert lab.move() == "upgrade: broken"
    assert lab.done == list(BACK[BACK.index(step) :])
    assert lab.journal() is None


@pytest.mark.parametrize("step", BACK)
def test_a_rollback_that_fails_is_said_loudly_and_taken_again(lab, step):
    lab.events |= {"upgrade": UpgradeError("broken"), step: OSError("disk")}
    reason = lab.move()
    assert "upgrade: broken" in reason
    assert f"ended at the step {step!r}: disk. IT IS CLOSED" in reason
    assert lab.journal()["step"] == step
    assert _upgrade_record.last_of(lab.settings, "amap")["result"] == "stuck"
    assert lab.move() == "upgrade: broken"
    assert lab.journal() is None


class Disk:
    """Fails once, after the last step; what was begun in it ends there."""

    def __init__(self, error):
        self.errors = [error]

    def __call__(self, *_arguments):
        return self

    def __enter__(self):
        return self

    def __exit__(self, kind, *_others):
        if kind is None and self.errors:
            raise self.errors.pop()


@pytest.mark.parametrize(
    ("events", "step", "release", "reason"),
    [
        ({}, "open", "34.0.4", ""),
        ({"check": UpgradeError("broken")}, "reopen", "33.0.9", "check: broken"),
    ],
)
def test_once_it_is_open_nothing_leads_back(lab, monkeypatch, events, step, release, reason):
    """What people stored since then would be lost."""
    lab.events |= events
    disk = Disk(OSError("disk"))
    monkeypatch.setitem(STEPS, "point", _upgrade_release.point)
    monkeypatch.setitem(STEPS, "return", _upgrade_steps.return_release)
    if reason:
        # The first end of the way is the failure's own.
        monkeypatch.setattr(_occ, "awake", lambda _slug: disk)
    else:
        monkeypatch.setattr(_occ, "awake", disk)
    said = lab.move()
    assert f"It is open, on release {release}; what only its way needed" in said
    assert said.startswith(reason)
    assert lab.journal()["step"] == step == lab.done[-1]
    assert lab.move() == reason
    assert lab.journal() is None
    assert "load" not in lab.done or reason


def test_a_run_that_was_killed_once_it_was_open_is_only_forgotten(settings, monkeypatch):
    """Hours later, with a database that does not answer: people have been working since."""
    forgotten = []
    monkeypatch.setattr(_upgrade_check, "forget", lambda _job: forgotten.append(True))
    one = job(settings, step="open", closed_at=0.0)
    os.makedirs(f"{one.folder}/point.new")
    _upgrade_flag.raise_flag(one)
    _upgrade_steps.open_up(one)
    assert (forgotten, os.listdir(settings.closed)) == ([True], [])
    monkeypatch.setattr(_upgrade_check, "forget", lambda _job: 1 / 0)
    monkeypatch.setattr(_upgrade_occ, "end_occ", lambda _job: None)
    one.save()
    assert _upgrade.move(settings, ITEM, DECISION) == ""
    assert _journal.read("amap") is None
    # The major is a new one: the repair that it leaves is noted while nobody gets in.
    assert sorted(os.listdir(one.folder)) == ["last.json", "point", "repair.json"]


@pytest.mark.parametrize("failed_at", ["check", "open"])
def test_a_rollback_that_was_killed_once_it_was_open_keeps_older_points(
    settings, monkeypatch, failed_at
):
    monkeypatch.setattr(_upgrade_check, "forget", lambda _job: 1 / 0)
    monkeypatch.setattr(_upgrade_occ, "end_occ", lambda _job: None)
    way = {"direction": "back", "step": "reopen", "failed_at": failed_at, "kept": False}
    one = job(settings, **way, reason="no")
    os.makedirs(f"{one.folder}/point")
    one.save()
    assert _upgrade.move(settings, ITEM, DECISION) == "no"
    assert os.listdir(one.folder) == ["point"]


def test_nobody_else_may_work_on_the_space(lab):
    with _journal.exclusive("life-amap"), pytest.raises(_journal.JournalError):
        lab.move()
    assert lab.done == []


def test_what_is_under_way_is_said_to_others(lab):
    lab.events["dump"] = Killed()
    with pytest.raises(Killed):
        lab.move()
    assert "playbooks/upgrade.yml -e release=34.0.4 -e only=amap" in _journal.under_way("amap")


@pytest.mark.parametrize("step", UNDO)
def test_going_back_on_demand_can_be_cut_short_anywhere(lab, step):
    assert lab.move() == ""
    keep_point(lab.settings)
    lab.done.clear()
    lab.events[step] = Killed()
    with pytest.raises(Killed):
        _upgrade.undo(lab.settings, ITEM)
    lab.done.clear()
    assert _upgrade.undo(lab.settings, ITEM) == ""
    assert lab.done == list(UNDO[UNDO.index(step) :])
    assert lab.journal() is None


@pytest.mark.parametrize("step", [*UNDO[: UNDO.index("load") + 1]])
def test_going_back_on_demand_leaves_a_space_alone_that_it_did_not_change(lab, monkeypatch, step):
    assert lab.move() == ""
    keep_point(lab.settings)
    opened = []
    monkeypatch.setattr(_upgrade_flag, "lower_flag", lambda job: opened.append(job.slug))
    lab.events[step] = OSError("full")
    said = f"the step {step!r} failed: full. The space is open, and as it was"
    assert _upgrade.undo(lab.settings, ITEM) == said
    assert (opened, lab.journal()) == (["amap"], None)


def test_going_back_on_demand_goes_on_once_the_database_was_touched(lab, monkeypatch):
    assert lab.move() == ""
    keep_point(lab.settings)

    def load(job):
        job.save(loading=True)
        raise OSError("full")

    monkeypatch.setitem(STEPS, "load", load)
    said = _upgrade.undo(lab.settings, ITEM)
    assert said.startswith("the step 'load' failed: full. IT IS CLOSED until this is mended and ")
    assert said.endswith("playbooks/rollback.yml is run again")
    assert lab.journal()["step"] == "load"


def test_a_server_that_does_not_tell_its_size_leaves_the_space_alone(lab, monkeypatch):
    def broken(*_arguments):
        raise _database.DatabaseError("gone")

    assert lab.move() == ""
    keep_point(lab.settings)
    monkeypatch.setattr(_database, "size", broken)
    assert _upgrade.undo(lab.settings, ITEM) == "gone. The space was not touched"
    assert lab.journal() is None


def test_a_rollback_cut_short_is_finished_by_its_own_playbook(lab):
    assert lab.move() == ""
    keep_point(lab.settings)
    lab.events["load"] = Killed()
    with pytest.raises(Killed):
        _upgrade.undo(lab.settings, ITEM)
    assert "playbooks/rollback.yml -e only=amap finishes it" in _journal.under_way("amap")


def test_without_room_for_the_present_database_nothing_is_touched(lab, monkeypatch):
    assert lab.move() == ""
    keep_point(lab.settings)
    lab.done.clear()
    monkeypatch.setattr(_database, "size", lambda *_: 1 << 60)
    assert "make room. The space was not touched" in _upgrade.undo(lab.settings, ITEM)
    assert (lab.done, lab.journal()) == ([], None)


def test_an_upgrade_that_was_cut_short_is_not_undone(lab):
    lab.events["dump"] = Killed()
    with pytest.raises(Killed):
        lab.move()
    assert "finishes it" in _upgrade.undo(lab.settings, ITEM)


@pytest.mark.parametrize("gone", [True, False])
def test_what_fails_after_the_point_was_kept_finds_it(settings, gone):
    one = job(settings, step="open")
    os.makedirs(f"{one.folder}/point")
    if not gone:
        os.makedirs(f"{one.folder}/point.new")
    _workflow.turn_back(_upgrade.workflow(), one, one.entry, OSError("disk"))
    assert one.point == f"{one.folder}/{'point' if gone else 'point.new'}"
    # An older point is never taken for one that was not written.
    assert job(settings, direction="back", failed_at="check").point.endswith("/point.new")


def test_what_has_started_is_dismissed_when_it_comes_to_no_upgrade(lab, monkeypatch):
    monkeypatch.setattr(_occ, "Ready", Ready)
    started = []

    def prepare(one):
        _upgrade_occ.get_ready(one)
        started.append(one.ready)
        raise UpgradeError("no")

    monkeypatch.setitem(STEPS, "prepare", prepare)
    assert lab.move() == "prepare: no"
    assert [ready.dismissed for ready in started] == [True]


@pytest.mark.parametrize(
    ("journal", "said"),
    [
        ({"verb": "restore", "step": "load"}, "playbooks/restore.yml -e only=amap"),
        (
            {"verb": "upgrade", "direction": "undo", "step": "load", "to": "34.0.4"},
            "playbooks/rollback.yml -e only=amap",
        ),
    ],
)
def test_what_failed_since_the_plan_was_made_is_left_alone(lab, journal, said):
    """A batch lasts minutes: a restore may have come to nothing meanwhile."""
    _journal.write("amap", journal)
    with pytest.raises(_journal.JournalError, match=said):
        lab.move()
    assert lab.done == []
    assert lab.journal() == journal


BEFORE = {
    "verb": "upgrade",
    "from": "33.0.9",
    "to": "34.0.4",
    "version": "33.0.9.1",
    "enabled": ["deck", "files"],
    "began": 1000.0,
    "run": "r0",
    "probe": None,
    "key": "a" * 32,
}


@pytest.mark.parametrize("step", [*FORWARD, *BACK])
def test_an_upgrade_that_the_code_of_before_began_is_finished(lab, step):
    """As it wrote journals: reasons were called so, and what was applied."""
    way = {"direction": "forward", "step": step, "told": True}
    if step in BACK:
        failed = {"failed_at": "apply", "why": "apply: no", "kept": False}
        way = {"direction": "back", "step": step, **failed}
    _journal.write("amap", {**BEFORE, **way})
    assert lab.move() == ("apply: no" if step in BACK else "")
    names = BACK if step in BACK else FORWARD
    assert lab.done == list(names[names.index(step) :])
    assert lab.journal() is None


@pytest.mark.parametrize("step", UNDO)
def test_a_rollback_that_the_code_of_before_began_is_finished(lab, step):
    _journal.write("amap", {**BEFORE, "direction": "undo", "step": step})
    assert _upgrade.undo(lab.settings, ITEM) == ""
    assert lab.done == list(UNDO[UNDO.index(step) :])
    assert lab.journal() is None


@pytest.mark.parametrize("direction", ["forward", "undo"])
def test_a_step_that_only_a_newer_version_knows_is_said(lab, direction):
    journal = {**BEFORE, "direction": direction, "step": "teleport"}
    _journal.write("amap", journal)
    act = lab.move if direction == "forward" else lambda: _upgrade.undo(lab.settings, ITEM)
    with pytest.raises(_journal.JournalError, match="'teleport' of a upgrade was begun"):
        act()
    assert (lab.done, lab.journal()) == ([], journal)
