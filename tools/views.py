# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Which pages of the demo pictures are taken of, and what must be read on each. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tools.content.fill import Given, Space

PHONE = 390
LOGIN = {"en": "Log in", "fr": "Se connecter"}
# What the page "My space" says in no menu.
MY_SPACE = {"en": "Kept up to date for you", "fr": "Tenue à jour pour vous"}
# Status → a word of its page, in either language.
STATES = {"suspended": ("suspended", "suspendu"), "closed": ("closed", "fermé")}


@dataclass(frozen=True)
class View:
    """A page as somebody sees it."""

    name: str
    host: str
    path: str
    # One of these is read on the page, or it is not what it should be a picture of.
    shows: tuple[str, ...]
    # Of the reader; empty: whatever the page is in.
    language: str = ""
    # The space whose administrator looks; empty: somebody without an account.
    slug: str = ""
    # On a screen of this size, in pixels.
    width: int = 1280
    height: int = 900


def of_space(space: Space, given: Given) -> Iterator[View]:
    """Yield the pages of a space that was given content."""
    wanted, language = space.wanted, space.wanted["language"]
    login = LOGIN["en" if given.standin else language]
    yield View("login", space.host, "/login", (login,), language)
    if given.standin:
        return
    shown = {
        "files": wanted["link"],
        "link": next(
            path.rpartition("/")[2].removesuffix(".md")
            for path in wanted["files"]
            if path.startswith(f"{wanted['link']}/")
        ),
        "calendar": wanted["calendar"]["events"][0]["title"],
        "board": next(iter(wanted["board"]["lists"].values()))[0]["title"],
        "page": wanted["collective"]["name"],
        "my-space": MY_SPACE[language],
    }
    for kind, path in given.paths.items():
        slug = "" if kind == "link" else space.slug
        yield View(kind, space.host, path, (shown[kind],), language, slug)
        if kind == "my-space":
            name = f"{kind}-phone"
            yield View(name, space.host, path, (shown[kind],), language, slug, PHONE, 1100)


def of_states(listed: list[dict[str, Any]]) -> Iterator[View]:
    """Yield what people find where a space is suspended or closed: one picture of each."""
    for status, words in STATES.items():
        found = next((one for one in listed if one["status"] == status), None)
        if found is not None:
            yield View(status, found["domains"][0], "/", words, height=600)
