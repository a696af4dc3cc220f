# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Pictures of the demo: what a visitor sees, in both languages, in a real browser.

A picture is kept only if one reads on the page what it should show: a page that stays bare, for
want of an application or of its scripts, is named and left out. Beside the pictures lies tour.json,
which says what each is of; one of a real Nextcloud is not replaced by one of the stand-in.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools import demo_content
from tools.chromium import Chromium, Page, PageError, chromium
from tools.content.fill import Given, Space, accounts_of, remembered
from tools.demo_content import Node
from tools.https import Browser
from tools.lab import LabError
from tools.person import Person, RequestError, read_status
from tools.views import View, of_space, of_states

INDEX = "tour.json"
# For scripts to draw a page; for pictures and fonts to come.
DRAWN_SECONDS, SETTLED_SECONDS = 12.0, 1.0
READ = "((words) => words.some((word) => document.body.innerText.includes(word)))({words})"
SETTLED = "document.fonts.ready.then(() => new Promise((done) => setTimeout(done, {milliseconds})))"
STANDIN, REAL, NODE = "stand-in for Nextcloud", "Nextcloud", "the node itself"


@dataclass(frozen=True)
class Camera:
    """A browser, and what it needs to see the demo."""

    browser: Chromium
    port: int
    # Slug → name and password of who looks.
    devices: dict[str, tuple[str, str]]

    def take(self, view: View) -> tuple[str, bytes]:
        """Return the language of a page, and its picture.

        Raises:
            PageError: it is not the page that it should be.

        """
        page = self.browser.page(width=view.width)
        page.view(view.width, height=view.height)
        page.send(**self._headers(view))
        page.open(f"https://{view.host}:{self.port}{view.path}")
        try:
            page.until(READ.format(words=json.dumps(view.shows)), DRAWN_SECONDS)
        except PageError as error:
            words = " or ".join(f"“{word}”" for word in view.shows)
            raise PageError(f"{view.path} does not show {words}") from error
        page.ask(SETTLED.format(milliseconds=SETTLED_SECONDS * 1000))
        return view.language or _language(page), page.picture()

    def _headers(self, view: View) -> dict[str, str]:
        headers = {"Accept_Language": view.language} if view.language else {}
        if view.slug:
            pair = ":".join(self.devices[view.slug]).encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        return headers


def take_all(node: Node, listed: list[dict[str, Any]], authority: Path, folder: Path) -> None:
    """Take all pictures, and say which could not be taken and why.

    Args:
        node: the demo's.
        listed: the spaces of its inventory.
        authority: the certificate of the environment's authority.
        folder: where pictures are kept: one folder for each language.

    Raises:
        LabError: the demo has no content, there is no browser, or no picture could be taken.

    """
    index = read_index(folder)
    spaces, _ = demo_content.choose(listed)
    given = _content(spaces, node)
    browser = node.browser(authority)
    taken, left_out = 0, 0
    host = listed[0]["domains"][0]
    with _opened(browser, host) as opened, _devices(spaces, given, node, browser) as devices:
        camera = Camera(opened, node.https, devices)
        for view, of in _views(spaces, given, listed, browser):
            try:
                language, picture = camera.take(view)
            except LabError as error:
                left_out += 1
                print(f"left out: {view.name} ({view.host}): {error}", flush=True)
                continue
            taken += keep(folder, index, f"{language}/{view.name}.webp", of, picture)
    if not taken:
        raise LabError(f"no picture was kept in {folder}; {left_out} were left out, see above")
    print(f"{taken} pictures in {folder}, {left_out} left out")


# --- what is looked at ------------------------------------------------------------------------


def _content(spaces: list[Space], node: Node) -> dict[str, Given]:
    """Return what the spaces were given.

    Raises:
        LabError: one of them has no content yet.

    """
    found = {
        space.slug: remembered(space, node.occ, accounts_of(space, node.occ)) for space in spaces
    }
    without = [slug for slug, given in found.items() if given is None]
    if without:
        raise LabError(f"no content in {', '.join(without)} yet. Make it: make demo")
    return {slug: given for slug, given in found.items() if given is not None}


def _views(
    spaces: list[Space],
    given: dict[str, Given],
    listed: list[dict[str, Any]],
    browser: Browser,
) -> Iterator[tuple[View, str]]:
    """Yield every page, and what it is a picture of."""
    for space in spaces:
        version = read_status(browser, space.host)["versionstring"]
        of = f"{STANDIN if given[space.slug].standin else REAL} {version}"
        yield from ((view, of) for view in of_space(space, given[space.slug]))
    yield from ((view, NODE) for view in of_states(listed))


@contextlib.contextmanager
def _devices(
    spaces: list[Space], given: dict[str, Given], node: Node, browser: Browser
) -> Iterator[dict[str, tuple[str, str]]]:
    """Look as a device of each administrator, whose password is taken back afterwards.

    Raises:
        LabError: a password could not be had, or not be taken back.

    """
    people: dict[str, Person] = {}
    try:
        for space in spaces:
            if not given[space.slug].standin:
                account = space.first["account"]
                said = node.occ(space.slug, f"user:add-app-password {account}")
                people[space.slug] = Person(browser, space.host, account, said.split()[-1])
        yield {slug: (one.name, one.password) for slug, one in people.items()}
    finally:
        left = [said for one in people.values() if (said := _forget(one))]
        if left:
            raise LabError("an application password is left behind: " + "; ".join(left))


def _forget(device: Person) -> str:
    """Take the password of a device back; return why that cannot be done."""
    try:
        device.ocs("DELETE", "core/apppassword")
    except RequestError as error:
        return str(error)
    return ""


@contextlib.contextmanager
def _opened(browser: Browser, host: str) -> Iterator[Chromium]:
    """Open a browser that trusts the certificate which the node shows.

    Raises:
        LabError: there is no browser, or the node shows no certificate.

    """
    try:
        # Checked here against the authority; Chromium takes this very key alone.
        certificate = browser.certificate(host)
    except OSError as error:
        raise LabError(f"{host}:{browser.port} shows no certificate to trust: {error}") from error
    with chromium(certificate) as found:
        yield found


def _language(page: Page) -> str:
    return str(page.ask("document.documentElement.lang")).partition("-")[0] or "en"


# --- what is kept -----------------------------------------------------------------------------


def read_index(folder: Path) -> dict[str, str]:
    """Return what the pictures of a folder are of: path → words.

    Raises:
        LabError: its index cannot be read.

    """
    path = folder / INDEX
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}
    except (OSError, ValueError, TypeError) as error:
        raise LabError(f"{path}: {error}. Remove it, and take all pictures anew") from error


def keep(folder: Path, index: dict[str, str], name: str, of: str, picture: bytes) -> bool:
    """Keep a picture and what it is of; return whether it was kept.

    Raises:
        LabError: the folder cannot be written.

    """
    if index.get(name, "").startswith(REAL) and of.startswith(STANDIN):
        print(f"not replaced: {name} is of {index[name]}, and this one of the {of}", flush=True)
        return False
    try:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(picture)
        index[name] = of
        text = json.dumps(dict(sorted(index.items())), indent=2, ensure_ascii=False) + "\n"
        (folder / INDEX).write_text(text, encoding="utf-8")
    except OSError as error:
        raise LabError(f"{folder / name}: {error}. Another folder: make demo-tour TO=…") from error
    print(f"{folder / name}: {of}, {len(picture) / 1000:.0f} kB", flush=True)
    return True
