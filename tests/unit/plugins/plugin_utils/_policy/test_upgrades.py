# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""An upgrade as it is asked for, cut into waves, and told."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._policy import _upgrades

RELEASES: dict[str, Any] = {"33.0.9": {}, "34.0.4": {}}
GOOD: dict[str, Any] = {
    "release": "34.0.4",
    "releases": RELEASES,
    "rings": ["canary", "early", "stable"],
    "budget": "5%",
    "parallel": 2,
}
SPACES = [
    *({"slug": f"s{number}", "ring": "stable"} for number in range(6, 0, -1)),
    *({"slug": f"e{number}", "ring": "early"} for number in (1, 2)),
    *({"slug": f"c{number}", "ring": "canary"} for number in (1, 2)),
]
PLANS = {space["slug"]: {"kind": "upgrade", "reason": ""} for space in SPACES}


def test_what_is_right_is_not_complained_of():
    assert _upgrades.problems(**GOOD) == []


@pytest.mark.parametrize("rings", ["canary,rest", "1,10%,rest", ["3", "100%"], 5, "canary, rest"])
@pytest.mark.parametrize("budget", [0, "0", 3, "5%", "100%"])
def test_waves_and_budgets_can_be_said_in_many_ways(rings, budget):
    assert _upgrades.problems(**{**GOOD, "rings": rings, "budget": budget}) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"release": ""}, "release: say which"),
        ({"release": None}, "archipel_releases has 33.0.9, 34.0.4"),
        ({"release": "34.0.5"}, 'unknown release "34.0.5"'),
        ({"release": "34.04"}, 'Did you mean "34.0.4"?'),
        ({"rings": ""}, "rings: found nothing"),
        ({"rings": "canari"}, 'Did you mean "canary"?'),
        ({"rings": "0"}, 'found "0"'),
        ({"rings": "-1"}, 'found "-1"'),
        ({"rings": "1.5"}, 'found "1.5"'),
        ({"rings": "150%"}, "allowed: 1% to 100%"),
        ({"rings": "canary,canary"}, "stands there twice"),
        ({"rings": "rest,canary"}, 'takes all that are left; found "canary" after it'),
        ({"rings": "rest,rest"}, "stands there twice"),
        ({"budget": "many"}, 'budget: found "many"'),
        ({"budget": "-1"}, 'budget: found "-1"'),
        ({"budget": "101%"}, 'budget: found "101%"'),
        ({"budget": ""}, "budget: found"),
        ({"parallel": 0}, 'parallel: found "0"'),
        ({"parallel": "100"}, "allowed: 1 to 99"),
        ({"parallel": "two"}, 'parallel: found "two"'),
    ],
)
def test_bad_input_is_named_with_what_is_allowed(changes, said):
    assert said in "\n".join(_upgrades.problems(**{**GOOD, **changes}))


def test_all_that_is_wrong_is_said_at_once():
    wrong = {**GOOD, "release": "x", "rings": "x", "budget": "x", "parallel": "x"}
    assert len(_upgrades.problems(**wrong)) == 4


@pytest.mark.parametrize(
    ("rings", "sizes"),
    [
        ("canary,early,stable", [("canary", "c1 c2"), ("early", "e1 e2"), ("stable", "s1 … s6")]),
        ("rest", [("rest", "c1 … s6")]),
        ("1,rest", [("1", "c1"), ("rest", "c2 … s6")]),
        ("25%,rest", [("25%", "c1 … e1"), ("rest", "e2 … s6")]),
        ("canary,3,100%", [("canary", "c1 c2"), ("3", "e1 … s1"), ("100%", "s2 … s6")]),
        ("1%,100%", [("1%", "c1"), ("100%", "c2 … s6")]),
        ("99,canary,rest", [("99", "c1 … s6")]),
    ],
)
def test_spaces_are_cut_into_waves_in_the_order_of_their_rings(rings, sizes):
    found = [(w["name"], short(w["slugs"])) for w in _upgrades.waves(SPACES, PLANS, rings, 0)]
    assert found == sizes


def short(slugs):
    return " ".join(slugs) if len(slugs) < 3 else f"{slugs[0]} … {slugs[-1]}"


def test_every_space_is_in_one_wave():
    found = _upgrades.waves(SPACES, PLANS, "canary,25%,rest", 0)
    slugs = [slug for wave in found for slug in wave["slugs"]]
    assert sorted(slugs) == sorted(PLANS)


def test_waves_that_leave_spaces_out_are_refused():
    with pytest.raises(_upgrades.UpgradeError, match=r"leave 6 of 10 spaces out \(s1, s2"):
        _upgrades.waves(SPACES, PLANS, "canary,early", 0)


def test_what_is_there_already_is_in_no_wave():
    done = {slug: {"kind": "done"} for slug in PLANS} | {"s1": {"kind": "none"}}
    assert _upgrades.waves(SPACES, done, "canary,early,stable", 0) == []


def test_what_cannot_move_counts_in_its_wave():
    plans = {**PLANS, "c1": {"kind": "refused", "reason": "no room"}}
    assert _upgrades.waves(SPACES, plans, "canary,rest", 0)[0]["slugs"] == ["c1", "c2"]


@pytest.mark.parametrize(
    ("budget", "number", "allowed"),
    [(0, 5, 0), ("5%", 19, 0), ("5%", 20, 1), ("100%", 7, 7), (3, 1, 3)],
)
def test_a_budget_of_a_share_is_rounded_down(budget, number, allowed):
    assert _upgrades.allowed(budget, number) == allowed


def node(**plans):
    return {
        "plan": plans,
        "bytes_needed": 30 << 20,
        "bytes_free": 100 << 20,
        "seconds_each": 60,
    }


def test_a_dry_run_names_order_obstacles_disk_and_time():
    plan = {
        "c1": {"kind": "upgrade", "reason": ""},
        "s1": {"kind": "refused", "reason": "its dump does not fit"},
        "s2": {"kind": "upgrade", "reason": ""},
        "s3": {"kind": "done", "reason": ""},
        "s4": {"kind": "none", "reason": ""},
    }
    waves = [
        {"name": "canary", "slugs": ["c1"], "budget": 0},
        {"name": "rest", "slugs": ["s1", "s2"], "budget": 1},
    ]
    assert _upgrades.preview(waves, {"node1": node(**plan)}, 2) == [
        "1. canary: 1 space, stops after more than 0 failures: c1",
        "2. rest: 1 space, stops after more than 1 failures: s2",
        "   cannot: s1: its dump does not fit",
        "there already: 1 space",
        "not installed yet, so nothing to move: 1 space",
        "node1: 2 spaces, 2 at a time; 30 MB for dumps, 100 MB are free; about 2 min at the rate "
        "of the last run",
    ]


def test_a_dry_run_says_what_would_end_it_at_once():
    plan = {"c1": {"kind": "refused", "reason": "no room"}, "c2": {"kind": "upgrade", "reason": ""}}
    waves = [{"name": "canary", "slugs": ["c1", "c2"], "budget": 0}]
    lines = _upgrades.preview(waves, {"node1": {**node(**plan), "built": False}}, 2)
    assert "   more than may fail: mend them, leave them out or raise the budget" in lines
    assert "the release is not built here yet" in lines[-1]


@pytest.mark.parametrize(
    ("budget", "here", "wave", "part"),
    [(0, 5, 10, 0), (10, 5, 10, 5), (500, 500, 10000, 25), (1, 1, 20, 1), (3, 0, 0, 3)],
)
def test_a_node_has_its_part_of_the_budget_rounded_up(budget, here, wave, part):
    assert _upgrades.share(budget, here, wave) == part


def test_a_rate_that_is_not_known_is_not_made_up():
    first = {**node(c1={"kind": "upgrade", "reason": ""}), "seconds_each": 0.0}
    assert "how long is not known yet" in _upgrades.need(first, 2)
    assert _upgrades.need(node(c1={"kind": "done"}), 2) == "nothing to do"


@pytest.mark.parametrize(("share", "value"), [(0.5, 2), (0.95, 4), (1.0, 4), (0.01, 1)])
def test_percentiles(share, value):
    assert _upgrades.percentile([4, 1, 3, 2], share) == value


def test_no_downtime_is_none():
    assert _upgrades.percentile([], 0.5) == 0.0


def outcome(downtime, **more):
    return {
        "result": "upgraded",
        "version_before": "33.0.9.1",
        "version": "34.0.4.1",
        "downtime": downtime,
        **more,
    }


def test_a_summary_tells_versions_downtime_and_failures_with_their_logs():
    outcomes = {
        "a": outcome(2.0),
        "b": outcome(4.0),
        "c": outcome(9.0, result="rolled back", log="/l/c.log", tail=["occ upgrade: 5"]),
    }
    failed = {"c": "upgrade: occ upgrade ended with 5", "d": "no room"}
    said = _upgrades.summary(outcomes, failed, "34.0.4")
    assert said["downtime"] == {"p50": 2.0, "p95": 4.0, "max": 4.0}
    assert said["closed_for"] == {"a": 2.0, "b": 4.0, "c": 9.0}
    assert said["failed"]["d"]["result"] == "not begun"
    assert _upgrades.report(said) == [
        "now on release 34.0.4: 2 spaces",
        "33.0.9.1 → 34.0.4.1: 2 spaces",
        "closed for 2.0 s (half of them at most), 4.0 s (95 %), 4.0 s (the longest)",
        "c: rolled back, closed for 9.0 s: upgrade: occ upgrade ended with 5",
        "    occ upgrade: 5",
        "    its log: /l/c.log",
        "d: not begun: no room",
    ]


def test_what_got_there_on_a_node_that_was_lost_later_is_counted():
    said = _upgrades.summary({"a": outcome(2.0)}, {}, "34.0.4", ["a", "b", "c"])
    assert (said["upgraded"], said["on_lost_nodes"]) == (3, ["b", "c"])
    assert _upgrades.report(said)[:3] == [
        "now on release 34.0.4: 3 spaces",
        "33.0.9.1 → 34.0.4.1: 1 space",
        "of these on a node that was lost later: 2 spaces",
    ]


@pytest.mark.parametrize(
    ("took", "number", "seconds"),
    [
        # Short ones: people want to see how far it is.
        (60, 60, 60),
        # Long ones: the wait for the last of each turn must not be much of it.
        (75, 6, 250),
        (900, 2, 600),
    ],
)
def test_a_turn_is_as_long_as_its_spaces_need(took: int, number: int, seconds: int):
    assert _upgrades.batch_seconds(took, number, 2) == seconds
