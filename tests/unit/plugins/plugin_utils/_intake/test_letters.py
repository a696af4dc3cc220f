# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which letters are due, and what they say in both languages."""

from __future__ import annotations

import datetime
import re
import typing as t
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from ansible.parsing.vault import VaultLib

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import RegistryError
from ansible_collections.archipel.spaces.plugins.plugin_utils._intake import (
    _correspondence,
    _letters,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry._registry import Record
from tests.unit.environment import ROOT, Environment


def shipped(name: str) -> t.Any:
    return yaml.safe_load((ROOT / "group_vars/all" / name).read_text(encoding="utf-8"))


LETTERS = shipped("letters.yml")["archipel_letters"]
HOUSE = _letters.House(
    operator={"name": "Réseau", "url": "https://r.example", "email": "aide@r.example"},
    url="https://{slug}.spaces.example.org",
    templates=LETTERS,
    reasons=shipped("intake.yml")["archipel_reasons"],
    locale="fr",
    grace_days=30,
)
NADIA = {"email": "nadia@b.example", "name": "Nadia"}
DECIDED = {"by": "x", "on": "2026-01-05", "reason": "charter"}
ASKED = {"by": "x", "on": "2026-01-03", "reason": "what-for"}
SLEEPING = {
    "since": "2024-01-01",
    "first": "2025-11-01",
    "second": "2025-12-01",
    "third": "2026-01-09",
}
TODAY = datetime.date(2026, 1, 10)
ASKED_BY_FORM = {"on": "2026-01-01", "via": "form"}
CLOSING = {"on": "2026-02-01", "by": "x", "noticed_on": "2026-01-06", "reason": "on-request"}


def record(**changes: t.Any) -> Record:
    data = {"name": "Vélo-école", "status": "requested", **changes}
    return Record("velo", "spaces/velo.yml", data)


@pytest.mark.parametrize(
    ("changes", "purged", "steps"),
    [
        ({"request": {"on": "2026-01-01", "via": "form"}}, {}, ["received"]),
        ({"request": {"on": "2026-01-01"}}, {}, []),
        ({}, {}, []),
        ({"request": {"on": "2026-01-01", "via": "form", "asked": ASKED}}, {}, ["question"]),
        ({"request": {"on": "2026-01-01", "noticed_on": "2026-01-09"}}, {}, ["ending"]),
        ({"status": "refused", "decision": DECIDED}, {}, ["refused"]),
        ({"status": "suspended", "decision": DECIDED}, {}, ["suspended"]),
        ({"status": "approved", "decision": DECIDED}, {}, []),
        ({"status": "approved", "decision": DECIDED, "request": ASKED_BY_FORM}, {}, ["approved"]),
        ({"status": "approved", "decision": DECIDED, "closing": CLOSING}, {}, ["closing"]),
        ({"status": "suspended", "decision": DECIDED, "closing": CLOSING}, {}, ["closing"]),
        ({"status": "approved", "decision": DECIDED, "dormancy": {"exempt": True}}, {}, []),
        ({"status": "approved", "dormancy": {"first": "2026-01-09"}}, {}, ["dormant"]),
        ({"status": "approved", "dormancy": SLEEPING}, {}, ["dormant-last"]),
        ({"status": "closed", "decision": DECIDED, "closed_on": "2026-01-06"}, {}, ["closed"]),
        (
            {"status": "closed", "decision": DECIDED, "closed_on": "2026-01-06"},
            {"velo": "2026-01-09T10:00:00+00:00"},
            ["purged"],
        ),
    ],
)
def test_what_a_file_is_worth(changes: dict[str, t.Any], purged: dict[str, str], steps: list[str]):
    assert [event.step for event in _letters.find_events(record(**changes), purged)] == steps


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (["velo/closed/2026-01-02/ab"], {"velo"}),
        # A space that was purged, and a new one of the same name.
        (["velo/closed/2026-01-02/ab", "velo/purged/2026-04-02/ab"], set()),
        (["velo/purged/2026-04-02/ab", "velo/suspended/2026-06-02/ab"], {"velo"}),
    ],
)
def test_who_was_told_of_an_end_is_told_that_it_is_over(sent: list[str], told: set[str]):
    assert _letters.list_told(sent) == told


def test_who_was_told_of_a_suspension_is_told_of_its_end():
    told = _letters.list_told(["velo/suspended/2026-01-02/ab", "cine/refused/2026-01-02/ab", "x"])
    assert told == {"velo"}
    one = record(status="approved", decision=DECIDED)
    (event,) = _letters.find_events(one, {}, told)
    assert event.key.startswith("velo/reopened/2026-01-05/")


def test_each_event_once_and_old_ones_never():
    event = _letters.Event("velo", "refused", "2026-01-05", "charter")
    assert _letters.find_due([event], frozenset(), TODAY, 5) == [event]
    assert _letters.find_due([event], frozenset(), TODAY, 4) == []
    assert _letters.find_due([event], frozenset({event.key}), TODAY, 5) == []
    # Another question on the same day is another letter.
    assert event._replace(reason="stale").key != event.key
    assert re.fullmatch(r"velo/refused/2026-01-05/[0-9a-f]{8}", event.key)


def composed(step: str, language: str, **changes: t.Any) -> _letters.Letter:
    event = _letters.Event("velo", step, "2026-01-01", "charter" if step == "refused" else "")
    one = record(locale=language, **changes)
    return _letters.compose(event, one, NADIA, "2026-03-01", HOUSE)


class Page(HTMLParser):
    """What a mail program makes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.mark.parametrize("step", _letters.STEPS)
@pytest.mark.parametrize("language", _letters.LANGUAGES)
def test_every_letter_is_whole_in_both_languages(step: str, language: str):
    letter = composed(step, language, closed_on="2026-01-01")
    assert letter["to"] == "nadia@b.example"
    assert "Vélo-école" in letter["subject"]
    assert letter["text"].startswith("Bonjour Nadia,\n" if language == "fr" else "Hello Nadia,\n")
    assert letter["text"].endswith("Réseau\nhttps://r.example\n")
    assert not re.search(r"[{}]", letter["text"] + letter["subject"])
    page = Page(letter["html"])
    assert f'<html lang="{language}">' in letter["html"]
    assert set(page.tags) <= {"html", "head", "meta", "title", "body", "div", "p", "br", "a"}
    assert "https://r.example" in page.links
    for line in letter["text"].split("\n"):
        assert line in page.words


def test_french_is_typeset_as_french():
    wrong = re.compile(r"\w'\w| [:;!?»%](?!\w)|« ")
    texts = [*LETTERS.values(), *HOUSE.reasons.values()]
    french = [one["fr"] for one in texts]
    for one in french:
        for text in one.values() if isinstance(one, dict) else [one]:
            assert wrong.findall(text) == [], text


def test_days_are_written_as_people_do():
    assert _letters.in_words("2026-06-01", "fr") == "1er\u00a0juin 2026"
    assert _letters.in_words("2026-08-12", "fr") == "12\u00a0août 2026"
    assert _letters.in_words("2026-06-01", "en") == "1 June 2026"


def test_what_strangers_wrote_is_words():
    name = '{reason} <b>x</b> https://evil.example/"onclick=1 {{ 1 }}'
    letter = composed("refused", "en", name=name)
    assert name in letter["text"]
    page = Page(letter["html"])
    assert "b" not in page.tags
    assert 'onclick="' not in letter["html"]
    assert name in page.words


def test_a_paragraph_of_nothing_is_left_out():
    event = _letters.Event("velo", "closed", "2026-01-01")
    one = record(closed_on="2026-01-01", locale="en")
    text = _letters.compose(event, one, {"email": "x@y.example"}, "", HOUSE)["text"]
    assert "\n\n\n" not in text
    assert "kept until 31 January 2026" in text
    assert text.startswith("Hello,\n")


def test_templates_are_checked_and_own_ones_count():
    assert _letters.check(LETTERS) == []
    own = {"refused": {"fr": {"subject": "Non", "text": "{raison}"}}}
    merged = _correspondence.merge(LETTERS, own)
    assert merged["refused"]["en"] == LETTERS["refused"]["en"]
    (problem,) = _letters.check(merged)
    assert problem.startswith("archipel_letters: refused.fr.text: nobody fills in {raison}")
    assert len(_letters.check({})) == len(_letters.STEPS) * 4


class TestTheRecord:
    WANTED = _correspondence.Wanted(TODAY, 30, 60, 14, 30)

    def due(self, environment: Environment, **changes: t.Any) -> list[str]:
        wanted = self.WANTED._replace(**changes)
        found = _correspondence.compose(environment.home, HOUSE, wanted, VaultLib())
        return [one["key"] for one in found]

    def test_keeps_a_letter_from_being_sent_again(self, environment: Environment):
        environment.space("cine", status="refused", decision=DECIDED)
        (key,) = self.due(environment)
        assert self.due(environment, only=frozenset({"velo-ecole"})) == []
        _correspondence.record(environment.home, {key: 1_767_600_000.0})
        assert self.due(environment) == []
        before = environment.tree()
        _correspondence.record(environment.home, {key: 1_800_000_000.0})
        assert environment.tree() == before
        assert "@" not in (environment.home / "letters.txt").read_text()

    def test_names_that_are_none(self, environment: Environment):
        environment.space("cine", status="refused", decision=DECIDED)
        with pytest.raises(RegistryError, match=r'only=cin: has no file.*Did you mean "cine"'):
            self.due(environment, only=frozenset({"cin", "cine"}))

    def test_says_when_a_space_will_be_closed(self, environment: Environment):
        decided = {**DECIDED, "reason": None}
        environment.space("cine", decision={k: v for k, v in decided.items() if v}, closing=CLOSING)
        (one,) = _correspondence.compose(environment.home, HOUSE, self.WANTED, VaultLib())
        assert one["subject"].endswith("va fermer le 1er\u00a0février 2026")
        assert "Vous nous l’avez demandé." in one["text"]

    def test_that_was_cut_short_or_damaged(self, environment: Environment):
        path = environment.home / "letters.txt"
        path.write_text('{"at": "x", "letter": "a"}\n{"at": "x", "lett')
        assert _correspondence.read(environment.home) == {"a": "x"}
        path.write_text("<<<<<<< HEAD\n")
        with pytest.raises(RegistryError, match=r"letters\.txt:1: no line of ours"):
            _correspondence.read(environment.home)

    def test_a_preview_is_text_and_a_page(self, environment: Environment, tmp_path: Path):
        environment.space("cine", status="refused", decision=DECIDED)
        (one,) = _correspondence.compose(environment.home, HOUSE, self.WANTED, VaultLib())
        _correspondence.preview(one, tmp_path / "new")
        text = (tmp_path / "new/cine.refused.txt").read_text()
        assert text.startswith("To: bureau@velo-ecole.example\nSubject: Votre demande pour")
        assert (tmp_path / "new/cine.refused.html").read_text() == one["html"]


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("fr", ["depuis le 1er janvier 2024", "le 8 février 2026", "copie complète"]),
        ("en", ["since 1 January 2024", "on 8 February 2026", "complete copy"]),
    ],
)
def test_who_uses_nothing_is_told_until_when(
    tmp_path: Path, environment: Environment, locale: str, words: list[str]
):
    environment.space("velo-ecole", locale=locale, dormancy=SLEEPING, contact=NADIA)
    environment.placement("velo-ecole: {id: 70000, web: node1, db: node1}")
    wanted = _correspondence.Wanted(TODAY, 30, 60, 14, 30)
    (letter,) = _correspondence.compose(environment.home, HOUSE, wanted, VaultLib())
    assert letter["step"] == "dormant-last"
    text = letter["text"].replace("\u00a0", " ").replace("\n", " ")
    for word in words:
        assert word in text, text


@pytest.mark.parametrize(
    "changes", [{"closing": CLOSING}, {"status": "closed", "closed_on": "2026-01-05"}]
)
def test_nobody_is_written_to_about_a_copy(changes: dict[str, t.Any]):
    of = {"space": "velo-ecole", "on": "2026-01-01", "by": "x", "consent": "a mail"}
    data = {"status": "approved", "decision": DECIDED, **changes}
    assert list(_letters.find_events(record(**data), {}))
    assert list(_letters.find_events(record(**data, copy_of=of), {})) == []
