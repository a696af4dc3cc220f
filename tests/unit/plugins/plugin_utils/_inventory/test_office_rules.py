# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What is wrong with an office suite is said."""

from __future__ import annotations

import typing as t

import pytest
from ansible._internal._datatag._tags import Origin

from ansible_collections.archipel.spaces.plugins.plugin_utils._render import _applications
from tests.unit.plugins.plugin_utils._inventory.test_offices import DUMMY, SUITES


def test_the_catalogue_is_right():
    assert _applications.check({}, SUITES, list(SUITES)) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"settings": {"a": "{nothing}"}}, "settings: found {nothing}, which nothing fills in"),
        ({"config": {"a": [{"b": "{now}"}]}}, "config: found {now}"),
        ({"config": []}, 'config: found "[]"; allowed: key -> value'),
        ({"host": "office.example"}, "allowed: a text with {shard} in it"),
        ({"host": "{shard}.{url}"}, "host: found {url}"),
        ({"connections": 0}, "connections: found"),
        ({"role": 1}, "role: found"),
        ({"open": {"url": "x"}}, "open: found"),
        ({"rolle": "x"}, "allowed: name and application, and also role"),
    ],
)
def test_a_wrong_suite_is_refused_with_the_reason(change: dict[str, t.Any], said: str):
    suites = {"imaginary": {**DUMMY, **change}}
    problems = _applications.check({}, suites, ["imaginary"])
    assert any(said in problem for problem in problems), problems


def test_numbers_as_ansible_reads_them_are_numbers():
    """They know which file they come from, and are of a type of their own."""
    tagged = Origin(path="/group_vars").tag(20)
    assert type(tagged) is not int
    suites = {"imaginary": {**DUMMY, "connections": tagged}}
    assert _applications.check({}, suites, ["imaginary"]) == _applications.check(
        {}, {"imaginary": DUMMY}, ["imaginary"]
    )
