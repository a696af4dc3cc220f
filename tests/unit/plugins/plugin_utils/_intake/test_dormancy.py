# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Spaces that nobody uses, day by day: what is decided, and what ends it."""

from __future__ import annotations

import copy
import datetime
import json
import typing as t

import pytest
import yaml

from ansible_collections.archipel.spaces.plugins.action.dormancy import read_uses
from ansible_collections.archipel.spaces.plugins.plugin_utils._intake import (
    _dormancy,
    _letters,
    _moderation,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry._registry import Record
from tests.unit.environment import Environment

PATIENCE = _dormancy.Patience(365, 30, 90, 30)
DAY = datetime.date.fromisoformat
LAST = DAY("2025-01-10")
APPROVED = {"by": "moderation", "on": "2024-05-30"}


def noon(day: datetime.date) -> datetime.datetime:
    return datetime.datetime.combine(day, datetime.time(12), tzinfo=datetime.UTC)


def used(day: datetime.date | None, today: datetime.date) -> _dormancy.Use:
    """What a node says today of a space that was used on a day; None: never."""
    return _dormancy.Use(int(noon(day).timestamp()) if day else 0, noon(today).timestamp() - 300)


class Association:
    """A file and what was sent, as days go by."""

    def __init__(self, **changes: t.Any) -> None:
        self.data: dict[str, t.Any] = {
            "name": "Vélo-école",
            "status": "approved",
            "decision": dict(APPROVED),
            **changes,
        }
        self.sent: set[str] = set()
        self.said: list[tuple[str, str]] = []
        self.letters: list[tuple[str, str]] = []

    @property
    def record(self) -> Record:
        return Record("velo", "spaces/velo.yml", copy.deepcopy(self.data))

    def day(
        self,
        today: datetime.date,
        last: datetime.date | None = LAST,
        *,
        post: bool = True,
        patience: _dormancy.Patience = PATIENCE,
    ) -> _dormancy.Step | None:
        """Run the playbook and then, with `post`, the one that writes letters."""
        step = _dormancy.plan(
            self.record, used(last, today), patience, frozenset(self.sent), noon(today)
        )
        if step and step.changes:
            self.apply(step.changes)
            self.said.append((today.isoformat(), step.said))
        due = _letters.find_due(
            _letters.find_events(self.record, {}), frozenset(self.sent), today, 30
        )
        if post:
            self.sent |= {event.key for event in due}
            self.letters += [(today.isoformat(), event.step) for event in due]
        return step

    def apply(self, changes: _moderation.Changes) -> None:
        for place, value in changes.items():
            below = self.data
            for key in place[:-1]:
                below = below.setdefault(key, {})
            if value is None:
                below.pop(place[-1], None)
            else:
                below[place[-1]] = value

    def days(self, begin: str, end: str, **options: t.Any) -> None:
        today = DAY(begin)
        while today <= DAY(end):
            self.day(today, **options)
            today += datetime.timedelta(days=1)


def test_a_space_that_nobody_uses_comes_to_its_end_step_by_step():
    space = Association()
    space.days("2025-12-01", "2026-09-30")
    assert space.said == [
        ("2026-01-10", "unused since 2025-01-10: to be written to"),
        ("2026-02-09", "unused since 2025-01-10: to be written to again"),
        ("2026-03-11", "unused since 2025-01-10: to be written to again"),
        ("2026-04-10", "unused since 2025-01-10: suspended"),
        ("2026-07-09", "closed; a copy of its data is offered"),
    ]
    assert space.letters == [
        ("2026-01-10", "dormant"),
        ("2026-02-09", "dormant"),
        ("2026-03-11", "dormant-last"),
        ("2026-04-10", "suspended"),
        ("2026-07-09", "closed"),
    ]
    assert space.data["decision"] == {"by": "archipel", "on": "2026-07-09", "reason": "dormant"}
    assert space.data["closed_on"] == "2026-07-09"


def test_every_step_has_its_days_wherever_nobody_ran_anything_for_a_year():
    space = Association()
    for day in ("2027-01-01", "2027-01-01", "2028-01-01", "2028-01-02", "2029-01-01"):
        space.day(DAY(day))
    assert [said for _, said in space.said] == [
        "unused since 2025-01-10: to be written to",
        "unused since 2025-01-10: to be written to again",
        "unused since 2025-01-10: to be written to again",
    ]


@pytest.mark.parametrize("day", ["2026-01-20", "2026-02-20", "2026-04-09"])
def test_who_logs_in_ends_it(day: str):
    space = Association()
    space.days("2025-12-01", day)
    assert "dormancy" in space.data
    step = space.day(DAY(day), last=DAY(day))
    assert step is not None
    assert step.said == "in use again"
    assert space.data == Association().data
    assert space.day(DAY(day), last=DAY(day)) is None


def test_a_later_year_of_sleep_begins_anew():
    """Also where nobody ran the playbook while somebody was there."""
    space = Association()
    space.days("2025-12-01", "2026-02-20")
    back, later = DAY("2026-03-01"), DAY("2027-03-01")
    space.day(later, last=back)
    assert space.data["dormancy"] == {"since": "2026-03-01", "first": "2027-03-01"}


def test_who_is_approved_again_has_all_the_days_again():
    space = Association()
    space.days("2025-12-01", "2026-04-20")
    assert space.data["status"] == "suspended"
    decision = _moderation.Decision("approve", "nadia", "2026-04-21")
    assert _moderation.against(space.record, decision, ["velo"]) == ""
    space.apply(_moderation.changes(space.record, decision))
    assert "dormancy" not in space.data
    space.days("2026-04-21", "2027-04-20")
    assert [said for said in space.said if said[0] >= "2026-04-21"] == []
    space.day(DAY("2027-04-21"))
    assert space.data["dormancy"]["first"] == "2027-04-21"


def test_nothing_follows_a_letter_that_was_not_sent():
    space = Association()
    space.days("2026-01-10", "2026-02-09", post=False)
    assert space.data["dormancy"] == {"since": "2025-01-10", "first": "2026-01-10"}
    step = space.day(DAY("2026-02-09"), post=False)
    assert step == (
        {},
        "waits for the letter of 2026-01-10 to be sent; run letters.yml",
    )
    # Too old to be sent: it gets another day, and its own thirty days after that.
    space.day(DAY("2026-02-10"))
    assert space.data["dormancy"]["first"] == "2026-02-10"
    assert space.letters == [("2026-02-10", "dormant")]
    space.days("2026-02-11", "2026-03-12")
    assert space.data["dormancy"]["second"] == "2026-03-12"


def test_nothing_is_closed_whose_suspension_nobody_was_told():
    space = Association()
    space.days("2026-01-10", "2026-04-09")
    space.days("2026-04-10", "2026-08-30", post=False)
    assert space.data["status"] == "suspended"
    assert "never sent: to be written to anew" in space.said[-1][1]


@pytest.mark.parametrize(
    "changes",
    [
        {"hold": True},
        {"dormancy": {"exempt": True}},
        {"dormancy": {"exempt": True, "since": "2025-01-10", "first": "2026-01-10"}},
        {"status": "closed", "closed_on": "2026-01-01"},
        {"status": "requested", "decision": None},
        {"status": "refused", "decision": {"by": "x", "on": "2024-01-01", "reason": "charter"}},
        # Somebody's own suspension, also for the same reason.
        {
            "status": "suspended",
            "decision": {"by": "nadia", "on": "2024-01-01", "reason": "dormant"},
        },
        {
            "status": "suspended",
            "decision": {"by": "archipel", "on": "2024-01-01", "reason": "abuse"},
        },
    ],
)
def test_of_others_nothing_is_written(changes: dict[str, t.Any]):
    space = Association(**changes)
    before = copy.deepcopy(space.data)
    space.days("2026-01-01", "2026-06-01", post=False)
    assert space.data == before
    assert space.day(DAY("2026-06-01")) is None


def test_nobody_is_dormant_where_the_policy_says_never():
    space = Association()
    assert space.day(DAY("2030-01-01"), patience=PATIENCE._replace(days=0)) is None


def test_exempt_that_is_false_is_kept_when_letters_are_forgotten():
    space = Association(dormancy={"exempt": False})
    space.days("2026-01-10", "2026-02-20")
    assert set(space.data["dormancy"]) == {"exempt", "since", "first", "second"}
    space.day(DAY("2026-02-21"), last=DAY("2026-02-20"))
    assert space.data["dormancy"] == {"exempt": False}


def test_a_space_that_nobody_ever_used_is_as_old_as_its_approval():
    space = Association(decision={"by": "x", "on": "2026-01-01"})
    assert space.day(DAY("2026-12-31"), last=None) is None
    space.day(DAY("2027-01-01"), last=None)
    assert space.data["dormancy"]["since"] == "2026-01-01"


@pytest.mark.parametrize("use", [None, _dormancy.Use(0, noon(DAY("2025-12-29")).timestamp())])
def test_what_is_not_known_is_no_sleep(use: _dormancy.Use | None):
    """A node that does not answer, or whose report is old: somebody may have come since."""
    step = _dormancy.plan(Association().record, use, PATIENCE, frozenset(), noon(DAY("2026-01-10")))
    assert step is not None
    assert step == ({}, "when it was used is not known: its node has no new report")


def test_the_day_of_its_suspension_is_said_in_every_letter():
    space = Association()
    ends = []
    for day in ("2026-01-10", "2026-02-09", "2026-03-11", "2026-04-10"):
        space.day(DAY(day))
        ends.append(_dormancy.suspends_on(space.data, 30))
    assert ends == ["2026-04-10", "2026-04-10", "2026-04-10", ""]
    assert _dormancy.suspends_on(Association().data, 30) == ""


@pytest.mark.parametrize(
    ("accounts", "known"),
    [
        ({"last_use": 5, "at": "2026-01-01T00:00:00Z"}, True),
        ({"last_use": 0, "at": "2026-01-01T00:00:00Z"}, True),
        ({"last_use": None, "at": "2026-01-01T00:00:00Z"}, False),
        ({"last_use": 5, "at": "yesterday"}, False),
        ({"last_use": 5, "at": None}, False),
        ({"last_use": "5", "at": "2026-01-01T00:00:00Z"}, False),
        ({}, False),
        (None, False),
    ],
)
def test_what_a_node_says_is_read_with_care(accounts: t.Any, known: bool):
    assert ("velo" in read_uses({"velo": {"accounts": accounts}})) is known


# --- the whole action, on files ----------------------------------------------------------


def run(environment: Environment, *options: str, last: int = 0, **policy: int) -> dict[str, t.Any]:
    now = datetime.datetime.now(tz=datetime.UTC).isoformat()
    given = {"days": 365, "notice_days": 30, "closing_days": 90, "letters_days": 30, **policy}
    arguments = {
        "placement": {"path": str(environment.lock), "environment": "lab"},
        "states": {"velo-ecole": {"accounts": {"last_use": last, "at": now}}},
        **given,
    }
    done = environment.command(
        "ansible",
        "localhost",
        "-m",
        "archipel.spaces.dormancy",
        "-a",
        json.dumps(arguments),
        *options,
    )
    text = done.stdout
    found: dict[str, t.Any] = json.loads(text[text.index("{") :])
    return found


TEXT = """\
# The bicycle school.
name: "Vélo-école"   # since 2019
status: approved

contact:
  email: bureau@velo-ecole.example
decision: {by: moderation, on: "2024-05-30"}
"""


def test_a_file_is_changed_and_all_else_of_it_stays(environment: Environment):
    path = environment.write("spaces/velo-ecole.yml", TEXT)
    environment.placement("velo-ecole: {id: 70000, web: node1, db: node1}")
    checked = run(environment, "--check")
    assert checked["changed"]
    assert path.read_text(encoding="utf-8") == TEXT
    assert run(environment)["spaces"] == checked["spaces"]
    today = datetime.datetime.now(tz=datetime.UTC).date()
    text = path.read_text(encoding="utf-8")
    assert text.startswith(TEXT[: TEXT.index("decision")])
    noted = {key: str(value) for key, value in yaml.safe_load(text)["dormancy"].items()}
    assert noted == {"since": "2024-05-30", "first": today.isoformat()}
    again = run(environment)
    assert not again["changed"]
    assert again["unused"] == [
        f"velo-ecole: waits for the letter of {today} to be sent; run letters.yml"
    ]
    assert environment.problems() == []
    # Used again: the file is what it was.
    assert run(environment, last=int(noon(today).timestamp()))["changed"]
    assert path.read_text(encoding="utf-8").rstrip() == TEXT.rstrip()


@pytest.mark.parametrize(
    ("dormancy", "sentence"),
    [
        ({"exempt": "yes"}, 'dormancy.exempt: found "yes"; allowed: true'),
        ({"exemt": True}, "dormancy.exemt: unknown key"),
        ({"first": "2024-02-31"}, 'dormancy.first: found "2024-02-31"; allowed: the day'),
        ([], "dormancy: found"),
    ],
)
def test_a_wrong_key_is_said(environment: Environment, dormancy: t.Any, sentence: str):
    environment.space("velo-ecole", dormancy=dormancy)
    (problem,) = environment.problems()
    assert sentence in problem
