# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where each space lives: the values, and a pure planner."""

from __future__ import annotations

import heapq
import re
import typing as t
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import IDS

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# An office suite, as space.schema.json has it.
SUITE = re.compile(r"[a-z][a-z0-9]{1,31}")
# One of its servers. Part of the names of hosts, unix users, databases and units: what the role of
# every suite takes.
SHARD = re.compile(r"[a-z][a-z0-9-]{0,18}[a-z0-9]")


class Place(t.NamedTuple):
    """Where one space lives, and its number."""

    id: int
    web: str
    db: str
    # Office suite -> the shard that serves this space when it uses that suite.
    office: Mapping[str, str] = {}


class Shard(t.NamedTuple):
    """One server of an office suite, which any number of spaces share."""

    name: str
    suite: str


class Node(t.NamedTuple):
    """A node that can take spaces; at most `capacity` of them, where that is set."""

    name: str
    capacity: int | None = None


@dataclass(frozen=True, slots=True)
class Lock:
    """The content of placement.yml. `next_id` only ever grows."""

    environment: str | None = None
    next_id: int = IDS.start
    spaces: Mapping[str, Place] = field(default_factory=dict)
    # Line of each space in the file it was read from.
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)


class NoRoomError(Exception):
    """Every web node is at its capacity."""


class NoIdError(Exception):
    """Every id was given once already."""


def plan(
    lock: Lock,
    slugs: Iterable[str],
    web: Sequence[Node],
    db: Sequence[Node],
    shards: Sequence[Shard] = (),
) -> dict[str, Place]:
    """Place the spaces that the lock does not know. What it knows never moves.

    A space that is placed already is in the result where the lock names no shard for it yet.
    """
    slugs = sorted(set(slugs))
    placed = _homes(lock, slugs, web, db)
    places = {**{slug: lock.spaces[slug] for slug in slugs if slug in lock.spaces}, **placed}
    served = _shards(lock, places, shards)
    return {slug: place for slug, place in served.items() if lock.spaces.get(slug) != place}


def _homes(
    lock: Lock, slugs: Iterable[str], web: Sequence[Node], db: Sequence[Node]
) -> dict[str, Place]:
    """Return the place of each new space, the emptiest nodes first.

    Raises:
        NoIdError: there are not enough numbers left.

    """
    new = sorted(set(slugs).difference(lock.spaces))
    if lock.next_id + len(new) > IDS.stop:
        raise NoIdError
    webs = _Loads(web, (place.web for place in lock.spaces.values()))
    databases = _Loads(
        [Node(node.name) for node in db], (place.db for place in lock.spaces.values())
    )
    beside = {node.name for node in db}
    placed = {}
    for number, slug in enumerate(new, start=lock.next_id):
        home = webs.take()
        placed[slug] = Place(
            number, home, databases.add(home) if home in beside else databases.take()
        )
    return placed


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


class _Loads:
    """The least loaded node first; equal loads in the order of the inventory.

    Load is the number of spaces, or its share of the capacity where nodes declare one.
    """

    def __init__(self, nodes: Sequence[Node], homes: Iterable[str]) -> None:
        self._nodes = {node.name: (index, node.capacity) for index, node in enumerate(nodes)}
        self._count = dict.fromkeys(self._nodes, 0)
        for home in homes:
            if home in self._count:
                self._count[home] += 1
        self._heap = [self._rank(name) for name in self._nodes]
        heapq.heapify(self._heap)

    def _rank(self, name: str) -> tuple[float, int, str]:
        index, capacity = self._nodes[name]
        return self._count[name] / (capacity or 1), index, name

    def take(self) -> str:
        """The least loaded node that has room; it is one space fuller afterwards.

        Raises:
            NoRoomError: all are full.

        """
        while self._heap:
            rank = heapq.heappop(self._heap)
            name = rank[2]
            if rank != self._rank(name):
                continue  # an older rank of a node that add() has filled since
            capacity = self._nodes[name][1]
            if capacity is None or self._count[name] < capacity:
                return self.add(name)
        raise NoRoomError

    def add(self, name: str) -> str:
        self._count[name] += 1
        heapq.heappush(self._heap, self._rank(name))
        return name
