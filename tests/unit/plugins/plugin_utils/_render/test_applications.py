# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The application set of the policy: what is refused, and in which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.archipel.spaces.plugins.filter.open_applications import (
    open_applications,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._render import _applications

ROOT = Path(__file__).resolve().parents[5]

SUITES = {"collabora": {"name": "Collabora Online", "application": "richdocuments"}}
POLICY = {
    "enabled": ["calendar", "deck"],
    "disabled": ["survey_client"],
    "settings": {"files": {"a": 1}},
}


def test_a_right_set_is_not_complained_about():
    assert _applications.check(POLICY, SUITES, ["collabora"]) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"enable": ["calendar"]}, "archipel_applications.enable: unknown key; allowed: enabled"),
        ({"enabled": "calendar"}, "allowed: a list of application ids"),
        ({"enabled": ["../calendar"]}, "allowed: an id such as"),
        ({"enabled": ["deck", "deck"]}, "deck comes twice"),
        ({"enabled": ["survey_client"]}, "both enabled and disabled"),
        ({"disabled": ["archipel"]}, "archipel converges the space"),
        ({"disabled": ["richdocuments"]}, "the choice of the suite decides"),
        ({"settings": []}, "allowed: application -> key -> value"),
        ({"settings": {"files": "x"}}, "settings.files: found"),
        ({"settings": {"files": {"enabled": "no"}}}, "belongs to Nextcloud itself"),
        ({"settings": {"files": {"": "no"}}}, "a text of 1 to 64 characters"),
        ({"settings": {"../x": {}}}, "an application's id"),
    ],
)
def test_a_wrong_set_is_refused_with_the_reason(change, said):
    problems = _applications.check({**POLICY, **change}, SUITES, ["collabora"])
    assert any(said in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("suites", "offices", "said"),
    [
        ({}, ["collabora"], "archipel_offices names collabora"),
        (SUITES, ["colabora"], 'Did you mean "collabora"?'),
        ({"collabora": {"name": "x"}}, ["collabora"], "allowed: name and application"),
        (
            {"collabora": {"name": "x", "application": "a b"}},
            ["collabora"],
            "an id such as richdocuments",
        ),
        ([], [], "allowed: suite ->"),
    ],
)
def test_wrong_suites_are_refused_with_the_reason(suites, offices, said):
    problems = _applications.check(POLICY, suites, offices)
    assert any(said in problem for problem in problems), problems


def test_everything_wrong_is_said_at_once():
    policy = {"enabled": 1, "what": 2, "settings": 3}
    assert len(_applications.check(policy, {}, ["collabora"])) == 4


def test_a_release_must_hold_the_set_and_the_connectors_of_the_suites_offered():
    suites: Any = {**SUITES, "other": {"name": "Other", "application": "other"}}
    policy: Any = POLICY
    needed = _applications.required(policy, suites, ["collabora"])
    assert needed == ["calendar", "deck", "richdocuments"]


def test_settings_are_merged_key_by_key_and_the_last_word_counts():
    merged = _applications.merge_settings({"a": {"x": 1, "y": 1}}, {"a": {"y": 2}, "b": {"z": 3}})
    assert merged == {"a": {"x": 1, "y": 2}, "b": {"z": 3}}


def policy() -> tuple[Any, Any, Any]:
    values = yaml.safe_load((ROOT / "group_vars/all/applications.yml").read_text())
    return tuple(
        values[f"archipel_{end}"] for end in ("applications", "office_suites", "registration")
    )


@pytest.mark.parametrize("version", ["32.0.2", "33.0.3"])
def test_the_policy_names_everything_that_a_release_brings(version: str):
    applications, suites, registration = policy()
    releases = {"one": {"version": version, "applications": {}}}
    assert _applications.left_open(releases, applications, suites, registration) == {}


def test_what_the_policy_does_not_name_is_told_by_release():
    applications, suites, registration = policy()
    less: Any = {**applications, "enabled": [], "disabled": applications["disabled"][1:]}
    releases: dict[str, Any] = {
        "32": {"version": "32.0.2"},
        "33": {"version": "33.0.3", "applications": {"tasks": {}, "richdocuments": {}}},
        # Nobody here knows what that one brings; its machines do.
        "99": {"version": "99.0.0"},
    }
    found = _applications.left_open(releases, less, suites, registration)
    assert set(found) == {"32", "33"}
    assert {"activity", applications["disabled"][0]} <= set(found["32"])
    assert "tasks" in found["33"]
    assert not {"richdocuments", "viewer", "archipel", "survey_client"} & set(found["33"])
    sentences = open_applications({"32": releases["32"]}, less, suites, registration)
    assert sentences[0].startswith("release 32 brings activity, ")
    assert "name them in one of the two" in sentences[0]
