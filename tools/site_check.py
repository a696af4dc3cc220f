# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What is looked for in a built site: links that lead nowhere, and what other servers would send.

A link in a text may lead anywhere; what a page loads by itself must lie in the site: whoever
reads it without a network sees all of it, and no stranger learns that they do.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser loads without being asked, by element; a link to a page is no such thing.
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "use": "href"}
LOADED_LINKS = {"stylesheet", "icon", "preconnect", "preload", "modulepreload", "manifest"}
IN_STYLES = re.compile(r"""(?:url\(|@import)\s*["']?(?:https?:)?//[^"')\s]+""")
# They end with html, and are shown for addresses anywhere.
ANYWHERE = ("404.html",)


@dataclass
class Page:
    """What a page leads to, what it loads, and what in it can be led to."""

    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.page.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.page.links.append(given["href"])
        loaded = LOADED.get(tag)
        if tag == "link" and LOADED_LINKS & set(given.get("rel", "").split()):
            loaded = "href"
        if loaded and given.get(loaded):
            self.page.loads.append(given[loaded])


def read(html: str) -> Page:
    """Return what a page leads to and loads. Pure."""
    reader = _Reader()
    reader.feed(html)
    return reader.page


def problems(folder: Path) -> list[str]:
    """Return what is wrong with a site, a sentence each; nothing where it is whole."""
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    pages = {
        name: read((folder / name).read_text(encoding="utf-8"))
        for name in sorted(files)
        if name.endswith(".html") and posixpath.basename(name) not in ANYWHERE
    }
    found = [
        f"{name}: loads {address} from another server."
        for name, page in pages.items()
        for address in page.loads
        if urlsplit(address).netloc
    ]
    found += [
        f"{name}: the style loads {address} from another server."
        for name in sorted(files)
        if name.endswith((".css", ".svg", ".html"))
        for address in IN_STYLES.findall((folder / name).read_text(encoding="utf-8"))
    ]
    for name, page in pages.items():
        for address in [*page.links, *page.loads]:
            found += _dead(name, address, pages, files)
    return found


def _dead(name: str, address: str, pages: Mapping[str, Page], files: set[str]) -> list[str]:
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return []
    path = unquote(parts.path)
    target = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name
    if target not in files:
        return [f"{name}: {address} leads nowhere; from a folder a link names a file."]
    anchor = unquote(parts.fragment)
    # A page's own script moves to its top.
    if anchor and target in pages and anchor not in pages[target].anchors | {"__skip"}:
        return [f"{name}: {address} leads to no heading of {target}."]
    return []
