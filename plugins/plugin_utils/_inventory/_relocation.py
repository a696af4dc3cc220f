# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What playbooks/move.yml does: which spaces move from where to where, and which go on. Pure.

Where a space shall go is placement's matter (`_proposals`). A move that was interrupted stands in
the journal of the node that the space leaves, and goes where it was going.
"""

from __future__ import annotations

import copy
import typing as t
from dataclasses import dataclass

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    did_you_mean,
    quoted,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import _proposals
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._proposals import (
    Asked,
    ProposalError,
    Seen,
)

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import (
        Draft,
        Unchecked,
    )

# Of a node whose spaces have moved, and that keeps what they left.
KEPT = "kept"
KINDS = ("discard", "restore")

# Node → slug → journal.
Journals = t.Mapping[str, t.Mapping[str, "Unchecked"]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asked for: spaces to a node, or all of a node's away from it."""

    only: Sequence[str] | None = None
    to: str = ""
    drain: str = ""


def plan(seen: Seen, wanted: Wanted, journals: Journals) -> Draft:
    """Return the moves, those that were interrupted first, and what cannot move.

    Raises:
        ProposalError: what was asked means nothing, or a space that was named cannot move.

    """
    if problems := list(_check(seen, wanted)):
        raise ProposalError(problems)
    entries = {space["slug"]: space for space in seen.spaces}
    begun = _begun(wanted, journals, entries)
    going = [_resumed(entries[slug], node, journal, seen) for slug, (node, journal) in begun]
    chosen = _chosen(seen, wanted, {slug for slug, _ in begun})
    found = _apart(_propose(seen, wanted, chosen), seen.spaces)
    if wanted.only is not None and found["stuck"]:
        raise ProposalError([f"{one['slug']}: {one['why']}" for one in found["stuck"]])
    moves = [_new(one, entries[one["slug"]], seen) for one in found["proposals"]]
    return {"moves": [*going, *moves], "stuck": found["stuck"]}


def _check(seen: Seen, wanted: Wanted) -> Iterator[str]:
    """Yield everything that is wrong with what was asked."""
    webs = [node["name"] for node in seen.report["nodes"] if "web" in node["parts"]]
    if wanted.drain and (wanted.only is not None or wanted.to):
        yield f"drain={wanted.drain}: takes neither only nor to; all of its spaces go where room is"
    if not wanted.drain and (wanted.only is None or not wanted.to):
        yield "allowed: -e only=<spaces> -e to=<web node>, or -e drain=<web node>"
    if wanted.drain and wanted.drain not in webs:
        allowed = f"allowed: a web node, {', '.join(webs)}"
        yield f"drain: found {quoted(wanted.drain)}; {allowed}.{did_you_mean(wanted.drain, webs)}"


def _begun(
    wanted: Wanted, journals: Journals, entries: Mapping[str, Unchecked]
) -> list[tuple[str, tuple[str, Unchecked]]]:
    """Return the moves that were begun, of those that are asked for: slug → node, journal.

    Raises:
        ProposalError: one of them goes elsewhere.

    """
    found, problems = {}, []
    for node, slugs in sorted(journals.items()):
        for slug, journal in sorted(slugs.items()):
            asked = node == wanted.drain if wanted.drain else slug in (wanted.only or ())
            if not asked or journal["step"] == KEPT or slug not in entries:
                continue
            if wanted.to and journal["to"] != wanted.to:
                problems.append(
                    f"{slug}: its move from {node} to {journal['to']} was begun; finish it with "
                    f"-e to={journal['to']}, or give it up with -e kept=restore"
                )
            found[slug] = (node, journal)
    if problems:
        raise ProposalError(problems)
    return sorted(found.items())


def _chosen(seen: Seen, wanted: Wanted, begun: set[str]) -> list[str]:
    """Return the spaces whose move is to begin."""
    if wanted.drain:
        asked = [space["slug"] for space in seen.spaces if space["web"] == wanted.drain]
    else:
        asked = list(wanted.only or ())
    return sorted(set(asked) - begun)


def _propose(seen: Seen, wanted: Wanted, chosen: Sequence[str]) -> Draft:
    """Ask placement where they go.

    Raises:
        ProposalError: nothing may come to the node that was named.

    """
    if not chosen:
        return {"proposals": [], "stuck": []}
    if not wanted.drain:
        return _proposals.propose(seen, Asked(chosen, wanted.to))
    report = copy.deepcopy(dict(seen.report))
    for node in report["nodes"]:
        # As a node that takes nothing any more: placement empties it.
        if node["name"] == wanted.drain:
            node["spaces"] = 0
    emptied = Seen(seen.spaces, report, seen.observed, seen.model)
    return _proposals.propose(emptied, Asked(chosen))


def _apart(found: Draft, spaces: Sequence[Unchecked]) -> Draft:
    """Set aside what this playbook does not do."""
    copies = {space["slug"] for space in spaces if "copy_of" in space}
    moves, stuck = [], list(found["stuck"])
    for one in found["proposals"]:
        if why := _obstacle(one, copies):
            stuck.append({"slug": one["slug"], "node": one["web"]["from"], "why": why})
        else:
            moves.append(one)
    return {"proposals": moves, "stuck": stuck}


def _obstacle(proposal: Unchecked, copies: Collection[str]) -> str:
    """Return why a move is none of this playbook's; empty if it is."""
    web, db = proposal["web"], proposal["db"]
    if web["from"] == web["to"]:
        return "its database alone would move; a space goes with its files"
    if proposal["slug"] in copies and db["to"] != web["to"]:
        return (
            f"a copy of a space, whose database would be on {db['to']} and its files on "
            f"{web['to']}: it could not be purged there, which works on one node alone. Name a "
            "node that has a database server, or purge it"
        )
    return ""


def _new(proposal: Unchecked, space: Unchecked, seen: Seen) -> Draft:
    return {**_common(space, seen), "web": proposal["web"], "db": proposal["db"], "begun": ""}


def _resumed(space: Unchecked, node: str, journal: Unchecked, seen: Seen) -> Draft:
    return {
        **_common(space, seen, node),
        "web": {"from": node, "to": journal["to"]},
        "db": dict(journal["database"]),
        # It may have its new place in placement.yml already.
        "begun": journal["step"],
    }


def _common(space: Unchecked, seen: Seen, node: str = "") -> Draft:
    states = seen.of_node(node or space["web"]).get("states") or {}
    state = states.get(space["slug"]) or seen.state(space)
    return {
        "slug": space["slug"],
        "id": space["id"],
        "host": space["domains"][0],
        "placed": {"web": space["web"], "db": space["db"]},
        "serves": space["status"] == "approved",
        "release": state.get("release") or space["release"],
        "version": state.get("version") or "",
        "bytes": int((state.get("usage") or {}).get("used_bytes", 0)),
    }


def batches(moves: Sequence[Draft], size: int) -> list[list[Draft]]:
    """Return the moves in parts that go together, those that were begun first.

    Raises:
        ProposalError: that is no size.

    """
    if size < 1:
        raise ProposalError([f"move_parallel: found {size}; allowed: 1 or more"])
    return [list(moves[at : at + size]) for at in range(0, len(moves), size)]


def plan_kept(kind: str, slug: str, confirm: str, seen: Seen, journals: Journals) -> Draft:
    """Return what is done to what a space has left when it moved.

    Raises:
        ProposalError: nothing is kept of it, or it is not confirmed.

    """
    if kind not in KINDS:
        raise ProposalError([f"kept: found {quoted(kind)}; allowed: {', '.join(KINDS)}"])
    entry = next((space for space in seen.spaces if space["slug"] == slug), None)
    nodes = [node for node, slugs in sorted(journals.items()) if slug in slugs]
    if entry is None or not nodes:
        raise ProposalError([f"{slug}: nothing of an earlier move of it is kept on any node"])
    node, journal = nodes[0], journals[nodes[0]][slug]
    arrived = journal["step"] != KEPT and entry["web"] == journal["to"]
    if arrived or (journal["step"] != KEPT and kind == "discard"):
        to = journal["to"]
        raise ProposalError(
            [f"{slug}: its move to {to} is not finished; finish it with -e only={slug} -e to={to}"]
        )
    if confirm != slug and journal["step"] == KEPT:
        what = {
            "discard": f"removes what it left on {node}, for good",
            "restore": f"takes it back to {node}: what was stored since does not come along",
        }[kind]
        raise ProposalError([f"{slug}: kept={kind} {what}. Say it with -e confirm={slug}"])
    moved = {"web": {"from": node, "to": journal["to"]}, "db": dict(journal["database"])}
    return {**_common(entry, seen), **moved, "begun": journal["step"]}
