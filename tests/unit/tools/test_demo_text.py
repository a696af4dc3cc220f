# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What the demo says, in the language of whoever runs it."""

from __future__ import annotations

import string

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._core import _messages
from tools.demo_text import TEXTS, say


def words(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_text_is_there_in_every_language_with_the_same_words():
    assert set(TEXTS) == set(_messages.LANGUAGES)
    english = {key: words(text) for key, text in TEXTS["en"].items()}
    for one in _messages.LANGUAGES:
        assert {key: words(text) for key, text in TEXTS[one].items()} == english


def test_the_terminal_decides_what_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LANGUAGE", "de:en")
    assert say("storage_gb", number=40) == "40 GB"
    monkeypatch.setenv("LANGUAGE", "fr_FR")
    assert say("storage_gb", number=40) == "40\u00a0Go"
