# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The language of a terminal, and what the demo says in it."""

from __future__ import annotations

import string

import pytest

from tools import language
from tools.demo_text import TEXTS, say


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "en"),
        ({"LANG": "fr_FR.UTF-8"}, "fr"),
        ({"LANG": "fr"}, "fr"),
        ({"LANG": "fr-CA"}, "fr"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "fr_FR.UTF-8", "LC_ALL": "en_GB.UTF-8"}, "en"),
        ({"LANG": "en_GB.UTF-8", "LC_MESSAGES": "fr_BE.UTF-8"}, "fr"),
        ({"LANG": "en_GB.UTF-8", "LANGUAGE": "br:fr:en"}, "fr"),
        ({"LANG": "fr_FR.UTF-8", "LC_ALL": ""}, "fr"),
    ],
)
def test_the_first_variable_that_says_something_decides(environment: dict[str, str], expected: str):
    assert language.find(environment) == expected


def words(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_text_is_there_in_every_language_with_the_same_words():
    assert set(TEXTS) == set(language.LANGUAGES)
    english = {key: words(text) for key, text in TEXTS["en"].items()}
    for one in language.LANGUAGES:
        assert {key: words(text) for key, text in TEXTS[one].items()} == english


def test_the_terminal_decides_what_is_said(monkeypatch: pytest.MonkeyPatch):
    for name in language.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert say("storage_gb", number=40) == "40 GB"
    monkeypatch.setenv("LANG", "fr_FR.UTF-8")
    assert say("storage_gb", number=40) == "40\u00a0Go"
