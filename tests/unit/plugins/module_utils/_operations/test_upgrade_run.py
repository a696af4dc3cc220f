# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Many spaces of a node in one batch, and a budget of failures."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import Report
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _upgrade,
    _upgrade_facts,
    _upgrade_plan,
    _upgrade_record,
    _upgrade_run,
    _upgrade_tidy,
)
from ansible_collections.archipel.spaces.plugins.module_utils._system import _systemd
from tests.unit.plugins.module_utils.upgrading import ITEM, job, keep_point, settings

__all__ = ["settings"]


def items(number):
    return [{**ITEM, "space": f"s{index:02}"} for index in range(number)]


def moved(settings, monkeypatch, todo, budget, *, broken=(), seconds=60.0, parallel=1):
    decision = _upgrade_plan.Decision("upgrade", "", "33.0.9", "33.0.9.1")
    monkeypatch.setattr(
        _upgrade, "move", lambda _s, item, _v: "broken" if item["space"] in broken else ""
    )
    pairs = [(item, decision) for item in todo]
    return _upgrade_run.move_all(settings, pairs, _upgrade_run.Budget(budget), parallel, seconds)


def test_what_was_never_begun_is_not_said_to_be_stuck(settings):
    """A backup holds it: nothing was written of it, and it is open."""
    report = Report()
    decision = _upgrade_plan.Decision("upgrade")
    held = "somebody else is at work on it"
    _upgrade_run.note(settings, report, [(ITEM, decision)], [held])
    assert report.facts["ends"] == {"amap": "not begun"}


def test_no_further_space_is_begun_once_the_budget_is_exhausted(settings, monkeypatch):
    found = moved(settings, monkeypatch, items(6), 1, broken={"s01", "s03"})
    assert found == ["", "broken", "", "broken", None, None]


def test_a_budget_of_none_stops_at_the_first_failure(settings, monkeypatch):
    assert moved(settings, monkeypatch, items(3), 0, broken={"s00"}) == ["broken", None, None]


def test_a_batch_ends_and_the_rest_is_left(settings, monkeypatch):
    assert moved(settings, monkeypatch, items(3), 0, seconds=-1.0) == [None, None, None]


def test_so_many_at_the_same_time_and_no_more(settings, monkeypatch):
    now, most, guard = 0, 0, threading.Lock()

    def slow(*_):
        nonlocal now, most
        with guard:
            now, most = now + 1, max(most, now + 1)
        time.sleep(0.02)
        with guard:
            now -= 1
        return ""

    monkeypatch.setattr(_upgrade_run, "attempt", slow)
    decision = _upgrade_plan.Decision("upgrade")
    pairs = [(item, decision) for item in items(9)]
    _upgrade_run.move_all(settings, pairs, _upgrade_run.Budget(0), 3, 60)
    assert most == 3


def test_a_node_that_cannot_close_spaces_says_so(settings, tmp_path):
    snippet = tmp_path / "snippet.conf"
    assert "playbooks/site.yml" in _upgrade_run.flag_problem(settings, str(snippet))
    snippet.write_text("location / {}\n")
    assert "playbooks/site.yml" in _upgrade_run.flag_problem(settings, str(snippet))
    snippet.write_text(f"if (-f {settings.closed}/$archipel_space) {{\n")
    assert _upgrade_run.flag_problem(settings, str(snippet)) == ""


@pytest.mark.parametrize("text", ["", "{", "[]", '{"release": "33.0.9"}'])
def test_a_restore_point_that_is_damaged_is_one_space_s_own_matter(settings, text):
    """Neither a rollback of others ends for it, nor the tidying up of the whole node."""
    keep_point(settings)
    with open(f"{settings.work}/amap/point/point.json", "w", encoding="utf-8") as file:
        file.write(text)
    for report in (
        _upgrade_run.undo_all(settings, [ITEM], 1),
        _upgrade_run.preview_undo(settings, [ITEM]),
    ):
        assert (
            "point.json is damaged: there is no going back"
            in report.result()["failed_spaces"]["amap"]
        )
    assert _upgrade_tidy.old_points(settings, 1, time.time()) == []


def test_without_a_restore_point_a_backup_is_named(settings):
    report = _upgrade_run.undo_all(settings, [ITEM], 1)
    assert "playbooks/restore.yml brings back a backup" in report.result()["failed_spaces"]["amap"]


DECISIONS = {
    "s00": _upgrade_plan.Decision("upgrade", release="33.0.9", version="33.0.9.1", size=7),
    "s01": _upgrade_plan.Decision("refused", "majors are not skipped"),
    "s02": _upgrade_plan.Decision("done"),
    "s03": _upgrade_plan.Decision("resume", "interrupted at the step 'load'"),
    "s04": _upgrade_plan.Decision("upgrade", release="33.0.9", version="33.0.9.1"),
}
TARGET = _upgrade_facts.Target("34.0.4", "34.0.4.1")


def batch(settings, monkeypatch, budget, **fails):
    """Do one batch over five spaces; those named in `fails` do not get there."""
    moved: list[str] = []

    def move(_settings, item, _decision):
        moved.append(item["space"])
        one = replace(job(settings), item={**ITEM, "space": item["space"]})
        why = fails.get(item["space"], "")
        _upgrade_record.write_last(one, "rolled back" if why else "upgraded")
        return why

    monkeypatch.setattr(_upgrade, "move", move)
    monkeypatch.setattr(_upgrade_run, "make_plan", lambda *_: DECISIONS)
    monkeypatch.setattr(_systemd, "reload_daemon", lambda _report, check: None)
    report = _upgrade_run.converge(
        settings, items(5), TARGET, budget=budget, parallel=1, seconds=60
    )
    return moved, report.result()


def test_a_batch_moves_what_is_to_move_and_names_what_is_not(settings, monkeypatch):
    moved, result = batch(settings, monkeypatch, _upgrade_run.Budget(1))
    assert moved == ["s00", "s03", "s04"]
    assert sorted(result["spaces"]) == moved
    assert result["spaces"]["s00"][0].startswith("33.0.9.1 → 34.0.4.1, closed for ")
    assert result["failed_spaces"] == {"s01": "majors are not skipped"}
    assert (result["begun"], result["remaining"], result["exhausted"]) == (3, [], False)
    # How long the next run will take is known now.
    rate = _upgrade_facts.read_rate(f"{settings.work}/rate.json")
    assert 0 < rate < 60


def test_a_batch_ends_with_its_budget_and_says_how_each_ended(settings, monkeypatch):
    moved, result = batch(settings, monkeypatch, _upgrade_run.Budget(1), s00="upgrade: no")
    # The one that is refused counts too.
    assert moved == ["s00"]
    assert result["failed_spaces"] == {"s00": "upgrade: no", "s01": "majors are not skipped"}
    assert (result["remaining"], result["exhausted"]) == (["s03", "s04"], True)
    assert result["ends"] == {"s00": "rolled back"}


def test_what_people_want_to_know_before_a_run(settings):
    facts = _upgrade_run.plan_facts(settings, DECISIONS)
    assert (facts["bytes_needed"], facts["seconds_each"]) == (7, 0.0)
    assert facts["plan"]["s01"]["reason"] == "majors are not skipped"
    # How many applications are on, not which.
    assert facts["plan"]["s00"]["enabled"] == 0


@pytest.mark.parametrize("reason", ["", "the step 'load' failed: full. IT IS CLOSED"])
def test_a_rollback_says_of_each_space_what_came_of_it(settings, monkeypatch, reason):
    keep_point(settings)
    _upgrade_record.write_last(job(settings), "undone")
    monkeypatch.setattr(_upgrade, "undo", lambda _settings, _item: reason)
    result = _upgrade_run.undo_all(settings, [ITEM], 2).result()
    assert result["failed_spaces"] == ({"amap": reason} if reason else {})
    assert result["spaces"] == ({} if reason else {"amap": ["34.0.4 → 33.0.9"]})


def test_a_preview_of_a_rollback_names_the_day(settings):
    keep_point(settings, at=1780140000)
    (said,) = _upgrade_run.preview_undo(settings, [ITEM]).result()["spaces"]["amap"]
    assert said.startswith("34.0.4 → 33.0.9, as it was on 2026-05-")
