# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The documents as a site: where links lead, and what a built site must not have."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import site, site_check, site_text
from tools.site_text import Tree

GUIDE = "# Guide\n\n## Take it back\n\nSee [the role](../roles/nginx/README.md).\n"
GUIDE_FR = "# Guide\n\n*[In English](guide.md)*\n\n## Le reprendre\n"
TREE = Tree(
    {
        "README.md": "# Archipel\n\n[guide](docs/guide.md#take-it-back) [rights](LICENSE)\n",
        "docs/README.md": "# All\n\n[Guide](guide.md), [en français](guide.fr.md#le-reprendre)\n",
        "docs/guide.md": GUIDE,
        "docs/guide.fr.md": GUIDE_FR,
        "docs/deep/alert.md": "# Alert\n\n[guide](../guide.md#take-it-back) [picture](../a.svg)\n",
        "roles/nginx/README.md": "# nginx\n\n[all](../../roles) [out](https://a.example/b#c)\n",
    },
    frozenset({"LICENSE", "docs/a.svg"}),
    frozenset({"roles"}),
)


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("docs/README.md", "index.md"),
        ("docs/guide.fr.md", "guide.md"),
        ("docs/deep/README.md", "deep/index.md"),
        ("README.md", "tree/archipel.md"),
        ("CONTRIBUTING.fr.md", "tree/contributing.md"),
        ("roles/nginx/README.md", "tree/roles/nginx.md"),
        ("docs/images/cost.svg", "images/cost.svg"),
        ("galaxy.yml", "tree/galaxy.yml.txt"),
        ("docs/examples/forge/request.fr.md", "examples/forge/request.fr.md.txt"),
    ],
)
def test_everything_has_a_place(path: str, there: str):
    assert site_text.place(path) == there


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("Où vivent les espaces", "où-vivent-les-espaces"),
        ("L’invitation", "linvitation"),
        ("`site.yml`, again", "siteyml-again"),
        ("A [link](x.md) in it", "a-link-in-it"),
        ("Où\u00a0: ici, «\u00a0là\u00a0»", "où-ici-là"),
        ("Où : ici, « là »", "où-ici-là"),
    ],
)
def test_anchors_are_those_of_a_forge(heading: str, anchor: str):
    assert site_text.slug(heading) == anchor


class TestPage:
    def test_links_lead_to_where_the_site_has_things(self):
        assert "[guide](../guide.md#take-it-back) [rights](LICENSE.txt)" in page("README.md", "en")
        assert "[the role](tree/roles/nginx.md)" in page("docs/guide.md", "en")
        assert "[all](../roles.md) [out](https://a.example/b#c)" in page(
            "roles/nginx/README.md", "en"
        )

    def test_headings_are_those_of_the_page_that_is_shown(self):
        """An English page leads French readers to the French one, whose headings are French."""
        assert "(../guide.md#le-reprendre) [picture](../a.svg)" in page("docs/deep/alert.md", "fr")
        assert "(../guide.md#take-it-back)" in page("docs/deep/alert.md", "en")

    def test_a_link_to_the_other_language_leaves_the_site_of_this_one(self):
        english = page("docs/README.md", "en")
        assert (
            '<a href="fr/guide.html#le-reprendre" hreflang="fr" lang="fr">en français</a>'
            in english
        )
        assert '<a href="../guide.html" hreflang="en" lang="en">In English</a>' in page(
            "docs/guide.md", "fr"
        )

    def test_a_page_that_is_there_in_english_alone_says_so(self):
        shown = site_text.with_note(page("docs/deep/alert.md", "fr"))
        assert shown.startswith('# Alert\n\n> <span lang="fr">')

    def test_code_is_left_alone(self):
        text = "a\n\n```yaml\n[x](gone.md)\n```\n"
        tree = Tree({"docs/a.md": text}, frozenset(), frozenset())
        assert site_text.page("docs/a.md", tree, "en") == text

    def test_a_link_that_leads_nowhere_is_refused(self):
        tree = Tree({"docs/a.md": "[x](gone.md)"}, frozenset(), frozenset())
        with pytest.raises(ValueError, match=r"docs/a\.md: the link to gone\.md leads nowhere"):
            site_text.page("docs/a.md", tree, "en")


def test_a_folder_is_a_page_with_what_is_in_it():
    text = site.contents("roles", ["roles/nginx/README.md"], "fr")
    assert text.startswith("# roles\n\nDans le dossier")
    assert text.endswith("- [nginx](roles/nginx.md)\n")


def test_the_navigation_has_words_of_its_language_and_pages():
    parts = [{"en": "A", "fr": "B", "pages": ["README.md"], "parts": [{"en": "C", "fr": "D"}]}]
    assert site.navigation(parts, "fr") == [{"B": ["tree/archipel.md", {"D": []}]}]


class TestBuilt:
    def test_a_whole_site_has_no_problems(self, tmp_path: Path):
        put(tmp_path, "index.html", '<h1 id="a">x</h1><a href="b/c.html#d">c</a><a href="#a">a</a>')
        put(tmp_path, "b/c.html", '<p id="d"><a href="https://elsewhere.example/">far</a>')
        assert site_check.problems(tmp_path) == []

    @pytest.mark.parametrize(
        ("html", "said"),
        [
            ('<script src="https://cdn.example/x.js"></script>', "loads https://cdn.example/x.js"),
            ('<script src="//cdn.example/x.js"></script>', "loads //cdn.example/x.js"),
            ('<link rel="stylesheet" href="https://f.example/css">', "loads https://f.example/css"),
            ('<link rel="preconnect" href="https://f.example">', "loads https://f.example"),
            ('<img src="https://i.example/a.png">', "loads https://i.example/a.png"),
            ("<style>@import 'https://f.example/a'</style>", "the style loads @import"),
            ('<a href="gone.html">x</a>', "gone.html leads nowhere"),
            ('<a href="./">x</a>', "./ leads nowhere; from a folder a link names a file"),
            ('<a href="#gone">x</a>', "#gone leads to no heading"),
            ('<script src="gone.js"></script>', "gone.js leads nowhere"),
        ],
    )
    def test_what_is_wrong_is_said(self, tmp_path: Path, html: str, said: str):
        put(tmp_path, "index.html", html)
        found = site_check.problems(tmp_path)
        assert len(found) == 1
        assert found[0].startswith("index.html: ")
        assert said in found[0]

    def test_styles_are_looked_into(self, tmp_path: Path):
        put(tmp_path, "a.css", "@font-face { src: url('https://f.example/a.woff2') }")
        assert (
            "a.css: the style loads url('https://f.example/a.woff2"
            in site_check.problems(tmp_path)[0]
        )


def page(path: str, wanted: str) -> str:
    return site_text.page(path, TREE, wanted)


def put(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
