# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The picture of the whole: the same in both languages, for eyes and for who has it read out."""

from __future__ import annotations

import re
from xml.etree import ElementTree as Xml

import pytest

from tests.policy.tree import ROOT

NAMES = ("overview.svg", "overview.fr.svg")
TAG = "{http://www.w3.org/2000/svg}"
# A picture that a forge or a site shows as an image may load nothing anyway.
OUTSIDE = re.compile(r"(?:href|src)=|@import|url\((?!#)|<script")


def read(name: str) -> str:
    return (ROOT / "docs/images" / name).read_text(encoding="utf-8")


def shapes(name: str) -> list[tuple[str, dict[str, str]]]:
    found = Xml.fromstring(read(name)).iter()
    return [(one.tag, one.attrib) for one in found if one.tag in {f"{TAG}rect", f"{TAG}path"}]


def test_both_languages_show_the_same():
    english, french = (shapes(name) for name in NAMES)
    assert english == french
    assert len(english) > 20


def test_every_word_is_there_in_both():
    english, french = (
        [one.text or "" for one in Xml.fromstring(read(name)).iter(f"{TAG}text")] for name in NAMES
    )
    assert len(english) == len(french)
    assert english != french
    assert all(english + french)


@pytest.mark.parametrize("name", NAMES)
def test_it_follows_dark_mode(name: str):
    light, dark = read(name).split("@media (prefers-color-scheme: dark)")
    variables = re.compile(r"(--\w+): (#[0-9a-f]{6})")
    bright, dim = dict(variables.findall(light)), dict(variables.findall(dark))
    assert bright.keys() == dim.keys() >= {"--ink", "--paper", "--line"}
    assert not set(bright.values()) & set(dim.values())
    # All colours are such variables.
    assert re.findall(r"(?:fill|stroke): (?!var|none)[^;]+;", read(name)) == []


@pytest.mark.parametrize("name", NAMES)
def test_it_can_be_read_out_and_loads_nothing(name: str):
    picture = Xml.fromstring(read(name))
    named = {one.get("id") for one in picture if one.tag in {f"{TAG}title", f"{TAG}desc"}}
    assert picture.get("role") == "img"
    assert set(str(picture.get("aria-labelledby")).split()) == named
    assert OUTSIDE.findall(read(name)) == []


@pytest.mark.parametrize(("page", "name"), [("README.md", NAMES[0]), ("README.fr.md", NAMES[1])])
def test_it_is_shown_with_words_in_its_place(page: str, name: str):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert re.search(rf"!\[[^\]]{{20,}}\]\(images/{re.escape(name)}\)", text)
