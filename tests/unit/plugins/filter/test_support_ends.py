# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The end of a release's support is said before it comes, with what comes next."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
import yaml

from ansible_collections.archipel.spaces.plugins.filter.support_ends import support_ends
from ansible_collections.archipel.spaces.plugins.plugin_utils._policy import _support
from tests.unit.environment import ROOT

RELEASES: dict[str, Any] = {
    "35.0.1": {"version": "35.0.1", "end_of_life": "2027-09-15"},
    "33.0.9": {"version": "33.0.9", "end_of_life": "2027-02-17"},
    "34.0.4": {"version": "34.0.4", "end_of_life": "2027-06-08"},
    "34.0.6": {"version": "34.0.6", "end_of_life": "2027-06-08"},
    "own": {"version": "32.0.1"},
}


@pytest.mark.parametrize(
    ("today", "said"),
    [
        ("2026-12-18", []),
        ("2026-12-19", ["ends on 2027-02-17, in 60 days. Next in the catalogue: 34.0.6 (until"]),
        ("2027-02-17", ["ends on 2027-02-17, in 0 days"]),
        ("2027-02-18", ["ended on 2027-02-17. Next in the catalogue: 34.0.6"]),
        ("2027-07-01", ["ended on 2027-02-17. Next in the catalogue: 35.0.1"]),
        ("2028-01-01", ["The catalogue has nothing newer"]),
    ],
)
def test_sixty_days_before_it_is_said(today: str, said: list[str]):
    found = support_ends(RELEASES, ["33.0.9", "33.0.9", "own", "unknown"], today)
    assert len(found) == len(said)
    assert all(part in sentence for part, sentence in zip(said, found, strict=True)), found


def test_the_day_is_today_where_none_is_given():
    soon = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=59)
    entry = {"version": "33.0.9", "end_of_life": str(soon)}
    assert "in 59 days" in support_ends({"a": entry}, ["a"])[0]


@pytest.mark.parametrize("day", ["2027-02-31", "soon", "2027-13-01"])
def test_what_is_no_day_is_told(day: str):
    (problem,) = _support.problems({"a": {"version": "33.0.9", "end_of_life": day}})
    assert problem.startswith("a.end_of_life: found ")


def test_each_release_of_the_catalogue_says_when_its_support_ends():
    text = (ROOT / "group_vars/all/releases.yml").read_text(encoding="utf-8")
    releases = yaml.safe_load(text)["archipel_releases"]
    assert _support.problems(releases) == []
    assert all(_support.end_of(entry) for entry in releases.values())
