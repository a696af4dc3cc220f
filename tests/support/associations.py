# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Spaces that are full of content, and what was in them before something happened to them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.support import content
from tests.support.layout import Layout
from tests.support.scenario import Scenario
from tools import scenario as scenarios
from tools.person import RequestError

AT_A_TIME = 3
MENU = "core/navigation/apps"
# What people open beside the entries of their menu.
PAGES = ("/apps/dashboard/", "/apps/files/", "/settings/user", "/settings/user/security")
Content = dict[str, Any]
# Where this is kept between tests.
CONTENT, PASSWORDS = "content", "passwords"
APP_PASSWORD = "core/getapppassword"


class Associations:
    """The spaces of a scenario with a real release."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario

    @cached_property
    def hosts(self) -> dict[str, str]:
        """Where those are that people reach. The registry stays as it is here."""
        spaces = self.scenario.in_status("approved")
        return {slug: space["domains"][0] for slug, space in sorted(spaces.items())}

    @property
    def slugs(self) -> list[str]:
        """Return their names."""
        return list(self.hosts)

    def space(self, slug: str) -> content.Space:
        """Return a space as its members see it now."""
        listed = json.loads(self.scenario.occ(slug, "app:list --output=json"))
        enabled = frozenset(listed["enabled"])
        passwords = self._load(slug, PASSWORDS)
        return content.space(self.scenario.browser, self.hosts[slug], enabled, passwords)

    # --- making ---------------------------------------------------------------------------

    def fill_all(self) -> dict[str, Content | Exception]:
        """Fill every space, some at the same time; return what is in each, or what it refused."""
        # Asked once, before several need it.
        assert self.scenario.browser

        def attempt(slug: str) -> Content | Exception:
            try:
                return self.fill(slug)
            except RequestError as error:
                return error

        with ThreadPoolExecutor(AT_A_TIME) as pool:
            return dict(zip(self.slugs, pool.map(attempt, self.slugs), strict=True))

    def fill(self, slug: str) -> Content:
        """Make every kind of content that is not there yet; return all of it, and keep that."""
        space = self.space(slug)
        kept = self.kept(slug)
        if not kept:
            # What the invitation would lead to.
            self.scenario.occ(
                slug,
                f"user:resetpassword --password-from-env {space.administrator.name}",
                OC_PASS=space.administrator.password,
            )
        for name, kind in content.present(space):
            if name not in kept:
                kind.make(space)
                # One by one: a test that is run again goes on where it was.
                kept[name] = None
                self._keep(slug, CONTENT, kept)
            if not self._load(slug, PASSWORDS):
                # Logging in takes seconds of processor time each, the password of a device little.
                members = (space.zoe, space.anais)
                words = {one.name: one.ocs("GET", APP_PASSWORD)["apppassword"] for one in members}
                self._keep(slug, PASSWORDS, words)
                space = self.space(slug)
        found = read(space)
        self._keep(slug, CONTENT, found)
        return found

    def kept(self, slug: str) -> Content:
        """Return what was in a space when it was last filled; nothing if it never was."""
        return self._load(slug, CONTENT)

    def _load(self, slug: str, what: str) -> Content:
        path = self._path(slug, what)
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}

    def _keep(self, slug: str, what: str, found: Content) -> None:
        path = self._path(slug, what)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")

    def _path(self, slug: str, what: str) -> Path:
        return scenarios.folder(self.scenario.name) / what / f"{slug}.json"

    # --- comparing ------------------------------------------------------------------------

    def changed(self, slugs: list[str]) -> dict[str, Any]:
        """Return what is not as it was kept: slug and kind → before and now. Nothing is good."""
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            found = pool.map(lambda slug: now(self.space(slug)), slugs)
            after = dict(zip(slugs, found, strict=True))
        return {
            f"{slug} {kind}": difference(before, after[slug].get(kind))
            for slug in slugs
            for kind, before in self.kept(slug).items()
            if before != after[slug].get(kind)
        }

    def pages(self, slug: str) -> dict[str, int]:
        """Return how each page answers that a member opens: those of the menu, and some more."""
        one = self.space(slug).zoe
        menu = (entry["href"] for entry in one.ocs("GET", MENU))
        account = (one.name, one.password)
        return {
            page: one.browser.request("GET", one.host, page, account=account).status
            for page in sorted({*menu, *PAGES})
        }

    def releases(self) -> dict[str, str]:
        """Return what each space runs, after its own link."""
        links = " ".join(Layout(slug).release for slug in self.slugs)
        targets = self.scenario.node.check_output(f"readlink {links}").split()
        return {
            slug: target.rsplit("/", 1)[1] for slug, target in zip(self.slugs, targets, strict=True)
        }


def read(space: content.Space) -> Content:
    """Return everything that is in a space."""
    return {name: content.plain(kind.read(space)) for name, kind in content.present(space)}


def now(space: content.Space) -> Content:
    """Return the same, with the reason in place of what is not to be had."""

    def attempt(kind: content.Kind) -> Any:
        try:
            return content.plain(kind.read(space))
        except RequestError as error:
            return str(error)

    return {name: attempt(kind) for name, kind in content.present(space)}


def difference(before: Any, now: Any) -> Any:
    """Return only what differs in two pieces of plain data. Pure."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = sorted({*before, *now})
        return {
            key: difference(before.get(key), now.get(key))
            for key in keys
            if before.get(key) != now.get(key)
        }
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        pairs = zip(before, now, strict=True)
        return [difference(one, other) for one, other in pairs if one != other]
    return {"before": before, "now": now}
