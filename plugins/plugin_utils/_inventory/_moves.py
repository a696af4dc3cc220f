# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which spaces would have to move for nodes to hold what they may: proposals, and a pure planner.

Nothing is proposed because a node was added. A node that holds more than it may gets within its
limits with few and small moves; one that takes nothing is emptied; a new one is filled when asked.
"""

from __future__ import annotations

import bisect
import math
import typing as t
from dataclasses import dataclass

from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import _loads
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._placement import STORAGE

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

# Kinds of load beside spaces and the GB promised: GB stored, and MiB by the model.
USED, MEMORY = "used_gb", "memory_mib"
# How people are told of them.
WORDS = {
    _loads.SPACES: "spaces",
    STORAGE: "GB promised",
    USED: "GB on its disk",
    MEMORY: "memory by the model",
}
DRAINS = "the node is being emptied"


class Model(t.NamedTuple):
    """What a space takes of a node's memory, in MiB: archipel_node_model."""

    asleep_mib: float
    awake_mib: float
    database_mib: float
    # How many spaces are in use at the same time, and how full a disk may be, in percent.
    awake_percent: float
    disk_percent: float

    @property
    def web_mib(self) -> float:
        """Memory that a space takes where its files are."""
        return self.asleep_mib + self.awake_mib * self.awake_percent / 100


class Space(t.NamedTuple):
    """A space with what it takes of its nodes."""

    slug: str
    web: str
    db: str
    storage_gb: float
    # GB it stores; None: nobody said so.
    used_gb: float | None = None
    # Why it cannot be moved now.
    obstacle: str = ""

    @property
    def weight(self) -> tuple[float, str]:
        """What is copied when it moves: what it stores, else what it may store."""
        return (self.storage_gb if self.used_gb is None else self.used_gb), self.slug


class Room(t.NamedTuple):
    """A node with what it holds at most, by kind of load."""

    name: str
    web: bool
    db: bool
    limits: Mapping[str, float]
    drains: bool = False
    # Why nothing may come to it now.
    closed: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """A space with the nodes that it would leave and come to; with the same db, that stays."""

    space: Space
    web: str
    db: str
    why: str


@dataclass(frozen=True, slots=True)
class Stuck:
    """A space that would have to move, and why it cannot."""

    slug: str
    node: str
    why: str


class Planner:
    """The nodes with what is on them; every proposal is taken into account by those after it."""

    def __init__(self, rooms: Sequence[Room], spaces: Iterable[Space], model: Model) -> None:
        self.rooms = {room.name: room for room in rooms}
        self._model = model
        self._spaces = {space.slug: space for space in sorted(spaces)}
        self.web = _loads.Loads({room.name: room.limits for room in rooms})
        self.web.fill(self._amounts())
        # None of them may take a database that a move brings along; the others are as before.
        self._databases = [room.name for room in rooms if room.db and not self._refuses(room)]
        self.db = _loads.Loads({room.name: {} for room in rooms if room.db})
        self.db.fill((space.db, _loads.ONE) for space in self._spaces.values())
        self.moves: dict[str, Move] = {}
        self.stuck: list[Stuck] = []

    def _amounts(self) -> Iterator[tuple[str, _loads.Amounts]]:
        for space in self._spaces.values():
            yield space.web, self._need(space)
            yield space.db, {MEMORY: self._model.database_mib}

    def _need(self, space: Space) -> dict[str, float]:
        return {
            _loads.SPACES: 1,
            STORAGE: space.storage_gb,
            USED: space.used_gb or 0,
            MEMORY: self._model.web_mib,
        }

    @staticmethod
    def _refuses(room: Room) -> bool:
        return room.drains or bool(room.closed)

    def at(self, name: str) -> list[Space]:
        """Return the spaces whose files are on a node, by slug."""
        return [space for space in self._spaces.values() if space.web == name]

    def excess(self, name: str) -> dict[str, float]:
        """Return how much more than it may a node holds, by kind."""
        limits = self.rooms[name].limits
        found = {kind: self.web.excess(name, kind) for kind in limits}
        return {kind: amount for kind, amount in found.items() if amount}

    # --- what is proposed --------------------------------------------------------------

    def relieve(self, only: Iterable[str] | None = None) -> None:
        """Get every node within its limits, and empty those that take nothing."""
        chosen = None if only is None else set(only)
        for room in self.rooms.values():
            found = [s for s in self.at(room.name) if chosen is None or s.slug in chosen]
            why = DRAINS if room.drains else self._too_much(room.name)
            leaving = found if room.drains else self._leaving(room.name, found)
            for space in sorted(leaving, key=lambda one: one.weight):
                self._leave(space, why)
            if room.drains and room.db:
                self._empty_of_databases(room.name, chosen)

    def _too_much(self, name: str) -> str:
        """Return what a node has too much of, for people."""
        return (
            f"{name} holds more than it may: {', '.join(map(WORDS.__getitem__, self.excess(name)))}"
        )

    def _leaving(self, name: str, spaces: Sequence[Space]) -> list[Space]:
        """Return few and small spaces without which a node is within its limits."""
        over = self.excess(name)
        movable = [space for space in spaces if not space.obstacle]
        chosen: dict[str, Space] = {}
        for kind in (STORAGE, USED):
            left = over.get(kind, 0) - sum(self._need(one)[kind] for one in chosen.values())
            rest = [space for space in movable if space.slug not in chosen]
            chosen |= {one.slug: one for one in _cover(rest, kind, left)}
        number = over.get(_loads.SPACES, 0)
        if memory := over.get(MEMORY):
            number = max(number, math.ceil(memory / max(self._model.web_mib, 1)))
        rest = sorted(
            (one for one in movable if one.slug not in chosen), key=lambda one: one.weight
        )
        return [*chosen.values(), *rest[: max(int(number) - len(chosen), 0)]]

    def _empty_of_databases(self, name: str, chosen: set[str] | None) -> None:
        """Propose another node for databases of spaces whose files are elsewhere."""
        stuck = {one.slug for one in self.stuck}
        for space in list(self._spaces.values()):
            if space.db != name or space.web == name or space.slug in stuck:
                continue
            if chosen is not None and space.slug not in chosen:
                continue
            if space.obstacle:
                self.stuck.append(Stuck(space.slug, name, space.obstacle))
            else:
                self._relocate(space, space.web, DRAINS, name)

    def fill(self, name: str) -> None:
        """Bring spaces to a node until none of the others is fuller than it would be then."""
        order = {
            room: iter(sorted(self.at(room), key=lambda one: one.weight))
            for room in self._sources(name)
        }
        while order:
            source = max(order, key=lambda room: (self.web.share(room), room))
            space = next((one for one in order[source] if not one.obstacle), None)
            if space is None:
                del order[source]
                continue
            need = self._need(space)
            if self.web.share(name, need) >= self.web.share(source) or self.web.lacks(name, need):
                return
            self._go(space, name, f"{name} has room")

    def _sources(self, name: str) -> list[str]:
        return [room.name for room in self.rooms.values() if room.web and room.name != name]

    def send(self, slug: str, name: str) -> None:
        """Propose that a space goes to a node, or say why it cannot."""
        space = self._spaces[slug]
        lacking = self.web.lacks(name, self._need(space))
        if space.web == name:
            self.stuck.append(Stuck(slug, name, f"it is on {name} already"))
        elif space.obstacle:
            self.stuck.append(Stuck(slug, space.web, space.obstacle))
        elif lacking:
            text = f"{name} has no room for it: {', '.join(map(WORDS.__getitem__, lacking))}"
            self.stuck.append(Stuck(slug, space.web, text))
        else:
            self._go(space, name, "asked for")

    # --- how ---------------------------------------------------------------------------

    def _leave(self, space: Space, why: str) -> None:
        """Propose the least loaded node with room for a space."""
        if space.obstacle:
            self.stuck.append(Stuck(space.slug, space.web, space.obstacle))
            return
        closed = [room.name for room in self.rooms.values() if not room.web or self._refuses(room)]
        closed.append(space.web)
        need = self._need(space)
        if (target := self.web.take(need, closed)) is None:
            self.stuck.append(Stuck(space.slug, space.web, "no other node has room for it"))
            return
        self.web.remove(target, need)
        self._go(space, target, why)

    def _go(self, space: Space, target: str, why: str) -> None:
        """Note a move; the database comes along where it lives beside the files."""
        beside = space.db == space.web
        need = self._need(space)
        self.web.remove(space.web, need)
        self.web.add(target, need)
        self._relocate(space, target, why, space.web if beside else "")

    def _relocate(self, space: Space, web: str, why: str, leaves: str) -> None:
        """Note a move; `leaves` is the node whose database it takes along, if it does."""
        db = space.db
        if leaves and leaves == space.db:
            if (found := self._database(web, leaves)) is None:
                text = "no other node takes its database"
                self.stuck.append(Stuck(space.slug, leaves, text))
            else:
                db = found
                memory = {MEMORY: self._model.database_mib}
                self.web.remove(space.db, memory)
                self.web.add(db, memory)
                self.db.remove(space.db)
        if (web, db) != (space.web, space.db):
            before = self.moves.get(space.slug)
            origin = before.space if before else space
            self.moves[space.slug] = Move(origin, web, db, why)
            self._spaces[space.slug] = space._replace(web=web, db=db)

    def _database(self, web: str, leaves: str) -> str | None:
        """Return where a database goes: beside its files, else to the node with the fewest."""
        if web in self._databases:
            return self.db.add(web)
        closed = [room.name for room in self.rooms.values() if room.name not in self._databases]
        return self.db.take(without=[*closed, leaves])


def _cover(spaces: Sequence[Space], kind: str, excess: float) -> Iterator[Space]:
    """Yield few spaces that make up an excess together: the smallest alone, else the largest."""

    def size(one: Space) -> float:
        return one.storage_gb if kind == STORAGE else one.used_gb or 0

    rest = sorted(spaces, key=lambda one: (size(one), one.slug))
    while excess > 0 and rest:
        first = bisect.bisect_left(rest, excess, key=size)
        found = rest.pop(min(first, len(rest) - 1))
        if not size(found):
            return
        excess -= size(found)
        yield found
