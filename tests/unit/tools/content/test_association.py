# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The files that say what spaces of the demo get."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.content import association
from tools.demo_text import TEXTS
from tools.lab import LabError

WANTED = association.read_all()
ONE = yaml.safe_load((association.FOLDER / "velo-ecole.yml").read_text(encoding="utf-8"))


def refusal(folder: Path, text: str) -> str:
    path = folder / "velo.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LabError) as caught:
        association.read(path)
    assert str(path) in str(caught.value)
    assert association.SCHEMA.name in str(caught.value)
    return str(caught.value)


def test_there_is_one_for_each_language():
    assert sorted(one["language"] for one in WANTED.values()) == sorted(TEXTS)


@pytest.mark.parametrize("slug", sorted(WANTED))
def test_names_are_as_the_database_and_the_calendar_want_them(slug: str):
    """No two events, cards of a list or accounts have one name: it tells what is there already."""
    wanted = WANTED[slug]
    names = [
        [one["account"] for one in wanted["people"]],
        [event["id"] for event in wanted["calendar"]["events"]],
        *([card["title"] for card in cards] for cards in wanted["board"]["lists"].values()),
    ]
    assert [some for some in names if len(set(some)) != len(some)] == []
    # Half of a month's pictures would be empty otherwise.
    assert any(event["week"] == 0 for event in wanted["calendar"]["events"])
    assert "administration" not in names[0]


@pytest.mark.parametrize("key", sorted(ONE))
def test_a_key_that_lacks_is_named(tmp_path: Path, key: str):
    lacking = {name: value for name, value in ONE.items() if name != key}
    said = refusal(tmp_path, yaml.safe_dump(lacking))
    assert f'"{key}" is a required property' in said


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"colour": "red"}, "the file: Additional properties are not allowed"),
        ({"language": "de"}, "language: "),
        ({"people": []}, "people: "),
        ({"people": [{"account": "Nadia F.", "name": "Nadia"}]}, "people.0.account: "),
        ({"files": {"Lonely.md": "text"}}, "files: "),
        ({"files": {"Bureau/../secret.md": 1}}, "files.Bureau/../secret.md: "),
        ({"files": {"Bureau/100 %.md": "text"}}, "files: "),
        ({"link": "Nowhere"}, "link: found 'Nowhere'; allowed: a folder that files has"),
        ({"board": {"name": "x", "color": "#fff", "lists": {"a": []}}}, "board.color: "),
        ({"board": {"name": "x", "color": "#ffffff", "lists": {"a": ["b"]}}}, "board.lists.a.0: "),
    ],
)
def test_a_wrong_value_is_named_with_its_place(tmp_path: Path, change: dict[str, Any], where: str):
    assert where in refusal(tmp_path, yaml.safe_dump({**ONE, **change}))


@pytest.mark.parametrize(
    "event",
    [
        {"day": "someday"},
        {"week": -1},
        {"at": "25:00", "minutes": 30},
        {"at": "10:00"},
        {"minutes": 30},
        {"weeks": 1},
    ],
)
def test_a_wrong_event_is_named_with_its_place(tmp_path: Path, event: dict[str, Any]):
    plain = {"id": "one", "title": "One", "day": "monday", "week": 0}
    calendar = {**ONE["calendar"], "events": [{**plain, **event}]}
    said = refusal(tmp_path, yaml.safe_dump({**ONE, "calendar": calendar}))
    assert "calendar.events.0" in said


@pytest.mark.parametrize("text", ["a: [", "on: true", "- a list", "", "just words"])
def test_what_is_no_such_file_is_refused(tmp_path: Path, text: str):
    refusal(tmp_path, text)
