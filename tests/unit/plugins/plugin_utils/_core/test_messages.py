# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""In which language people are spoken to, and in which form of it."""

from __future__ import annotations

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._core import _messages, _problem


@pytest.fixture
def speak(monkeypatch: pytest.MonkeyPatch):
    """Choose a language until the end of a test."""
    monkeypatch.setattr(_messages._Choice, "language", "")
    return _messages.choose


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "en"),
        ({"LANG": "fr_FR.UTF-8"}, "fr"),
        ({"LANG": "fr"}, "fr"),
        ({"LANG": "fr.UTF-8"}, "fr"),
        ({"LANG": "fr_CA@euro"}, "fr"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "frisian"}, "en"),
        ({"LANG": "fr_FR.UTF-8", "LC_MESSAGES": "en_GB.UTF-8"}, "en"),
        ({"LC_MESSAGES": "en_GB.UTF-8", "LC_ALL": "fr_BE.UTF-8"}, "fr"),
        ({"LANG": "fr_FR.UTF-8", "LC_ALL": ""}, "fr"),
        ({"LC_ALL": "C.UTF-8", "LANGUAGE": "fr"}, "fr"),
        ({"LANGUAGE": "de:fr-CH:en", "LANG": "en_GB.UTF-8"}, "fr"),
        ({"LANGUAGE": "en_GB:fr", "LANG": "fr_FR.UTF-8"}, "en"),
    ],
)
def test_the_terminal_says_the_language(environment: dict[str, str], expected: str):
    assert _messages.find_language(environment) == expected


def test_an_environment_chooses_over_the_terminal(speak):
    speak("fr")
    assert _messages._("nothing") == "rien"
    speak("en")
    assert _messages._("nothing") == "nothing"


@pytest.mark.parametrize("wrong", [None, "", "klingon", ["fr"], 1])
def test_what_is_no_language_of_ours_leaves_the_terminal_its_own(
    speak, monkeypatch: pytest.MonkeyPatch, wrong: object
):
    monkeypatch.setenv("LANGUAGE", "fr")
    speak(wrong)
    assert _messages.language() == "fr"


def test_words_are_filled_in_and_braces_left(speak):
    speak("fr")
    assert _messages._("the status is {status}", status="{x}") == "le statut est {x}"
    assert _messages._("a list of {name, suite, port}") == "une liste de {name, suite, port}"
    assert _messages._("") == ""


@pytest.mark.parametrize(
    ("language", "number", "expected"),
    [
        ("en", 0, "0 spaces"),
        ("en", 1, "1 space"),
        ("en", 2, "2 spaces"),
        ("fr", 0, "0 espace"),
        ("fr", 1, "1 espace"),
        ("fr", 2, "2 espaces"),
    ],
)
def test_plurals_are_those_of_the_language(speak, language: str, number: int, expected: str):
    speak(language)
    assert _messages.ngettext("{n} space", "{n} spaces", number) == expected


def test_blanks_of_french_are_printed_and_those_of_strangers_are_not(speak):
    speak("fr")
    found = _problem.quoted("a\u00a0b\u202fc\u202ed")
    text = str(_problem.Problem("x.yml", f"trouvé\u00a0: {found}\u202f;", 3, "k\u00a0k"))
    assert text == ("x.yml:3: k\\xa0k: trouvé\u00a0: «\u00a0a\\xa0b\\u202fc\\u202ed\u00a0»\u202f;")


def test_what_acts_on_a_terminal_is_written_out_in_french_too(speak):
    speak("fr")
    assert str(_problem.Problem("x.yml", "a\x1b[31m\u2028b ::error ::c")) == (
        "x.yml: a\\x1b[31m\\u2028b \\x3a:error \\x3a:c"
    )
