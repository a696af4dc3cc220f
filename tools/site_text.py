# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What the site changes in a document on the way from the tree: where its links lead.

A forge shows the documents where they lie, the site shows them all below one folder and in two
languages. The text stays as it is. Nothing here reads or writes a file.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

# What a document is written in unless its name says otherwise, and what may stand beside it.
SOURCE, LANGUAGES = "en", ("en", "fr")
# Where the site has what lies outside docs/.
ELSEWHERE = "tree"
# Templates for other people's repositories are no documents of this one.
EXAMPLES = "docs/examples/"
# Files that a browser shows as they are; any other would be offered as a download.
SHOWN = (".txt", ".json", ".svg", ".png", ".jpg")
FENCE = re.compile(r"^ *```.*?^ *```[^\n]*$", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^#+ +(.*?)\s*$", re.MULTILINE)
LINK = re.compile(
    r"(?P<picture>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s#]*)(?:#(?P<anchor>[^)\s]*))?\)"
)
ONLY_ENGLISH = '> <span lang="fr">Cette page n’existe qu’en anglais.</span>\n\n'


@dataclass(frozen=True)
class Tree:
    """What links may lead to."""

    # The text of each document, by its path from the root of the project.
    documents: Mapping[str, str]
    # Paths of all other files that documents link to, and of folders.
    files: frozenset[str]
    folders: frozenset[str]


def slug(heading: str, separator: str = "-") -> str:
    """Return the anchor that a forge gives a heading, so that one link serves both. Pure."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    # A forge drops the space that never breaks; the site's builder hands over an ordinary one.
    plain = re.sub(r" (?=[:;?!»])|(?<=«) ", "", plain)
    return re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", separator)


def anchors(text: str) -> list[str]:
    """Return the anchors of a document in their order. Pure."""
    return [slug(heading) for heading in HEADING.findall(FENCE.sub("", text))]


def is_document(path: str) -> bool:
    """Tell whether a file is shown as a page. Pure."""
    return path.endswith(".md") and not path.startswith(EXAMPLES)


def language(path: str) -> str:
    """Return the language that a document is written in, by its name. Pure."""
    return next((one for one in LANGUAGES if path.endswith(f".{one}.md")), SOURCE)


def source(path: str) -> str:
    """Return the document that this one is a translation of, or itself. Pure."""
    return re.sub(rf"\.({'|'.join(LANGUAGES)})\.md$", ".md", path)


def localized(path: str, wanted: str, documents: Mapping[str, str]) -> str:
    """Return the path of a document in a language, or of what there is. Pure."""
    translation = source(path).removesuffix(".md") + f".{wanted}.md"
    return translation if wanted != SOURCE and translation in documents else source(path)


def place(path: str) -> str:
    """Return where a document or a file of the project is in the site, from its root. Pure."""
    if not is_document(path):
        inside = path.removeprefix("docs/")
        ending = "" if path.endswith(SHOWN) else ".txt"
        return (inside if inside != path else f"{ELSEWHERE}/{path}") + ending
    path = source(path)
    if path.startswith("docs/"):
        return re.sub(r"(^|/)README\.md$", r"\1index.md", path.removeprefix("docs/"))
    if path == "README.md":
        return f"{ELSEWHERE}/archipel.md"
    return f"{ELSEWHERE}/{path.removesuffix('/README.md').removesuffix('.md').lower()}.md"


def page(path: str, tree: Tree, wanted: str) -> str:
    """Return a document as the site of a language has it. Pure.

    Raises:
        ValueError: a link leads nowhere.
    """
    here = localized(path, wanted, tree.documents)
    return outside_code(
        tree.documents[here],
        lambda part: LINK.sub(lambda found: _link(found, here, tree, wanted), part),
    )


def with_note(text: str) -> str:
    """Return an English page for French readers: and says so below its title. Pure."""
    title, end, rest = text.partition("\n\n")
    return f"{title}{end}{ONLY_ENGLISH}{rest}"


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """Change a document, leaving blocks of code as they are. Pure."""
    parts: list[str] = []
    end = 0
    for fence in FENCE.finditer(text):
        parts += [change(text[end : fence.start()]), fence.group()]
        end = fence.end()
    return "".join([*parts, change(text[end:])])


def _link(found: re.Match[str], here: str, tree: Tree, wanted: str) -> str:
    target = found["target"]
    if target.startswith(("http:", "https:", "mailto:")) or not target:
        return found.group()
    path = posixpath.normpath(posixpath.join(posixpath.dirname(here), target))
    anchor = found["anchor"]
    if path in tree.documents:
        shown = localized(path, wanted, tree.documents)
        if language(path) not in {wanted, language(here)} and shown != path:
            return _other_language(found, here, path)
        anchor = anchor and _anchor(anchor, tree.documents[path], tree.documents[shown])
    elif path in tree.folders:
        path = f"{path}/README.md"
    elif path not in tree.files:
        raise ValueError(f"{here}: the link to {target} leads nowhere in the project; mend it.")
    address = _relative(place(here), place(path)) + (f"#{anchor}" if anchor else "")
    return f"{found['picture']}[{found['text']}]({address})"


def _anchor(anchor: str, linked: str, shown: str) -> str:
    """A page in another language has the same headings in the same order."""
    names = anchors(linked)
    return anchors(shown)[names.index(anchor)] if anchor in names else anchor


def _other_language(found: re.Match[str], here: str, path: str) -> str:
    """Raw: the builder of one language knows nothing of the other's pages."""
    there = language(path)
    folders = {one: "" if one == SOURCE else f"{one}/" for one in LANGUAGES}
    other = next(one for one in LANGUAGES if one != there)
    start = folders[other] + place(here)
    address = _relative(start, folders[there] + place(path)).removesuffix(".md") + ".html"
    if found["anchor"]:
        address += f"#{found['anchor']}"
    return f'<a href="{address}" hreflang="{there}" lang="{there}">{found["text"]}</a>'


def _relative(start: str, target: str) -> str:
    return posixpath.relpath(target, posixpath.dirname(start) or ".")
