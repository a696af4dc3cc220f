# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""French that people read is typeset as French is. How it is spelt: make french."""

from __future__ import annotations

import re

import pytest

from tests.policy.tree import ROOT
from tools import french_texts

APPLICATION = ROOT / french_texts.APPLICATION
PAGES = sorted((ROOT / french_texts.PAGES).glob("*.html.j2"))
TEXTS = french_texts.all_texts()
# A straight apostrophe in a word, quotation marks of English or of keyboards, and an ordinary space
# where one belongs at which no line breaks, wide or narrow.
APOSTROPHE = r"\w'\w"
QUOTES = r"“|”|(?<!\w)\"[^\W\d]"
SPACES = r" [:;!?»%](?!\w|-)|« |\d (?:[KMGT]?o|[KMG]io)\b"
WRONG = re.compile(f"{APOSTROPHE}|{QUOTES}|{SPACES}")


def test_there_is_something_to_look_at():
    assert len(TEXTS) > 200
    assert len([page for page in PAGES if str(page.relative_to(ROOT)) in TEXTS]) >= 4
    assert {"docs/registry.fr.md", "docs/associations/invite.fr.md", "README.fr.md"} <= TEXTS.keys()


@pytest.mark.parametrize("where", sorted(TEXTS))
def test_it_is_typeset_as_french(where: str):
    assert [found.group() for found in WRONG.finditer(TEXTS[where])] == []


@pytest.mark.parametrize(
    "text",
    [
        *("l'espace", "prêt : oui", "« prêt", "prêt »", "prêt ?", "80 % des comptes"),
        *("40 Go", "12 o", "“prêt”", 'dit "prêt"'),
    ],
)
def test_what_is_not_would_be_found(text: str):
    assert WRONG.search(text)


@pytest.mark.parametrize(
    "text",
    [
        "l’espace",
        "prêt\u00a0: oui",
        "prêt\u202f!",
        "«\u00a0prêt\u00a0»",
        "40\u00a0Go",
        "à 10:30",
        "3 oranges",
    ],
)
def test_what_is_right_is_not_found(text: str):
    assert not WRONG.search(text)


def test_sizes_have_their_units():
    """As lib/Page/Size.php asks for them."""
    asked = re.findall(r"'(%s [KMGT]?B)'", (APPLICATION / "lib/Page/Size.php").read_text())
    assert len(asked) == 5
    units = [TEXTS[f"{french_texts.APPLICATION}/l10n/fr.json: {one}"] for one in asked]
    assert units == [f"1\u00a0{unit}" for unit in ("o", "Ko", "Mo", "Go", "To")]
