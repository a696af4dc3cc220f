# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What associations ask from within their spaces: from the node's file to the decision."""

from __future__ import annotations

import datetime
import json
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.parsing.vault import VaultLib

from ansible_collections.archipel.spaces.plugins.plugin_utils._intake import (
    _change,
    _decide,
    _files,
    _intake,
    _letters,
    _moderation,
    _waiting,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _edit, _strict_yaml
from tests.unit.environment import ROOT, Environment

REASONS = yaml.safe_load((ROOT / "group_vars/all/intake.yml").read_text())["archipel_reasons"]
MAXIMUM = {"accounts": 200, "storage_gb": 200}
ID = "0123456789abcdef0123456789abcdef"
ASKED: dict[str, t.Any] = {
    "format": 1,
    "kind": "change",
    "id": ID,
    "received": "2026-05-30T10:00:00Z",
    "via": "space",
    "space": "velo-ecole",
    "account": "nadia",
    "what": "storage",
    "value": 80,
    "text": "We grow.",
}
TEXT = """\
# The bicycle school.
name: "Vélo-école"   # since 2019
status: approved
contact: {email: bureau@velo-ecole.example}

decision:
  by: moderation
  on: "2024-05-30"
domains: [velo.example]   # theirs
"""


@pytest.fixture
def inbox(environment: Environment) -> Path:
    environment.write("spaces/velo-ecole.yml", TEXT)
    environment.placement("velo-ecole: {id: 70000, web: node1, db: node1}")
    folder = environment.root.parent.parent / "inbox"
    folder.mkdir()
    return folder


def take(environment: Environment, inbox: Path, **options: t.Any) -> _files.Outcome:
    intake = _intake.Intake(inbox, frozenset(), ["collabora"], vaulted=False, **options)
    return _intake.take_in(environment.home, intake, VaultLib(), write=True)


def ask(inbox: Path, file: str = ID, **changes: t.Any) -> Path:
    values = {key: value for key, value in {**ASKED, **changes}.items() if value is not None}
    path = inbox / f"{file}.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


def read(environment: Environment) -> dict[str, t.Any]:
    data = (environment.registry / "velo-ecole.yml").read_bytes()
    found: dict[str, t.Any] = _strict_yaml.load(data)
    return found


def decide(
    environment: Environment, kind: str, reason: str = "", later: str = ""
) -> _files.Outcome:
    decision = _moderation.Decision(kind, "moderation", "2026-06-01", reason, later, MAXIMUM)
    return _decide.decide(
        environment.home, ["velo-ecole"], decision, REASONS, VaultLib(), write=True
    )


class TestARequest:
    def test_waits_in_the_file_of_its_space(self, environment: Environment, inbox: Path):
        path = ask(inbox)
        outcome = take(environment, inbox)
        assert outcome.changes == {"velo-ecole": ["asks for 80 GB of storage"]}
        assert outcome.done == [f"{ID}.json"]
        assert not path.exists()
        assert read(environment)["change"] == {
            "id": ID,
            "on": "2026-05-30",
            "by": "nadia",
            "what": "storage",
            "value": 80,
            "text": "We grow.",
        }
        text = (environment.registry / "velo-ecole.yml").read_text(encoding="utf-8")
        assert text.startswith(TEXT)
        assert environment.problems() == []

    def test_that_was_taken_in_is_none_the_second_time(self, environment: Environment, inbox: Path):
        """Also once it was decided on, and with the files that are kept."""
        ask(inbox)
        take(environment, inbox, keep=True)
        decide(environment, "refuse", "too-large")
        before = read(environment)
        assert take(environment, inbox, keep=True).changes == {}
        assert read(environment) == before

    def test_takes_the_place_of_one_that_waits(self, environment: Environment, inbox: Path):
        ask(inbox)
        take(environment, inbox)
        other = "f" * 32
        ask(inbox, other, id=other, what="accounts", value=70, text=None)
        assert take(environment, inbox).refused == {}
        assert read(environment)["change"]["what"] == "accounts"
        assert "text" not in read(environment)["change"]

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"space": "nobody"}, 'space: found "nobody"; it has no file, or one that is wrong'),
            ({"space": "../etc"}, "space: found"),
            ({"what": "purge"}, 'what: found "purge"; allowed: storage, accounts, domain'),
            ({"value": "many"}, "value: found"),
            ({"value": "velo.example"}, "allowed for storage: a whole number"),
            ({"value": None}, "allowed for storage: a whole number"),
            ({"value": 0}, "value: found"),
            ({"what": "domain", "value": 5}, "allowed for domain: a host name"),
            ({"what": "domain", "value": "https://x.example"}, "value: found"),
            ({"what": "close", "value": 5}, "allowed for close: none"),
            ({"via": "form"}, "via: found"),
            ({"kind": "purge"}, 'kind: found "purge"; allowed: space, change'),
            ({"text": "x" * 2001}, "text: found"),
            ({"account": None}, "account: missing"),
            ({"name": "Other"}, "name: unknown key"),
            ({"id": "../../etc"}, "id: found"),
        ],
    )
    def test_that_is_wrong_stays_where_it_is(
        self, environment: Environment, inbox: Path, changes: dict[str, t.Any], said: str
    ):
        before = environment.tree()
        path = ask(inbox, **changes)
        (found,) = take(environment, inbox).refused.values()
        assert any(said in sentence for sentence in found), found
        assert path.exists()
        assert environment.tree() == before

    @pytest.mark.parametrize("status", ["requested", "refused", "suspended", "closed"])
    def test_of_a_space_in_which_nobody_can_be_is_none(
        self, environment: Environment, inbox: Path, status: str
    ):
        decision = {"by": "x", "on": "2024-01-01", "reason": "charter"}
        more = {"closed_on": "2024-02-01"} if status == "closed" else {}
        environment.space("velo-ecole", status=status, decision=decision, **more)
        ask(inbox)
        (found,) = take(environment, inbox).refused.values()
        assert found == [f"space: velo-ecole is {status}; nobody can ask from within it"]

    @pytest.mark.parametrize(
        "text",
        [
            "{{ 7 * 7 }} {% raw %}",
            "a: b\n- c\n...\n---\nstatus: closed",
            "' \" \\ | > & * ! % @ `",
            "<script>x</script>",
            "\u202egnp.exe\u200b",
            "🚲 日本語",
            "!!python/object/apply:os.system [id]",
        ],
    )
    def test_with_hostile_words_stays_words(self, environment: Environment, inbox: Path, text: str):
        ask(inbox, text=text)
        assert take(environment, inbox).refused == {}
        assert read(environment)["status"] == "approved"
        assert set(read(environment)) == {
            *("name", "status", "contact", "decision", "domains", "change"),
        }
        assert environment.problems() == []

    def test_is_listed_with_what_waits(self, environment: Environment, inbox: Path):
        ask(inbox)
        take(environment, inbox)
        records = _files.read(environment.home, VaultLib()).records
        patience = _moderation.Patience(60, 14)
        waiting = _waiting.collect(records, {}, patience, datetime.date(2026, 6, 2))
        (one,) = waiting
        assert (one["age"], one["waits_for"], one["ends_on"]) == (3, "decision", "")
        assert one["details"] == {
            "asks for": "80 GB of storage",
            "asked by": "nadia",
            "wrote": "We grow.",
        }
        assert _waiting.sentences(waiting, sealed=False)[1].endswith(
            "3 days, waits for a decision on 80 GB of storage"
        )
        decide(environment, "approve")
        records = _files.read(environment.home, VaultLib()).records
        assert _waiting.collect(records, {}, patience, datetime.date(2026, 6, 2)) == []

    def test_does_not_end_by_itself(self, environment: Environment, inbox: Path):
        ask(inbox)
        take(environment, inbox)
        before = environment.tree()
        patience = _moderation.Patience(60, 14)
        late = datetime.date(2030, 1, 1)
        assert (
            _decide.expire(environment.home, patience, late, VaultLib(), write=True).changes == {}
        )
        assert environment.tree() == before


class TestADecision:
    @pytest.mark.parametrize(
        ("what", "value", "key", "becomes"),
        [
            ("storage", 80, "limits", {"storage_gb": 80}),
            ("accounts", 150, "limits", {"accounts": 150}),
            ("storage", 900, "limits", {"storage_gb": 900, "approved_by": "moderation"}),
            ("domain", "cloud.velo.example", "domains", ["velo.example", "cloud.velo.example"]),
            ("domain", "velo.example", "domains", ["velo.example"]),
        ],
    )
    def test_grants_what_was_asked_for(
        self,
        environment: Environment,
        inbox: Path,
        what: str,
        value: t.Any,
        key: str,
        becomes: t.Any,
    ):
        ask(inbox, what=what, value=value)
        take(environment, inbox)
        assert decide(environment, "approve").refused == {}
        found = read(environment)
        assert found[key] == becomes
        assert found["status"] == "approved"
        # Who decided on the space itself stays who it was.
        assert found["decision"]["on"] == "2024-05-30"
        decided = found["change"]["decided"]
        assert (decided["decision"], decided["by"]) == ("granted", "moderation")
        assert environment.problems() == []

    @pytest.mark.parametrize(
        ("what", "later", "status", "key"),
        [
            ("suspend", "", "suspended", "decision"),
            ("close", "", "closed", "closed_on"),
            ("close", "2026-09-01", "approved", "closing"),
        ],
    )
    def test_ends_the_space_as_any_decision_does(
        self, environment: Environment, inbox: Path, what: str, later: str, status: str, key: str
    ):
        ask(inbox, what=what, value=None)
        take(environment, inbox)
        # A day is for closings; `close` on a space that asked for it is the same decision.
        assert decide(environment, "close" if later else "approve", later=later).refused == {}
        found = read(environment)
        assert found["status"] == status
        assert key in found
        if not later:
            assert found["decision"]["reason"] == "on-request"

    def test_declines_with_a_reason(self, environment: Environment, inbox: Path):
        ask(inbox)
        take(environment, inbox)
        assert "reason: missing" in str(decide(environment, "refuse").refused)
        assert decide(environment, "refuse", "too-large").refused == {}
        found = read(environment)
        assert "limits" not in found
        assert found["status"] == "approved"
        assert found["change"]["decided"]["reason"] == "too-large"
        # It is decided on once.
        assert "is approved; allowed to refuse: requested" in str(
            decide(environment, "refuse", "charter").refused
        )

    def test_has_no_room_for_a_twenty_first_domain(self, environment: Environment, inbox: Path):
        environment.space("velo-ecole", domains=[f"d{n}.example" for n in range(20)])
        ask(inbox, what="domain", value="one.more.example")
        take(environment, inbox)
        assert "has 20 domains, the most there can be" in str(
            decide(environment, "approve").refused
        )
        assert "decided" not in read(environment)["change"]


@pytest.mark.parametrize(
    ("what", "decision", "steps"),
    [
        ("storage", None, []),
        ("storage", "granted", ["granted"]),
        ("storage", "declined", ["declined"]),
        ("close", "granted", []),
        ("close", "declined", ["declined"]),
    ],
)
def test_the_answer_is_a_letter(
    environment: Environment, what: str, decision: str | None, steps: list[str]
):
    change: dict[str, t.Any] = {"id": ID, "on": "2026-05-30", "by": "nadia", "what": what}
    if decision:
        change["decided"] = {"decision": decision, "by": "x", "on": "2026-06-01"}
    environment.space("velo-ecole", change=change)
    (record,) = _files.read(environment.home, VaultLib()).records
    assert [event.step for event in _letters.find_events(record, {})] == steps


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("what", ["storage", "accounts", "domain", "suspend", "close"])
def test_everything_has_words_in_both_languages(language: str, what: str):
    said = _change.describe({"what": what, "value": 7}, language)
    assert ("7" in said) is (what in {"storage", "accounts", "domain"})


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("name: x\ndomains: [a.example]  # one\n", 'domains: ["a.example", "b.example"]'),
        ("name: x\ndomains:\n  - a.example\n# end\n", 'domains: ["a.example", "b.example"]'),
        ("name: x\n", 'domains: ["a.example", "b.example"]'),
        ('{name: x, "domains": [a.example]}\n', '"domains": ["a.example", "b.example"]'),
    ],
)
def test_a_list_is_written_where_it_stood(text: str, after: str):
    found = _edit.edit(text.encode(), {("domains",): ["a.example", "b.example"]}).decode()
    assert after in found
    assert yaml.safe_load(found) == {"name": "x", "domains": ["a.example", "b.example"]}
