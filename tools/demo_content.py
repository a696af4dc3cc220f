# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Fill those spaces of the demo that tools/content/ has a file for."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools import occ
from tools.content import association
from tools.content.association import Association
from tools.content.fill import Space, Told, fill
from tools.demo_text import say
from tools.https import Browser
from tools.lab import LabError


@dataclass(frozen=True)
class Node:
    """How the demo's node is reached: its environment, its ports on this host."""

    environment: Path
    https: int
    ssh: int

    def browser(self, authority: Path) -> Browser:
        """Return a client that trusts the environment's own authority and nobody else.

        Raises:
            LabError: there is no such authority.

        """
        try:
            return Browser(self.https, authority.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise LabError(
                f"{authority}: {error}. The first run makes this certificate: make demo"
            ) from error

    def occ(self, slug: str, arguments: str, secret: str = "") -> str:
        """Run occ in a space.

        Raises:
            LabError: the node could not be reached, or occ refused.

        """
        more = {"ARCHIPEL_DEMO_SSH_PORT": str(self.ssh)}
        return occ.run(self.environment, slug, arguments, secret=secret, **more)


def choose(
    listed: list[dict[str, Any]], wanted: Mapping[str, Association] | None = None
) -> tuple[list[Space], list[str]]:
    """Return the spaces that get content, and why others of them do not.

    Args:
        listed: the spaces of the inventory.
        wanted: slug → content; None: what tools/content/ has.

    Raises:
        LabError: a file there does not say it as it must.

    """
    contents = association.read_all() if wanted is None else wanted
    found = [space for space in listed if space["slug"] in contents]
    spaces = [
        Space(one["slug"], one["name"], one["domains"][0], contents[one["slug"]])
        for one in found
        if one["status"] == "approved"
    ]
    why = [
        say("not_approved", name=one["name"], status=one["status"])
        for one in found
        if one["status"] != "approved"
    ]
    return spaces, why


def fill_all(
    spaces: list[Space], browser: Browser, node: Node, *, renew: bool = False
) -> tuple[list[Told], list[str]]:
    """Fill spaces at the same time; return what is to be told, and what went wrong.

    Args:
        spaces: which.
        browser: what their members use.
        node: where they are.
        renew: whether everybody gets a new password.

    """
    today = datetime.datetime.now(tz=datetime.UTC).date()

    def attempt(space: Space) -> Told | str:
        try:
            return fill(space, browser, node.occ, today, renew=renew)
        except LabError as error:
            return str(error)

    with ThreadPoolExecutor(max(1, len(spaces))) as pool:
        done = list(pool.map(attempt, spaces))
    told = [one for one in done if not isinstance(one, str)]
    return told, [one for one in done if isinstance(one, str)]
