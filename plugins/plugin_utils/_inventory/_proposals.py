# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What playbooks/placement.yml says: how full nodes are, and which moves it proposes. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    did_you_mean,
    quoted,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import _loads, _moves
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._placement import STORAGE

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import (
        Draft,
        Unchecked,
    )

GB, MIB = 1024**3, 1024**2
# Statuses in which nobody stores anything: only then a line of placement.yml may change.
STILL = ("suspended",)


class ProposalError(Exception):
    """Everything that is wrong with what was asked, a sentence each."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asked for: nothing, some spaces, these to a node, or a node to be filled."""

    only: Sequence[str] | None = None
    to: str = ""
    fill: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known: of the registry, and what nodes said of themselves and their spaces."""

    # Entries of archipel_spaces of all nodes.
    spaces: Sequence[Unchecked]
    # archipel_report.
    report: Unchecked
    # Node → result of spaces_status; empty where it said nothing, None where nobody asked.
    observed: Mapping[str, Unchecked] | None = None
    model: _moves.Model = field(default_factory=lambda: _moves.Model(0, 0, 0, 0, 100))

    def of_node(self, name: str) -> Unchecked:
        """Return what a node said; nothing where it did not."""
        return (self.observed or {}).get(name) or {}

    def state(self, space: Unchecked) -> Unchecked:
        """Return what the node of a space said of it."""
        states: Unchecked = self.of_node(space["web"]).get("states") or {}
        return states.get(space["slug"]) or {}

    def closed(self, name: str) -> str:
        """Return why nothing may come to or go from a node now: it was asked and said nothing."""
        answered = self.observed is None or self.of_node(name).get("room")
        return "" if answered else f"{name} did not answer"


def propose(seen: Seen, asked: Asked) -> Draft:
    """Return nodes, proposals, and what cannot move, as plain values for a file and a table.

    Raises:
        ProposalError: what was asked means nothing, with all that is wrong.

    """
    rooms = [_room(node, seen) for node in seen.report["nodes"]]
    if problems := list(_check(rooms, asked)):
        raise ProposalError(problems)
    planner = _moves.Planner(rooms, _spaces(seen), seen.model)
    before = {room.name: _load(planner, room.name) for room in rooms}
    if asked.fill:
        planner.fill(asked.fill)
    elif asked.to:
        for slug in sorted(asked.only or ()):
            planner.send(slug, asked.to)
    else:
        planner.relieve(asked.only)
    states = {space["slug"]: (space, seen.state(space)) for space in seen.spaces}
    return {
        "nodes": [
            _node(node, before[node["name"]], _load(planner, node["name"]), seen)
            for node in seen.report["nodes"]
        ],
        "proposals": [
            _proposal(move, *states[slug]) for slug, move in sorted(planner.moves.items())
        ],
        "stuck": [
            {"slug": one.slug, "node": one.node, "why": one.why}
            for one in sorted(planner.stuck, key=lambda one: (one.slug, one.node))
        ],
        "new": seen.report["new"],
    }


def _check(rooms: Sequence[_moves.Room], asked: Asked) -> Iterator[str]:
    """Yield everything that is wrong with what was asked."""
    if asked.to and asked.fill:
        yield f"to={asked.to} and fill={asked.fill}: allowed: one of them"
    if asked.to and asked.only is None:
        yield f"to={asked.to}: name the spaces that go there, -e only=…"
    if asked.fill and asked.only is not None:
        yield f"fill={asked.fill}: takes no selection; leave -e only=… out, or name a node with to"
    webs = {room.name: room for room in rooms if room.web}
    for option, name in (("to", asked.to), ("fill", asked.fill)):
        if not name:
            continue
        if name not in webs:
            allowed = f"allowed: a web node, {', '.join(webs)}"
            yield f"{option}: found {quoted(name)}; {allowed}.{did_you_mean(name, webs)}"
        elif webs[name].drains:
            yield f"{option}: {name} takes no spaces, its archipel_capacity is 0; raise it first"
        elif webs[name].closed:
            yield f"{option}: {webs[name].closed}; mend that first"


def _room(node: Unchecked, seen: Seen) -> _moves.Room:
    """Return a node with what it holds at most: as it was declared, and as the node said."""
    limits = {
        kind: float(node[kind]) for kind in (_loads.SPACES, STORAGE) if node[kind] is not None
    }
    said = seen.of_node(node["name"]).get("room") or {}
    if said:
        limits[_moves.MEMORY] = said["memory_bytes"] / MIB
        if "web" in node["parts"]:
            limits[_moves.USED] = _disk_limit(node["name"], seen)
    drains = 0 in (node["spaces"], node["storage_gb"])
    parts, closed = node["parts"], seen.closed(node["name"])
    return _moves.Room(node["name"], "web" in parts, "db" in parts, limits, drains, closed)


def _disk_limit(name: str, seen: Seen) -> float:
    """Return the GB that spaces may store on a node's disk, which others use as well."""
    said = seen.of_node(name)["room"]
    states = seen.of_node(name).get("states") or {}
    usages = [state.get("usage") or {} for state in states.values()]
    own = sum(usage.get("used_bytes", 0) for usage in usages)
    others = said["disk_bytes"] - said["disk_free_bytes"] - own
    limit = said["disk_bytes"] * seen.model.disk_percent / 100 - max(others, 0)
    return float(max(limit, 0) / GB)


def _spaces(seen: Seen) -> Iterator[_moves.Space]:
    for space in seen.spaces:
        usage = seen.state(space).get("usage") or {}
        used = usage["used_bytes"] / GB if "used_bytes" in usage else None
        size, why = float(space["storage_gb"]), _obstacle(space, seen)
        yield _moves.Space(space["slug"], space["web"], space["db"], size, used, why)
    for one in seen.report["placed"]:
        why = "its file is wrong or gone"
        yield _moves.Space(one["slug"], one["web"], one["db"], float(one["storage_gb"]), None, why)


def _obstacle(space: Unchecked, seen: Seen) -> str:
    """Return why a space cannot be moved now; empty if it can."""
    if space["hold"]:
        return "on hold: every run leaves it as it is"
    if space["status"] == "closed":
        return "closed: it leaves when it is purged"
    if why := seen.closed(space["web"]):
        return why
    pending = seen.state(space).get("pending")
    return f"something is under way: {pending}" if pending else ""


def _load(planner: _moves.Planner, name: str) -> Draft:
    """Return what a node holds of each kind, and of which it has too much."""
    kinds = (_loads.SPACES, STORAGE, _moves.USED, _moves.MEMORY)
    return {
        **{kind: planner.web.taken(name, kind) for kind in kinds},
        "databases": planner.db.taken(name, _loads.SPACES) if planner.rooms[name].db else 0,
        "over": list(planner.excess(name)),
    }


def _node(node: Unchecked, before: Unchecked, after: Unchecked, seen: Seen) -> Draft:
    """Return one node as the file and the table have it: amounts now, at most, and afterwards."""
    said = seen.of_node(node["name"]).get("room") or {}
    return {
        "name": node["name"],
        "parts": node["parts"],
        "state": _state(node, before, seen),
        "over": before["over"],
        "spaces": _amount(before, after, _loads.SPACES, node["spaces"]),
        "databases": {"now": int(before["databases"]), "after": int(after["databases"])},
        "promised_gb": _amount(before, after, STORAGE, node["storage_gb"]),
        "used_gb": round(before[_moves.USED], 2) if said else None,
        "disk_gb": round(said["disk_bytes"] / GB, 2) if said else None,
        "disk_free_gb": round(said["disk_free_bytes"] / GB, 2) if said else None,
        "memory_mib": {
            "model": round(before[_moves.MEMORY]),
            "after": round(after[_moves.MEMORY]),
            "node": round(said["memory_bytes"] / MIB) if said else None,
        },
    }


def _amount(before: Unchecked, after: Unchecked, kind: str, limit: int | None) -> Draft:
    return {"now": int(before[kind]), "after": int(after[kind]), "most": limit}


def _state(node: Unchecked, before: Unchecked, seen: Seen) -> str:
    """Return one word for a node: silent, draining, over, full, new or ok."""
    limits = {_loads.SPACES: node["spaces"], STORAGE: node["storage_gb"]}
    if seen.closed(node["name"]):
        return "silent"
    if 0 in limits.values():
        return "draining"
    if before["over"]:
        return "over"
    if any(limit is not None and before[kind] >= limit for kind, limit in limits.items()):
        return "full"
    empty = not before["databases"] and not before[_loads.SPACES]
    return "new" if empty else "ok"


def _proposal(move: _moves.Move, space: Unchecked, state: Unchecked) -> Draft:
    used = move.space.used_gb
    return {
        "slug": move.space.slug,
        "id": space["id"],
        "web": {"from": move.space.web, "to": move.web},
        "db": {"from": move.space.db, "to": move.db},
        "promised_gb": int(move.space.storage_gb),
        "used_gb": None if used is None else round(used, 2),
        "why": move.why,
        # Why its line may not be written as long as nothing has moved.
        "unready": _unready(space, state),
    }


def _unready(space: Unchecked, state: Unchecked) -> str:
    """Return why the line of a space may not change now; a line alone moves no data."""
    if space["status"] not in STILL:
        return f"its status is {space['status']}; allowed: {', '.join(STILL)}"
    if not state:
        return "its node said nothing of it"
    if state.get("open"):
        return "it is still open; run playbooks/spaces.yml first"
    if not state.get("backup"):
        return "it has no backup to be restored from; run playbooks/backup.yml first"
    return ""


def list_writes(plan: Unchecked, asked: Asked) -> dict[str, Draft]:
    """Return slug → the place that a space leaves and the one that it comes to.

    Without a selection nothing but new spaces is written.

    Raises:
        ProposalError: a space that was named cannot move, or is not ready; nothing is written.

    """
    if asked.only is None:
        return {}
    problems = [f"{one['slug']}: {one['why']}" for one in plan["stuck"]]
    problems += [f"{one['slug']}: {one['unready']}" for one in plan["proposals"] if one["unready"]]
    if problems:
        raise ProposalError(problems)
    return {
        one["slug"]: {
            "id": one["id"],
            **{part: one[part]["to"] for part in ("web", "db")},
            "from": {part: one[part]["from"] for part in ("web", "db")},
        }
        for one in plan["proposals"]
    }
