# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A space on its way to another node: where things are, who the other node is, what is agreed.

The node that it leaves has the journal. The one that it comes to has nothing of it before all of
it has arrived, and can be asked for each of its parts again.
"""

from __future__ import annotations

import os
import pwd
import typing as t
from dataclasses import dataclass, field

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal, _layout
from ansible_collections.archipel.spaces.plugins.module_utils._operations import _backup

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import JsonObject

VERB = "move"
# Below its folder: what goes along with it, for root alone.
HANDED = ".move"
# Steps of the node that a space leaves. While the other node copies and takes over, it waits.
COPYING, HANDING, KEPT = "copying", "handing", "kept"


class MoveError(Exception):
    """A space could not be moved; it serves where it was, or the next run goes on."""


@dataclass(frozen=True)
class Peer:
    """The other node."""

    name: str
    address: str
    port: int
    # As /etc/ssh/ssh_host_ed25519_key.pub has it.
    host_key: str = ""
    # Addresses from which it may come.
    sources: tuple[str, ...] = ()

    @property
    def host(self) -> str:
        """Its address as it stands before a colon."""
        return bracketed(self.address)


@dataclass
class Job:
    """One space, on the node that works on it."""

    node: _backup.Node
    slug: str
    # Of its user and its storage: the same on every node.
    id: int
    peer: Peer
    # The nodes that have its database before and afterwards.
    database_from: str = ""
    database_to: str = ""
    # What it runs.
    release: str = ""
    # Public half of the other node's key.
    public: str = ""
    # Seconds that jobs which are running may go on.
    jobs_seconds: int = 300
    journal: JsonObject = field(default_factory=dict)

    @property
    def layout(self) -> _layout.Layout:
        """Names and places of the space."""
        return self.node.layout(self.slug)

    @property
    def handing(self) -> str:
        """What the other node fetches along with it."""
        return f"{self.layout.home}/{HANDED}"

    @property
    def database_moves(self) -> bool:
        """Tell whether its database comes to another server."""
        return self.database_from != self.database_to

    @property
    def entry(self) -> _journal.Entry:
        """Its journal, to be written and removed."""
        return _journal.Entry(self.slug, self.journal)


def bracketed(address: str) -> str:
    """Return an address as it stands before a colon: of IPv6 in brackets. Pure."""
    return f"[{address}]" if ":" in address else address


def check_user(job: Job) -> None:
    """Refuse a number that is somebody else's here: files keep their numbers.

    Raises:
        MoveError: it is.

    """
    user = job.layout.user
    try:
        there = pwd.getpwuid(job.id).pw_name
    except KeyError:
        there = user
    try:
        number = pwd.getpwnam(user).pw_uid
    except KeyError:
        number = job.id
    if there != user or number != job.id:
        raise MoveError(
            f"its number {job.id} is that of {there} here, and {user} has {number}: is it another "
            "environment's? Nothing was copied"
        )


def own_journal(slug: str) -> JsonObject | None:
    """Return the journal of a move; none if nothing is under way.

    Raises:
        MoveError: something else is.

    """
    journal = _journal.read(slug)
    if journal and journal["verb"] != VERB:
        raise MoveError(_journal.under_way(slug))
    return journal


def look() -> dict[str, JsonObject]:
    """Return the journals of all moves on this node, by slug.

    Raises:
        JournalError: one cannot be understood.

    """
    try:
        names = sorted(os.listdir(_journal.FOLDER))
    except FileNotFoundError:
        return {}
    slugs = [name.removesuffix(".json") for name in names if name.endswith(".json")]
    found = {slug: _journal.read(slug) or {} for slug in slugs}
    return {slug: one for slug, one in found.items() if one.get("verb") == VERB}


def is_there(job: Job) -> bool:
    """Tell whether the space is on this node, whole."""
    return _backup.is_space(job.node, job.slug) and os.path.isdir(job.layout.data)
