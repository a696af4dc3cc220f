# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a change is, and what nodes would do: two states and what comes of them."""

from __future__ import annotations

import json
import time
import typing as t

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._changes import _compare, _labels
from ansible_collections.archipel.spaces.plugins.plugin_utils._changes._states import (
    Changes,
    Difference,
    Limits,
    Situation,
    State,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._placement import Place

DEFAULT, MAXIMUM = Limits(50, 40), Limits(200, 200)
SITUATION = Situation(DEFAULT, MAXIMUM)
SPACE: dict[str, t.Any] = {
    "name": "Chorale des Halles",
    "status": "approved",
    "contact": {"email": "bureau@chorale.example"},
    "decision": {"by": "moderation", "on": "2026-05-30"},
}
PLACE = Place(70_000, "node1", "node1")
LINE = '{{"act": "purged", "id": 70000, "slug": "{slug}"}} hmac-sha256:' + "0" * 64


def changed(
    before: t.Mapping[str, t.Any] | None,
    after: t.Mapping[str, t.Any] | None,
    slug: str = "chorale-des-halles",
    **state: t.Any,
) -> Changes:
    """Compare two files of one association; None: there is none."""
    sides = [
        State(spaces={} if data is None else {slug: data}, **state) for data in (before, after)
    ]
    return _compare.compare(sides[0], sides[1], SITUATION, [])


def said(changes: Changes) -> list[str]:
    return _labels.summarise(changes)


class TestOneSpace:
    @pytest.mark.parametrize(
        ("before", "after", "sentence"),
        [
            (None, {}, "chorale-des-halles, new, 50/40"),
            (None, {"status": "requested"}, "chorale-des-halles, new, requested, 50/40"),
            (None, {"limits": {"storage_gb": 80}}, "chorale-des-halles, new, 50/80"),
            ({}, None, "chorale-des-halles, file removed"),
            ({}, {}, "chorale-des-halles, comments or layout alone"),
            (
                {},
                {"limits": {"accounts": 70, "storage_gb": 80}},
                "chorale-des-halles, changed: limits 50/40 → 70/80",
            ),
            ({}, {"name": "Chorale"}, "chorale-des-halles, changed: name"),
            (
                {"status": "requested", "decision": None},
                {},
                "chorale-des-halles, approved, was requested, 50/40",
            ),
            (
                {},
                {"status": "suspended", "decision": {"by": "nadia", "on": "2026-06-01"}},
                "chorale-des-halles, suspended, was approved, 50/40",
            ),
            (
                {},
                {"status": "suspended", "name": "Chorale"},
                "chorale-des-halles, suspended, was approved, changed: name, 50/40",
            ),
        ],
    )
    def test_is_said_in_a_sentence(self, before: t.Any, after: t.Any, sentence: str):
        sides = [None if one is None else {**SPACE, **one} for one in (before, after)]
        changes = changed(*sides)
        assert said(changes) == [f"one space: {sentence}"]
        assert "one-space" in _labels.label(changes)

    def test_that_cannot_be_read_is_said_as_well(self):
        changes = _compare.compare(
            State(spaces={"cine": SPACE}), State(spaces={"cine": None}), SITUATION, []
        )
        assert said(changes) == ["one space: cine, wrong: its file cannot be read"]
        assert "look-twice" in _labels.label(changes)

    def test_mended_is_compared_with_nothing(self):
        changes = _compare.compare(
            State(spaces={"cine": None}), State(spaces={"cine": SPACE}), SITUATION, []
        )
        assert changes.spaces[0].kind == "changed"

    def test_names_each_value_that_differs(self):
        after = {**SPACE, "contact": {"email": "new@chorale.example"}, "domains": ["a.example"]}
        found = changed(SPACE, after).spaces[0].fields
        assert [(one.key, one.before, one.after) for one in found] == [
            ("contact.email", '"bureau@chorale.example"', '"new@chorale.example"'),
            ("domains", None, '["a.example"]'),
        ]

    def test_names_some_of_many_keys(self):
        after = {**SPACE, **{f"key{number}": number for number in range(9)}}
        assert said(changed(SPACE, after))[0].endswith("key0, key1, key2, key3, key4, 4 more")

    @pytest.mark.parametrize("limits", ["many", [1], {"accounts": "fifty"}, {"accounts": True}])
    def test_has_the_policys_limits_where_its_own_are_none(self, limits: t.Any):
        assert _compare.find_limits({"limits": limits}, DEFAULT) == DEFAULT

    @pytest.mark.parametrize(
        ("before", "after", "remark"),
        [
            ({}, {"limits": {"storage_gb": 201}}, "above the policy's maximum, 200/200"),
            ({}, {"limits": {"storage_gb": 30}}, "less than before"),
            ({}, {"status": "suspended"}, "the status changes, and the decision does not"),
            ({}, {"status": "closed", "decision": {"by": "b"}}, "its data are kept"),
        ],
    )
    def test_is_to_be_looked_at_twice(self, before: t.Any, after: t.Any, remark: str):
        lock = {"chorale-des-halles": PLACE}
        changes = changed({**SPACE, **before}, {**SPACE, **after}, lock=lock)
        (found,) = changes.spaces[0].remarks
        assert found.startswith(remark)
        assert "look-twice" in _labels.label(changes)

    def test_whose_file_went_stays_as_it_is(self):
        lock = {"chorale-des-halles": PLACE}
        assert changed(SPACE, None, lock=lock).spaces[0].remarks
        assert not changed(SPACE, None).spaces[0].remarks

    def test_that_was_large_before_is_not_to_be_looked_at(self):
        large = {**SPACE, "limits": {"storage_gb": 300}}
        assert not changed(large, {**large, "name": "x"}).spaces[0].remarks


class TestManySpaces:
    def test_are_counted_by_what_happens_to_them(self):
        before = State(spaces={f"a{n}": SPACE for n in range(3)})
        after = State(
            spaces={
                **{f"a{n}": {**SPACE, "name": "x"} for n in range(2)},
                **{f"b{n}": SPACE for n in range(1200)},
            }
        )
        changes = _compare.compare(before, after, SITUATION, [])
        assert said(changes) == ["1,203 spaces: 1,200 new, 2 changed, 1 file removed"]
        assert _labels.label(changes)[0] == "spaces"


def policy(before: t.Any, after: t.Any, file: str = "group_vars/all/p.yml") -> tuple[State, State]:
    old, new = ({} if value is None else {file: value} for value in (before, after))
    return State(variables=old), State(variables=new)


class TestThePolicy:
    def test_says_how_many_spaces_it_touches(self):
        before, after = policy({"archipel_x": "1", "same": "2"}, {"archipel_x": "3", "same": "2"})
        rendered = [
            Difference("node1", f"config/a{number}.php", "changed") for number in range(2431)
        ]
        changes = _compare.compare(before, after, SITUATION, rendered)
        assert said(changes) == ["policy: touches 2,431 spaces"]
        assert [one.name for one in changes.variables] == ["archipel_x"]
        assert _labels.label(changes) == ["policy"]

    def test_does_not_count_spaces_that_are_named(self):
        """Their own file changes, their place, or a picture of theirs."""
        before, after = policy({"a": "1"}, {"a": "2"})
        before = State(spaces={"own": SPACE}, variables=before.variables)
        after = State(
            spaces={"own": {**SPACE, "name": "x"}},
            variables=after.variables,
            lock={"placed": PLACE},
            files=frozenset({"placed"}),
            others=frozenset({"spaces/drawn.svg"}),
        )
        rendered = [
            Difference("node1", f"config/{slug}.php", "changed")
            for slug in ("own", "placed", "drawn", "other")
        ]
        changes = _compare.compare(before, after, SITUATION, rendered)
        assert changes.touched == 1
        assert "mixed" in _labels.label(changes)
        assert "policy: touches 1 space" in said(changes)

    def test_touches_everybody_with_what_all_have_in_common(self):
        running = {"node1": frozenset({"a", "b"}), "node2": frozenset({"c"})}
        situation = Situation(DEFAULT, MAXIMUM, running=running)
        rendered = [Difference("node1", "applied.json", "changed")]
        changes = _compare.compare(*policy({"a": "1"}, {"a": "2"}), situation, rendered)
        assert changes.touched == 2

    def test_may_touch_nobody(self):
        changes = _compare.compare(*policy({"a": "1"}, {"a": "2"}), SITUATION, [])
        assert said(changes) == ["policy: touches no space"]

    @pytest.mark.parametrize(("before", "after"), [({}, {}), (None, {}), ({}, None)])
    def test_a_file_without_variables_is_the_inventorys(self, before: t.Any, after: t.Any):
        changes = _compare.compare(*policy(before, after, "nodes.yml"), SITUATION, [])
        assert changes.inventory == ("nodes.yml",)
        assert said(changes) == ["inventory: touches no space"]

    def test_that_nobody_can_follow_is_said(self):
        before, after = policy({"a": "1"}, {"a": "2"})
        changes = _compare.compare(before, after, SITUATION, None, "it is wrong")
        assert said(changes) == ["policy: whom it touches is not known"]
        assert changes.nodes is None
        assert "unknown-effect" in _labels.label(changes)

    def test_other_spaces_are_touched_without_it(self):
        rendered = [Difference("node1", "vhost/a.conf", "changed")]
        changes = _compare.compare(State(), State(), SITUATION, rendered)
        assert said(changes) == ["touches 1 space beside"]


class TestThePlacement:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ({"a": PLACE}, {"a": PLACE._replace(web="node2")}),
            ({"a": PLACE}, {"a": PLACE._replace(id=70_001)}),
            ({"a": PLACE}, {}),
            # A number below others, and a line of a space that has no file.
            ({"b": Place(70_005, "node1", "node1")}, {"a": PLACE}),
            ({}, {"nofile": PLACE}),
            (
                {"a": PLACE._replace(office={"collabora": "one"})},
                {"a": PLACE._replace(office={"collabora": "two"})},
            ),
            ({"a": PLACE._replace(office={"collabora": "one"})}, {"a": PLACE}),
        ],
    )
    def test_by_hand_is_seen(self, before: dict[str, Place], after: dict[str, Place]):
        files = frozenset({"a", "b"})
        sides = State(lock=before, files=files), State(lock={**before, **after}, files=files)
        if not after:
            sides = State(lock=before), State(lock={})
        changes = _compare.compare(sides[0], sides[1], SITUATION, [])
        assert said(changes) == ["placement by hand"]
        assert _labels.label(changes) == ["placement-by-hand"]

    @pytest.mark.parametrize(
        ("before", "after", "ledger"),
        [
            ({}, {"a": PLACE}, ()),
            ({"a": PLACE}, {}, (LINE.format(slug="a"),)),
            ({"a": PLACE}, {"a": PLACE._replace(office={"collabora": "one"})}, ()),
            ({"a": PLACE}, {"a": PLACE}, ()),
        ],
    )
    def test_of_a_run_is_none_by_hand(
        self, before: dict[str, Place], after: dict[str, Place], ledger: tuple[str, ...]
    ):
        files = frozenset({"a"})
        changes = _compare.compare(
            State(lock=before, files=files),
            State(lock=after, files=files, ledger=ledger),
            SITUATION,
            [],
        )
        assert changes.moves == ()

    def test_is_by_hand_where_another_space_was_purged(self):
        ledger = (LINE.format(slug="b"), "no line of a ledger")
        changes = _compare.compare(State(lock={"a": PLACE}), State(ledger=ledger), SITUATION, [])
        assert [one.slug for one in changes.moves] == ["a"]


class TestTheLedger:
    @pytest.mark.parametrize(
        ("before", "after", "rewritten"),
        [
            ((), ("one",), False),
            (("one",), ("one", "two"), False),
            (("one",), ("two",), True),
            (("one", "two"), ("one",), True),
            (("one",), (), True),
        ],
    )
    def test_only_grows(self, before: t.Any, after: t.Any, rewritten: bool):
        changes = _compare.compare(State(ledger=before), State(ledger=after), SITUATION, [])
        assert ("ledger-by-hand" in _labels.label(changes)) is rewritten


class TestWhatNodesWouldDo:
    def test_is_counted_by_kind(self):
        rendered = [
            Difference("node2", "config/new.php", "added"),
            Difference("node2", "vhost/new.conf", "added"),
            Difference("node1", "config/gone.php", "removed"),
            Difference("node1", "config/a.php", "changed"),
            Difference("node1", "config/b.php", "changed"),
            Difference("node1", "quota.txt", "changed"),
        ]
        nodes = _compare.compare(State(), State(), SITUATION, rendered).nodes
        assert nodes is not None
        first, second = nodes
        assert (first.node, first.gives_up, first.makes, first.spaces) == (
            "node1",
            ("gone",),
            (),
            3,
        )
        assert first.files == {"config": {"changed": 2, "removed": 1}, "quota.txt": {"changed": 1}}
        assert (second.makes, second.spaces) == (("new",), 1)


class TestOtherFiles:
    def test_are_told_apart(self):
        changes = _compare.compare(
            State(others=frozenset({"contacts.yml"})),
            State(others=frozenset({"contacts.yml", "spaces/logo.svg", "letters.txt"})),
            Situation(DEFAULT, MAXIMUM, outside=("roles/x.yml",)),
            [],
        )
        assert said(changes) == [
            "contacts: contacts.yml, of which nothing is said here",
            "2 other files of the registry",
            "1 file outside the registry and the inventory",
        ]
        assert _labels.label(changes) == ["contacts", "other-files", "code"]

    def test_nothing_at_all_is_said(self):
        changes = _compare.compare(State(), State(), SITUATION, [])
        assert said(changes) == ["nothing of the registry or the policy"]
        assert _labels.label(changes) == []


def test_programs_read_all_of_it():
    before = State(spaces={"a": SPACE}, lock={"a": PLACE})
    after = State(
        spaces={"a": {**SPACE, "name": "\u202ex"}}, lock={"a": PLACE._replace(web="node2")}
    )
    rendered = [Difference("node1", "config/a.php", "removed")]
    changes = _compare.compare(before, after, SITUATION, rendered)
    text = json.dumps(_labels.as_json(changes, {"environment": "lab", "base": "m", "commit": "c"}))
    found = json.loads(text)
    assert found["format"] == 1
    assert found["labels"] == ["one-space", "placement-by-hand"]
    assert found["spaces"][0]["fields"] == [
        {"key": "name", "before": '"Chorale des Halles"', "after": '"\u202ex"'}
    ]
    assert found["placement"][0]["after"]["web"] == "node2"
    assert found["nodes"][0]["gives_up"] == ["a"]


def test_ten_thousand_spaces_take_no_time():
    spaces = {f"space-{number}": SPACE for number in range(10_000)}
    lock = {slug: Place(70_000 + n, "node1", "node1") for n, slug in enumerate(spaces)}
    after = {slug: {**data, "name": "x"} for slug, data in spaces.items()}
    rendered = [Difference("node1", f"config/{slug}.php", "changed") for slug in spaces]
    start = time.process_time()
    changes = _compare.compare(
        State(spaces=spaces, lock=lock), State(spaces=after, lock=lock), SITUATION, rendered
    )
    _labels.summarise(changes)
    assert time.process_time() - start < 5
    assert len(changes.spaces) == 10_000
