# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Turns of an upgrade, as the controller sees them."""

from __future__ import annotations

import copy
import types
import typing as t

import pytest
from ansible.errors import AnsibleConnectionFailure

from ansible_collections.archipel.spaces.plugins.action import spaces_upgrade
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions._action import SpacesAction

FIRST = {
    "changed": True,
    "spaces": {"a": ["33 → 34"]},
    "failed_spaces": {"b": "upgrade: broken"},
    "remaining": ["c"],
    "begun": 2,
    "ends": {"b": "rolled back"},
}
SECOND = {"changed": True, "spaces": {"c": ["33 → 34"]}, "remaining": [], "begun": 1}
DESIRED: t.Any = {"items": [{"space": slug} for slug in "abc"], "budget": 3, "parallel": 2}


def converge(monkeypatch, *turns):
    """Run the turns one after the other; return the result, and what each was asked."""
    left, asked = list(turns), []

    def batch(_self, desired, _task_vars):
        asked.append(desired)
        one = left.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    monkeypatch.setattr(SpacesAction, "converge", batch)
    action = object.__new__(spaces_upgrade.ActionModule)
    action._task = types.SimpleNamespace(args={})
    action.options = {"wave": "", "events": None}
    return action.converge(copy.copy(DESIRED), {"inventory_hostname": "node1"}), asked


def test_what_is_left_is_asked_for_in_a_further_turn(monkeypatch):
    result, asked = converge(monkeypatch, FIRST, SECOND)
    assert (set(result["spaces"]), set(result["failed_spaces"])) == ({"a", "c"}, {"b"})
    assert [item["space"] for item in asked[1]["items"]] == ["c"]
    # What failed has used its part of the budget up.
    assert asked[1]["budget"] == 2


def test_a_machine_that_is_lost_leaves_what_it_told_before(monkeypatch):
    result, _asked = converge(monkeypatch, FIRST, AnsibleConnectionFailure("no route"))
    assert result["unreachable"] is True
    assert "no route" in result["msg"]
    assert (set(result["spaces"]), set(result["failed_spaces"])) == ({"a"}, {"b"})


def test_a_machine_that_is_lost_at_once_is_ansibles_matter(monkeypatch):
    with pytest.raises(AnsibleConnectionFailure):
        converge(monkeypatch, AnsibleConnectionFailure("no route"))
