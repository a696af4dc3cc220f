# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Decisions as changes of files, and what time does to requests."""

from __future__ import annotations

import copy
import datetime
import json
import typing as t

import pytest
import yaml

from ansible_collections.archipel.spaces.plugins.plugin_utils._intake import _moderation, _waiting
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry._registry import Record
from tests.unit.environment import ROOT

REASONS = yaml.safe_load((ROOT / "group_vars/all/intake.yml").read_text())["archipel_reasons"]
PATIENCE = _moderation.Patience(60, 14)
DAY = datetime.date.fromisoformat


def record(slug: str = "velo", **changes: t.Any) -> Record:
    data = {
        "name": "Vélo-école",
        "status": "requested",
        "contact": {"email": "a@b.example"},
        "request": {"on": "2026-01-01", "via": "form"},
        **changes,
    }
    return Record(slug, f"spaces/{slug}.yml", data)


def decision(kind: str, reason: str = "", by: str = "nadia") -> _moderation.Decision:
    return _moderation.Decision(kind, by, "2026-01-05", reason)


class TestADecision:
    @pytest.mark.parametrize(
        ("kind", "reason"),
        [
            ("approve", ""),
            ("approve", "after a call with their treasurer"),
            ("refuse", "charter"),
            ("refuse", "the town hall has one for them"),
            ("ask", "what-for"),
            ("suspend", "abuse"),
            ("close", ""),
        ],
    )
    def test_that_is_right(self, kind: str, reason: str):
        assert _moderation.check(decision(kind, reason), REASONS) == []

    @pytest.mark.parametrize(
        ("kind", "reason", "said"),
        [
            (
                "aprove",
                "",
                'decision: found "aprove"; allowed: approve, refuse, ask, suspend, close. '
                'Did you mean "approve"?',
            ),
            ("refuse", "", "reason: missing; allowed: not-an-association, charter"),
            ("ask", "charter", 'reason: found "charter"; allowed: which-association'),
            ("refuse", "chartre", 'Did you mean "charter"?'),
            ("approve", "ok", 'reason: found "ok"; allowed: '),
        ],
    )
    def test_that_is_wrong(self, kind: str, reason: str, said: str):
        (problem,) = _moderation.check(decision(kind, reason), REASONS)
        assert said in problem

    def test_is_somebodys(self):
        assert _moderation.check(decision("approve", by=" "), REASONS) == [
            "by: missing; allowed: who decides, such as -e by=nadia"
        ]

    @pytest.mark.parametrize(
        ("kind", "status", "said"),
        [
            ("approve", "approved", "is approved, and nobody is about to close it"),
            ("approve", "closed", "was purged: there is nothing to open again"),
            ("refuse", "approved", "is approved; allowed to refuse: requested"),
            ("ask", "refused", "is refused; allowed to ask: requested"),
            ("suspend", "closed", "is closed; allowed to suspend: approved"),
            ("close", "requested", "is requested; allowed to close: approved or suspended"),
            ("close", "approved", "was never made: there is nothing to close"),
        ],
    )
    def test_that_cannot_be_taken(self, kind: str, status: str, said: str):
        found = _moderation.against(record(status=status), decision(kind, "charter"), [])
        assert found.startswith(said)

    def test_to_close_dates_the_end(self):
        changes = _moderation.changes(record(status="approved"), decision("close"))
        assert changes["status",] == "closed"
        assert changes["closed_on",] == "2026-01-05"

    def test_opens_what_was_closed_and_is_still_there(self):
        one = record(status="closed", closed_on="2026-01-02")
        assert _moderation.against(one, decision("approve"), [one.slug]) == ""
        changes = _moderation.changes(one, decision("approve"))
        assert (changes["status",], changes["closed_on",]) == ("approved", None)

    @pytest.mark.parametrize(
        ("noted", "expected"),
        [
            ({"since": "2024-01-01", "first": "2025-02-01"}, {("dormancy",): None}),
            (
                {"since": "2024-01-01", "first": "2025-02-01", "exempt": False},
                {("dormancy", "since"): None, ("dormancy", "first"): None},
            ),
            ({"exempt": True}, {}),
        ],
    )
    def test_to_open_forgets_that_nobody_used_it(
        self, noted: dict[str, t.Any], expected: dict[t.Any, None]
    ):
        """Else its association is written to as one that sleeps, and not that it is back."""
        one = record(status="suspended", dormancy=noted)
        changes = _moderation.changes(one, decision("approve"))
        assert {key: value for key, value in changes.items() if key[0] == "dormancy"} == expected


CLOSING = {"on": "2026-02-01", "by": "nadia", "noticed_on": "2026-01-05", "reason": "on-request"}


class TestAClosingThatIsAnnounced:
    def later(self, day: str, kind: str = "close") -> _moderation.Decision:
        reason = "charter" if kind == "suspend" else ""
        return decision(kind, reason)._replace(later=day)

    def test_is_for_a_day_to_come(self):
        assert _moderation.check(self.later("2026-01-06"), REASONS) == []

    @pytest.mark.parametrize(
        ("day", "kind"),
        [
            ("2026-01-05", "close"),
            ("2025-12-31", "close"),
            ("20260201", "close"),
            ("2026-02-30", "close"),
            ("soon", "close"),
            ("2026-02-01", "approve"),
            ("2026-02-01", "suspend"),
        ],
    )
    def test_that_cannot_be(self, day: str, kind: str):
        (problem,) = _moderation.check(self.later(day, kind), REASONS)
        assert problem.startswith(f'day: found "{day}"; allowed: a day after 2026-01-05')

    def test_stands_in_the_file_and_changes_nothing_else(self):
        one = record(status="approved")
        changes = _moderation.changes(one, self.later("2026-02-01"))
        assert {place[0] for place in changes} == {"closing"}
        assert changes["closing", "on"] == "2026-02-01"
        assert changes["closing", "noticed_on"] == "2026-01-05"

    @pytest.mark.parametrize("status", ["approved", "suspended"])
    def test_is_done_on_its_day_and_not_before(self, status: str):
        one = record(status=status, closing=CLOSING)
        assert _moderation.expire(one, PATIENCE, DAY("2026-01-31")) == {}
        assert _moderation.expire(record(**one.data, hold=True), PATIENCE, DAY("2027-01-01")) == {}
        for day in ("2026-02-01", "2026-03-01"):
            changes = _moderation.expire(one, PATIENCE, DAY(day))
            assert (changes["status",], changes["closed_on",]) == ("closed", day)
            assert (changes["decision", "by"], changes["decision", "on"]) == ("nadia", day)
            assert changes["decision", "reason"] == "on-request"
            assert changes["closing",] is None

    def test_is_taken_back(self):
        one = record(status="approved", closing=CLOSING)
        assert _moderation.against(one, decision("approve"), ["velo"]) == ""
        assert _moderation.changes(one, decision("approve")) == {("closing",): None}
        one = record(status="suspended", closing=CLOSING)
        changes = _moderation.changes(one, decision("approve"))
        assert (changes["status",], changes["closing",]) == ("approved", None)


class TestRefusedRequests:
    PATIENCE = _moderation.Patience(60, 14, 365)

    def is_forgotten(self, day: str, *placed: str, **changes: t.Any) -> bool:
        decided = {"by": "x", "on": "2026-01-05", "reason": "charter"}
        one = record(**{"status": "refused", "decision": decided, **changes})
        patience = changes.pop("patience", self.PATIENCE)
        return _moderation.is_forgotten(one, patience, DAY(day), frozenset(placed))

    def test_are_erased_after_their_days(self):
        assert not self.is_forgotten("2027-01-04")
        assert self.is_forgotten("2027-01-05")

    def test_are_kept_where_somebody_wants_them(self):
        assert not self.is_forgotten("2036-01-01", "velo")
        assert not self.is_forgotten("2036-01-01", hold=True)
        assert not self.is_forgotten("2036-01-01", status="approved")
        assert not self.is_forgotten("2036-01-01", patience=PATIENCE)


def test_the_catalogue_says_everything_in_both_languages():
    assert {"stale", "not-an-association"} <= set(REASONS)
    for one in REASONS.values():
        assert set(one["for"]) <= set(_moderation.DECISIONS)
        assert one["fr"] != one["en"]
    assert "refuse" in REASONS[_moderation.STALE]["for"]


class TestTime:
    def after(self, one: Record, day: str) -> Record:
        """Return a record as a run on a day leaves it."""
        data: dict[str, t.Any] = copy.deepcopy(dict(one.data))
        for place, value in _moderation.expire(one, PATIENCE, DAY(day)).items():
            inside = data
            for step in place[:-1]:
                inside = inside.setdefault(step, {})
            if value is not None:
                inside[place[-1]] = value
        return Record(one.slug, one.path, data)

    def test_tells_first_and_ends_later(self):
        one = record()
        assert _moderation.expire(one, PATIENCE, DAY("2026-02-15")) == {}
        told = self.after(one, "2026-02-16")
        assert told.data["request"]["noticed_on"] == "2026-02-16"
        assert _moderation.expire(told, PATIENCE, DAY("2026-03-01")) == {}
        ended = self.after(told, "2026-03-02")
        assert ended.data["status"] == "refused"
        assert ended.data["decision"] == {"by": "archipel", "on": "2026-03-02", "reason": "stale"}

    def test_never_ends_before_the_notice_had_its_days(self):
        """Nobody ran intake.yml for a year."""
        told = self.after(record(), "2027-01-01")
        assert told.data["status"] == "requested"
        assert _moderation.ends_on(told, PATIENCE) == DAY("2027-01-15")
        assert self.after(told, "2027-01-14").data["status"] == "requested"
        assert self.after(told, "2027-01-15").data["status"] == "refused"

    def test_begins_anew_with_a_question(self):
        told = self.after(record(), "2026-02-16")
        asked = _moderation.changes(told, decision("ask", "what-for"))
        assert asked["request", "noticed_on"] is None
        request = {"on": "2026-01-01", "asked": {"by": "x", "on": "2026-02-20", "reason": "y z"}}
        one = record(request=request)
        assert _moderation.ends_on(one, PATIENCE) == DAY("2026-04-21")

    @pytest.mark.parametrize(
        "one",
        [
            record(request={}),
            record(status="approved"),
            record(status="refused"),
            record(hold=True),
        ],
    )
    def test_does_nothing(self, one: Record):
        assert _moderation.expire(one, PATIENCE, DAY("2036-01-01")) == {}

    def test_has_no_end_where_the_policy_wants_none(self):
        assert _moderation.expire(record(), _moderation.Patience(0, 14), DAY("2036-01-01")) == {}


class TestTheList:
    HOSTILE = '<script>x</script>"onload=\u202egpj{{ 1 }}\x1b[31m'

    def waiting(self) -> list[_waiting.Waiting]:
        asked = {"by": "nadia", "on": "2026-01-03", "reason": "what-for"}
        records = [
            record("young", name="Young one", request={"on": "2026-01-04"}),
            record("old", name=self.HOSTILE),
            record("asked", name="Asked", request={"on": "2026-01-02", "asked": asked}),
            record("there", status="approved", name="There"),
            record("undated", name="Undated", request={}),
        ]
        records[0].data = {key: v for key, v in records[0].data.items() if key != "contact"}
        contacts = {"young": {"email": "a+1@b.example", "name": "Zoé", "about": "a\n<b>"}}
        return _waiting.collect(records, contacts, PATIENCE, DAY("2026-01-05"))

    def test_has_the_oldest_first_with_its_flags(self):
        said = _waiting.sentences(self.waiting(), sealed=False)
        assert said[0] == "Waiting (4), the oldest first:"
        assert said[1].startswith("old (")
        assert ": 4 days, waits for a decision, ends by itself on 2026-03-02; has the" in said[1]
        assert said[2].startswith("asked (Asked): 3 days, waits for an answer, ends by itself on")
        assert "there (approved)" in said[3]
        assert said[4].startswith("undated (Undated): of unknown age, waits for a decision;")
        assert all(line.isprintable() for line in said)
        assert not any("@" in line for line in said)

    def test_says_what_it_could_not_compare(self):
        assert "no vault password" in _waiting.sentences(self.waiting(), sealed=True)[-1]
        assert _waiting.sentences([], sealed=True) == ["Nothing waits for a decision."]

    def test_names_contacts_of_nobody(self):
        (_nothing, said) = _waiting.sentences([], sealed=False, lost=["cine", "velo"])
        assert said.startswith("Contacts of no file: cine, velo. Take them out")

    def test_is_json(self):
        again = json.loads(json.dumps(self.waiting()))
        assert again[0]["age"] == 4
        assert again[2]["details"]["contact"] == "Zoé <a+1@b.example>"

    def test_is_a_page_on_which_strangers_write_text(self):
        page = _waiting.page(self.waiting(), "lab", "https://f.example/{slug}.yml?a=1&b=2")
        assert "<script" not in page
        assert "\u202e" not in page
        assert "\x1b" not in page
        assert "&lt;script&gt;" in page
        assert '<a href="https://f.example/old.yml?a=1&amp;b=2">' in page
        assert "a\n&lt;b&gt;" in page
        assert "-e only=old -e decision=approve" in page
        assert "<nav>" not in _waiting.page([], "lab", "")
