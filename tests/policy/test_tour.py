# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Pictures in documents: small, shown somewhere, and said to be of what they are of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.policy.test_documents import DOCUMENTS, text_of
from tests.policy.tree import ROOT, shown, under
from tools import pictures

TOUR = ROOT / "docs/images/tour"
LARGEST = 150_000
INDEX = pictures.read_index(TOUR)
TAKEN = under("docs/images/tour", suffix=".webp")
IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
LINKED = re.compile(r"\]\(([^)\s]+\.webp)\)")
# What a picture is of → the word of it in English or French.
STANDIN = re.compile(r"stand-in|application factice")


def images() -> Iterator[tuple[Path, str, Path]]:
    """Yield the pictures of documents: where, with which words, which."""
    for document in DOCUMENTS:
        for words, target in IMAGE.findall(text_of(document)):
            if "://" not in target:
                yield document, words, (document.parent / target).resolve()


def wrong(of: str, words: str) -> bool:
    """Tell whether the words at a picture do not say what it is of. Pure."""
    if of.startswith(pictures.REAL):
        return of not in words
    return of.startswith(pictures.STANDIN) and not STANDIN.search(words)


def test_pictures_are_small():
    assert [shown(path) for path in TAKEN if path.stat().st_size > LARGEST] == []


def test_every_picture_is_in_the_index_and_shown_in_a_document():
    there = {str(path.relative_to(TOUR)) for path in TAKEN}
    assert there == set(INDEX)
    assert there
    seen = {
        (document.parent / target).resolve()
        for document in DOCUMENTS
        for target in LINKED.findall(text_of(document))
    }
    assert [shown(path) for path in TAKEN if path not in seen] == []


def test_words_at_a_picture_say_what_it_is_of():
    lying = [
        f"{shown(document)}: {words}"
        for document, words, path in images()
        if path.is_relative_to(TOUR) and wrong(INDEX[str(path.relative_to(TOUR))], words)
    ]
    assert lying == []


def test_every_picture_has_words_for_those_who_do_not_see_it():
    assert [f"{shown(where)}: {path.name}" for where, words, path in images() if not words] == []


@pytest.mark.parametrize(
    ("of", "words", "lies"),
    [
        ("Nextcloud 33.0.3", "My space, Nextcloud 33.0.3", False),
        ("Nextcloud 33.0.3", "My space, Nextcloud 32.0.2", True),
        ("Nextcloud 33.0.3", "My space", True),
        ("stand-in for Nextcloud 34.0.4", "The login page of the stand-in", False),
        ("stand-in for Nextcloud 34.0.4", "Connexion, application factice", False),
        ("stand-in for Nextcloud 34.0.4", "The login page", True),
        ("the node itself", "A suspended space", False),
    ],
)
def test_words_that_lie_would_be_found(of: str, words: str, lies: bool):
    assert wrong(of, words) is lies
