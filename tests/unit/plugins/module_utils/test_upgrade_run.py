# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Many spaces of a node in one batch, and a budget of failures."""

from __future__ import annotations

import threading
import time

from ansible_collections.archipel.spaces.plugins.module_utils import (
    _upgrade,
    _upgrade_plan,
    _upgrade_run,
)
from ansible_collections.archipel.spaces.plugins.module_utils._spaces import Report
from tests.unit.plugins.module_utils.upgrading import ITEM, settings

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


def test_no_further_space_is_begun_once_the_budget_is_spent(settings, monkeypatch):
    found = moved(settings, monkeypatch, items(6), 1, broken={"s01", "s03"})
    assert found == ["", "broken", "", "broken", None, None]


def test_a_budget_of_none_stops_at_the_first_failure(settings, monkeypatch):
    assert moved(settings, monkeypatch, items(3), 0, broken={"s00"}) == ["broken", None, None]


def test_a_turn_ends_and_the_rest_is_left(settings, monkeypatch):
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


def test_a_node_that_cannot_close_doors_says_so(settings, tmp_path):
    snippet = tmp_path / "snippet.conf"
    assert "playbooks/site.yml" in _upgrade_run.flag_problem(settings, str(snippet))
    snippet.write_text("location / {}\n")
    assert "playbooks/site.yml" in _upgrade_run.flag_problem(settings, str(snippet))
    snippet.write_text(f"if (-f {settings.closed}/$archipel_space) {{\n")
    assert _upgrade_run.flag_problem(settings, str(snippet)) == ""
