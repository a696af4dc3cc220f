# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where each space lives: the values, and a pure planner."""

from __future__ import annotations

import re
import typing as t
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import IDS
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import _loads

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# An office suite, as space.schema.json has it.
SUITE = re.compile(r"[a-z][a-z0-9]{1,31}")
# One of its servers. Part of the names of hosts, unix users, databases and units: what the role of
# every suite takes.
SHARD = re.compile(r"[a-z][a-z0-9-]{0,18}[a-z0-9]")
# GB that are promised to spaces, as a kind of load.
STORAGE = "storage_gb"


class Place(t.NamedTuple):
    """Where one space lives, and its number."""

    id: int
    web: str
    db: str
    # Office suite -> the shard that serves this space when it uses that suite.
    office: Mapping[str, str] = {}
    # The web node that it was lost with, while it is not restored yet.
    lost: str = ""


class Shard(t.NamedTuple):
    """One server of an office suite, which any number of spaces share."""

    name: str
    suite: str


class Node(t.NamedTuple):
    """A node that can take spaces: where that is set, so many and so many GB promised to them."""

    name: str
    capacity: int | None = None
    # GB of 1024^3 bytes: the sum of its spaces' limits.
    storage_gb: int | None = None

    @property
    def takes_none(self) -> bool:
        """Whether no space may come to it: it is being emptied."""
        return 0 in (self.capacity, self.storage_gb)

    @property
    def limits(self) -> dict[str, float]:
        """What it takes at most, by kind."""
        pairs = ((_loads.SPACES, self.capacity), (STORAGE, self.storage_gb))
        return {kind: amount for kind, amount in pairs if amount is not None}


class OfPlace(t.TypedDict):
    """What the entry of a space says of its place."""

    web: str
    db: str
    lost: t.NotRequired[str]


def describe(place: Place, nodes: Iterable[Node]) -> OfPlace:
    """Return what an entry says; the node it was lost with, while the inventory has that."""
    if place.lost and place.lost in {node.name for node in nodes}:
        return {"web": place.web, "db": place.db, "lost": place.lost}
    return {"web": place.web, "db": place.db}


@dataclass(frozen=True, slots=True)
class Lock:
    """The content of placement.yml. `next_id` only ever grows."""

    environment: str | None = None
    next_id: int = IDS.start
    spaces: Mapping[str, Place] = field(default_factory=dict)
    # Line of each space in the file it was read from.
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)


class NoRoomError(Exception):
    """No node has room for a space: its slug, and the GB that it is promised."""

    def __init__(self, slug: str, storage_gb: int) -> None:
        self.slug, self.storage_gb = slug, storage_gb
        super().__init__(slug, storage_gb)


class NoIdError(Exception):
    """Every id was given once already."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """GB that each space is promised; of one whose file is not known, what the policy gives."""

    known: Mapping[str, int] = field(default_factory=dict)
    default: int = 0

    def of(self, slug: str) -> int:
        """Return the GB of one space."""
        return self.known.get(slug, self.default)

    def need(self, slug: str) -> dict[str, float]:
        """Return what a space takes of a web node."""
        return {_loads.SPACES: 1, STORAGE: self.of(slug)}


def plan(
    lock: Lock,
    slugs: Iterable[str],
    web: Sequence[Node],
    db: Sequence[Node],
    shards: Sequence[Shard] = (),
    sizes: Sizes | None = None,
    sources: Mapping[str, str] | None = None,
) -> dict[str, Place]:
    """Place the spaces that the lock does not know. What it knows never moves.

    A copy comes to the nodes of the space that it is made of (`sources`: copy → space).

    A space that is placed already is in the result where the lock names no shard for it yet.
    """
    slugs = sorted(set(slugs))
    placed = _homes(lock, slugs, web, db, sizes or Sizes(), sources or {})
    places = {**{slug: lock.spaces[slug] for slug in slugs if slug in lock.spaces}, **placed}
    served = _shards(lock, places, shards)
    return {slug: place for slug, place in served.items() if lock.spaces.get(slug) != place}


def _homes(
    lock: Lock,
    slugs: Iterable[str],
    web: Sequence[Node],
    db: Sequence[Node],
    sizes: Sizes,
    sources: Mapping[str, str],
) -> dict[str, Place]:
    """Return the place of each new space, the emptiest nodes first.

    Raises:
        NoIdError: there are not enough numbers left.
        NoRoomError: no node has room for one of them.

    """
    new = sorted(set(slugs).difference(lock.spaces))
    if lock.next_id + len(new) > IDS.stop:
        raise NoIdError
    webs = _loads.Loads({node.name: node.limits for node in web})
    webs.fill((place.web, sizes.need(slug)) for slug, place in lock.spaces.items())
    beside = database_nodes(db)
    # How many databases a node takes nobody limits.
    databases = _loads.Loads({name: {} for name in beside})
    databases.fill((place.db, _loads.ONE) for place in lock.spaces.values())
    placed = {}
    for number, slug in enumerate(new, start=lock.next_id):
        source = lock.spaces.get(sources.get(slug, ""))
        if source is not None and source.web in webs.names:
            placed[slug] = _beside(source, number, webs, sizes, slug)
            continue
        home = webs.take(sizes.need(slug))
        database = databases.add(home) if home and home in beside else databases.take()
        if home is None or database is None:
            raise NoRoomError(slug, sizes.of(slug))
        placed[slug] = Place(number, home, database)
    return placed


def _beside(source: Place, number: int, webs: _loads.Loads, sizes: Sizes, slug: str) -> Place:
    """Return the place of a copy: where its files are copied from.

    Raises:
        NoRoomError: that node is full.

    """
    if webs.lacks(source.web, sizes.need(slug)):
        raise NoRoomError(slug, sizes.of(slug))
    webs.add(source.web, sizes.need(slug))
    return Place(number, source.web, source.db)


def database_nodes(db: Sequence[Node]) -> list[str]:
    """Return the nodes that new databases may go to.

    One that is being emptied takes none, unless no other has the part: a node may keep databases
    of spaces that are all elsewhere.
    """
    return [node.name for node in db if not node.takes_none] or [node.name for node in db]


def _shards(lock: Lock, places: Mapping[str, Place], shards: Sequence[Shard]) -> dict[str, Place]:
    """Give each space a shard of each suite: the one with the fewest spaces, in order.

    Of every suite, not only of the one in use: a space's administrators switch at any time.
    """
    load = Counter(name for place in lock.spaces.values() for name in place.office.values())
    suites: dict[str, list[str]] = {}
    for shard in shards:
        suites.setdefault(shard.suite, []).append(shard.name)
    served = {}
    for slug, place in sorted(places.items()):
        office = dict(place.office)
        for suite, names in suites.items():
            if suite not in office:
                office[suite] = min(names, key=lambda name: load[name])
                load[office[suite]] += 1
        served[slug] = place._replace(office=office)
    return served
