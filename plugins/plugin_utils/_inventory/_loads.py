# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What nodes have taken of what they may take, and which of them is the least loaded. Pure."""

from __future__ import annotations

import heapq
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    # What of → how much of it: spaces, GB, MiB.
    Amounts = Mapping[str, float]

SPACES = "spaces"
ONE: Amounts = {SPACES: 1}


class Loads:
    """The least loaded node first; equal loads in the order in which nodes were given.

    A node's load is the largest share of anything that it has a limit of, as dominant resource
    fairness has it; of a node without limits it is the number of its spaces.
    """

    def __init__(self, limits: Mapping[str, Amounts]) -> None:
        self._limits = limits
        self._order = {name: index for index, name in enumerate(limits)}
        self._taken: dict[str, dict[str, float]] = {name: {SPACES: 0} for name in limits}
        self._heap = [self._rank(name) for name in limits]
        heapq.heapify(self._heap)

    @property
    def names(self) -> Collection[str]:
        """The nodes."""
        return self._limits.keys()

    def taken(self, name: str, kind: str) -> float:
        """Return how much of something a node has taken."""
        return self._taken[name].get(kind, 0)

    def excess(self, name: str, kind: str) -> float:
        """Return how much more of something a node has taken than it may; 0 where it may."""
        limit = self._limits[name].get(kind)
        return 0 if limit is None else max(self.taken(name, kind) - limit, 0)

    def share(self, name: str, more: Amounts | None = None) -> float:
        """Return the load of a node, with something more on it or as it is."""
        taken, extra = self._taken[name], more or {}
        shares = [
            self._part(taken.get(kind, 0) + extra.get(kind, 0), limit)
            for kind, limit in self._limits[name].items()
        ]
        return max(shares) if shares else taken[SPACES] + extra.get(SPACES, 0)

    @staticmethod
    def _part(amount: float, limit: float) -> float:
        return amount / limit if limit else float("inf")

    def _rank(self, name: str) -> tuple[float, int, str]:
        return self.share(name), self._order[name], name

    def lacks(self, name: str, need: Amounts) -> list[str]:
        """Return the kinds of what a node would not have enough of, in the order of its limits."""
        taken = self._taken[name]
        return [
            kind
            for kind, limit in self._limits[name].items()
            if need.get(kind, 0) and taken.get(kind, 0) + need[kind] > limit
        ]

    def take(self, need: Amounts = ONE, without: Collection[str] = ()) -> str | None:
        """Return the least loaded node that has room, fuller afterwards; None: there is none."""
        aside = []
        found = None
        while self._heap and found is None:
            rank = heapq.heappop(self._heap)
            name = rank[2]
            if rank != self._rank(name):
                continue  # an older rank of a node whose load has changed since
            if name in without or self.lacks(name, need):
                aside.append(rank)
            else:
                found = name
        for rank in aside:
            heapq.heappush(self._heap, rank)
        return None if found is None else self.add(found, need)

    def add(self, name: str, need: Amounts = ONE) -> str:
        """Note that a node has taken something, whether it had room or not."""
        self._change(name, need, 1)
        heapq.heappush(self._heap, self._rank(name))
        return name

    def remove(self, name: str, need: Amounts = ONE) -> None:
        """Note that something has left a node."""
        self._change(name, need, -1)
        heapq.heappush(self._heap, self._rank(name))

    def fill(self, homes: Iterable[tuple[str, Amounts]]) -> None:
        """Note what is there already; what is on nodes that are not known counts nowhere."""
        for name, need in homes:
            if name in self._limits:
                self._change(name, need, 1)
        self._heap = [self._rank(name) for name in self._limits]
        heapq.heapify(self._heap)

    def _change(self, name: str, need: Amounts, sign: int) -> None:
        taken = self._taken[name]
        for kind, amount in need.items():
            taken[kind] = taken.get(kind, 0) + sign * amount
