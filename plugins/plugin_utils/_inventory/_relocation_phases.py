# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What each node does in each phase of moving some spaces, and what came of it. Pure.

A space that fails takes no part in what follows. As long as its new place is not written down, it
is opened again where it was.
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import (
        Draft,
        Unchecked,
    )

FROM, TO = "from", "to"
OTHER = {FROM: TO, TO: FROM}
# Phase → the node that does it.
SIDES = {
    **dict.fromkeys(("prepare", "copy", "take", "settle", "check", "forget"), TO),
    **dict.fromkeys(("offer", "close", "leave", "give_up", "discard", "put_back"), FROM),
    "retire": TO,
}
# Those before the new place of a space is written down.
BEFORE = frozenset({"prepare", "offer", "copy", "close", "take"})
FAILED = "failed"

# Slug → what is known: public, host_key, failed, and so on.
States = t.Mapping[str, "Unchecked"]


def is_fresh(move: Unchecked) -> bool:
    """Tell whether placement.yml says still that the space is where it was."""
    return bool(move["placed"]["web"] == move["web"][FROM])


def items(
    batch: Sequence[Unchecked],
    phase: str,
    node: str,
    states: States,
    addresses: Mapping[str, Sequence[str]],
) -> list[Draft]:
    """Return what the module is given on one node for one phase.

    Args:
        batch: moves, as `_relocation.plan` has them.
        phase: of the module spaces_move.
        node: which node asks.
        states: what is known of each space so far, from all nodes.
        addresses: node → where others reach it, the first one before the others.

    """
    side = SIDES[phase]
    chosen = [one for one in batch if one["web"][side] == node and _takes_part(one, phase, states)]
    return [_item(one, side, states.get(one["slug"], {}), addresses) for one in chosen]


def _takes_part(move: Unchecked, phase: str, states: States) -> bool:
    failed = FAILED in states.get(move["slug"], {})
    if phase == "give_up":
        return failed and is_fresh(move)
    if failed or (phase == "check" and not move["serves"]):
        return False
    return is_fresh(move) or phase not in BEFORE


def _item(
    move: Unchecked, side: str, state: Unchecked, addresses: Mapping[str, Sequence[str]]
) -> Draft:
    other = move["web"][OTHER[side]]
    known = addresses.get(other) or [""]
    return {
        "slug": move["slug"],
        "id": move["id"],
        "release": move["release"],
        "database_from": move["db"][FROM],
        "database_to": move["db"][TO],
        "bytes": move["bytes"],
        "public": state.get("public", ""),
        "peer": {
            "name": other,
            "address": known[0],
            "sources": list(known),
            "host_key": state.get("host_key", ""),
        },
        "host": move["host"],
        "version": move["version"],
    }


def note(given: Sequence[Unchecked], result: Unchecked, known: States, where: str) -> Draft:
    """Return what a node knows of spaces after a phase.

    Args:
        given: what it was given.
        result: of the module; of one that failed as a whole, or did not answer, its words.
        known: what the node knew before.
        where: the node and the phase, in words.

    """
    found: Draft = {slug: dict(state) for slug, state in known.items()}
    whole = "" if "failed_spaces" in result else result.get("msg", "it did not answer")
    for one in given:
        slug = one["slug"]
        reason = whole or result["failed_spaces"].get(slug)
        state = {FAILED: f"{where}: {reason}"} if reason else result["spaces"].get(slug, {})
        found[slug] = {**found.get(slug, {}), **state}
    return found


def list_switches(batch: Sequence[Unchecked], states: States) -> Draft:
    """Return the lines of placement.yml that change: all that has arrived whole."""
    return {
        one["slug"]: {
            "id": one["id"],
            "web": one["web"][TO],
            "db": one["db"][TO],
            "from": {"web": one["web"][FROM], "db": one["db"][FROM]},
        }
        for one in batch
        if is_fresh(one) and FAILED not in states.get(one["slug"], {})
    }


def describe(batch: Sequence[Unchecked], states: States) -> Iterator[str]:
    """Yield what came of each space, in words."""
    for one in batch:
        slug, state = one["slug"], states.get(one["slug"], {})
        if FAILED in state:
            yield f"{slug}: {state[FAILED]}"
        else:
            closed = state.get("closed_seconds")
            seconds = "" if closed is None else f", closed for {closed} s"
            yield f"{slug}: on {one['web'][TO]}{seconds}"
