# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The site: every document is in its navigation, in the languages that its readers need."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import markdown
import pytest
from markdown_it import MarkdownIt

from tests.policy.tree import ROOT, load
from tools import site, site_text

STRUCTURE = load(ROOT / "docs/site/navigation.yml")
TREE = site.read_tree(ROOT)
NAMES = sorted(TREE.documents)
ORIGINALS = sorted({site_text.source(path) for path in NAMES})
# Read by those who change code, beside it; the page of roles leads to theirs.
BESIDE_CODE = ("roles/",)
ELEMENTS = re.compile(r"<(ul|ol|li|pre|table|tr|h[1-6]|strong|em|img|blockquote)\b")


def parts(listed: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for part in listed:
        yield part
        yield from parts(part.get("parts", []))


PARTS = list(parts(STRUCTURE["parts"]))
LISTED = [path for part in PARTS for path in part.get("pages", [])]
BOTH = [path for part in PARTS if part.get("languages") for path in part["pages"]]


def test_every_document_has_one_place_in_the_navigation():
    expected = [
        path for path in ORIGINALS if not path.startswith(BESIDE_CODE) and path != site.FIRST
    ]
    assert sorted(LISTED) == expected


def test_every_part_has_its_words_in_both_languages():
    assert [part for part in PARTS if not all(part.get(one) for one in site_text.LANGUAGES)] == []


def test_there_are_parts_in_both_languages():
    assert len(BOTH) > 2


def test_pages_for_everybody_are_there_in_both_languages():
    assert [
        path for path in [site.FIRST, *BOTH] if path.replace(".md", ".fr.md") not in NAMES
    ] == []


@pytest.mark.parametrize("path", NAMES)
def test_a_forge_and_the_site_read_a_document_alike(path: str):
    """The site's reader wants four spaces before what is inside a list, a forge takes fewer."""
    text = TREE.documents[path]
    forge = MarkdownIt("gfm-like", {"linkify": False}).render(text)
    built = markdown.markdown(text, extensions=["attr_list", "tables", "pymdownx.superfences"])
    assert Counter(ELEMENTS.findall(built)) == Counter(ELEMENTS.findall(forge))


def test_what_is_read_otherwise_would_be_found():
    text = "1. one\n   - inside\n"
    built = markdown.markdown(text, extensions=["tables"])
    assert Counter(ELEMENTS.findall(built)) != Counter(
        ELEMENTS.findall(MarkdownIt("gfm-like", {"linkify": False}).render(text))
    )
