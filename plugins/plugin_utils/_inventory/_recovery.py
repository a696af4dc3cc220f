# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A node is lost: which of its spaces come to which other node, and in which order. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    did_you_mean,
    quoted,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import _proposals

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import (
        Draft,
        Unchecked,
    )

# Who has visitors comes first.
RANKS = ("approved", "suspended")
NO_BACKUP = "there is no backup of it in the repository"


@dataclass(frozen=True, slots=True)
class Loss:
    """What is known of a node that is lost."""

    name: str
    # Whether Ansible reached it.
    answers: bool
    # As for proposals; of the lost node nothing is known.
    seen: _proposals.Seen
    # Live web node → what spaces_recover found there; empty where it said nothing.
    found: Mapping[str, Unchecked]
    # Slugs that are asked for; None for all.
    only: Sequence[str] | None = None
    # Slug → result of spaces_status as it was last written down.
    known: Mapping[str, Unchecked] | None = None

    def backups(self) -> Mapping[str, Unchecked]:
        """Return slug → last backup, as any node says that reads the repository."""
        looks = (look for look in self.found.values() if look and not look["unready"])
        return next((look["backups"] for look in looks), {})

    def claims(self) -> dict[str, Unchecked]:
        """Return slug → what an earlier run has claimed on some node, and not finished."""
        looks = (look["claims"] for look in self.found.values() if look)
        return {slug: claim for found in looks for slug, claim in found.items()}

    def size(self, space: Unchecked) -> float:
        """Return how many GB come back: of its backup, what it used, else what it may store."""
        of_backup = (self.backups().get(space["slug"]) or {}).get("bytes")
        usage = ((self.known or {}).get(space["slug"]) or {}).get("usage") or {}
        if of_backup is not None:
            return float(of_backup / _proposals.GB)
        if "used_bytes" in usage:
            return float(usage["used_bytes"] / _proposals.GB)
        return float(space["storage_gb"])


def plan(loss: Loss) -> Draft:
    """Return which spaces come to which node, in which order, and which do not and why.

    Returns:
        items: slug, id, web, db and where both were (`from`), gb, backup; largest last.
        left: slug and why.
        settled: slug, web and db of what an earlier run has opened and its line does not say.

    Raises:
        ProposalError: nothing may be restored, with all reasons.

    """
    if problems := list(_check(loss)):
        raise _proposals.ProposalError(problems)
    claims = loss.claims()
    spaces = [space for space in loss.seen.spaces if _is_meant(space["slug"], loss)]
    hit = [one for one in spaces if loss.name in (one["web"], one["db"]) or one["slug"] in claims]
    left = {one["slug"]: why for one in hit if (why := _hindrance(one, loss, claims))}
    left |= {slug: why for slug, why in _without_files(loss) if _is_meant(slug, loss)}
    places: dict[str, Unchecked] = {slug: claim["place"] for slug, claim in claims.items()}
    wanted = [s["slug"] for s in hit if s["slug"] not in left and s["slug"] not in claims]
    proposed = _propose(loss, places, wanted)
    places |= {
        one["slug"]: {part: one[part]["to"] for part in ("web", "db")}
        for one in proposed["proposals"]
    }
    left |= {one["slug"]: one["why"] for one in proposed["stuck"] if one["slug"] in wanted}
    settled = [one for one in loss.seen.spaces if _is_settled(one, loss, claims)]
    items = [_item(one, places[one["slug"]], loss) for one in hit if one["slug"] not in left]
    items.sort(key=lambda one: (RANKS.index(one["status"]), one["gb"], one["slug"]))
    return {
        "lost": loss.name,
        "items": items,
        "left": [{"slug": slug, "why": why} for slug, why in sorted(left.items())],
        "settled": [{word: one[word] for word in ("slug", "web", "db")} for one in settled],
    }


def _is_settled(space: Unchecked, loss: Loss, claims: Mapping[str, Unchecked]) -> bool:
    """Tell whether a space was lost with the node, and its new one has nothing left to do."""
    return (
        space.get("lost") == loss.name
        and bool(loss.found.get(space["web"]))
        and space["slug"] not in claims
    )


def _is_meant(slug: str, loss: Loss) -> bool:
    return loss.only is None or slug in loss.only


def _check(loss: Loss) -> Iterator[str]:
    """Yield every reason why nothing may be restored."""
    nodes = {node["name"]: node for node in loss.seen.report["nodes"]}
    if loss.name not in nodes:
        allowed = ", ".join(nodes)
        hint = did_you_mean(loss.name, nodes)
        yield f"lost: found {quoted(loss.name)}; allowed: a node, {allowed}.{hint}"
        return
    if loss.answers:
        yield _still_there(loss.name, "Ansible reaches it")
    for node, look in loss.found.items():
        if look and look["answers"]:
            yield _still_there(loss.name, f"{node} reaches it at {', '.join(look['answers'])}")
    live = {node: look for node, look in loss.found.items() if look}
    if not live:
        yield "no other web node answers: there is nowhere to restore to"
    elif not loss.backups() and all(look["unready"] for look in live.values()):
        yield from (f"{node} reads no backups: {look['unready']}" for node, look in live.items())
    claimed: dict[str, str] = {}
    for node, look in live.items():
        for slug in look["claims"]:
            if slug in claimed:
                yield (
                    f"{slug} is claimed by {claimed[slug]} and by {node}: give one up, playbooks/"
                    f"restore.yml -e only={slug} -e previous=restore -e confirm={slug}"
                )
            claimed[slug] = node


def _still_there(name: str, how: str) -> str:
    """Return why a node that answers is not lost."""
    return (
        f"{name} is not lost: {how}. Two nodes must never serve one space: switch it off, or take "
        "it from the network, and run this again. One that works is emptied by playbooks/move.yml"
    )


def _hindrance(space: Unchecked, loss: Loss, claims: Mapping[str, Unchecked]) -> str:
    """Return why a space is not restored; empty if it is."""
    slug = space["slug"]
    if space["hold"]:
        return "on hold: take the hold out of its file, and run this again"
    if space["status"] not in RANKS:
        return f"{space['status']}: nothing of it ran. Its backups are kept; to have it, approve it"
    if slug in claims:
        return ""
    if slug not in loss.backups():
        return NO_BACKUP
    others = [
        node
        for node, look in loss.found.items()
        if look and slug in look["here"] and not (node == space["web"] and node != loss.name)
    ]
    if others:
        return f"{others[0]} has an installation of it: see whether that is from before a move"
    return ""


def _without_files(loss: Loss) -> Iterator[tuple[str, str]]:
    """Yield the spaces on the node of which nothing but that is known."""
    for one in loss.seen.report["placed"]:
        if loss.name in (one["web"], one["db"]):
            yield one["slug"], "its file is wrong or gone"


def _propose(loss: Loss, places: Mapping[str, Unchecked], wanted: Sequence[str]) -> Unchecked:
    """Return what the planner of placement.yml says of a node that is emptied."""
    spaces = [{**one, **places.get(one["slug"], {})} for one in loss.seen.spaces]
    nodes = [
        {**node, "spaces": 0, "storage_gb": 0} if node["name"] == loss.name else node
        for node in loss.seen.report["nodes"]
    ]
    used = {one["slug"]: {"used_bytes": loss.size(one) * _proposals.GB} for one in spaces}
    # As if it had answered: what is there has to leave all the same.
    said = {
        "room": {"memory_bytes": 0, "disk_bytes": 1, "disk_free_bytes": 1},
        "states": {slug: {"usage": usage} for slug, usage in used.items()},
    }
    observed = {**(loss.seen.observed or {}), loss.name: said}
    # A node that reads no backups cannot restore any; its databases are reached all the same.
    observed |= {node: {} for node, look in loss.found.items() if not look or look["unready"]}
    report = {**loss.seen.report, "nodes": nodes}
    seen = replace(loss.seen, spaces=spaces, report=report, observed=observed)
    return _proposals.propose(seen, _proposals.Asked(wanted))


def _item(space: Unchecked, place: Unchecked, loss: Loss) -> Draft:
    backup = loss.backups().get(space["slug"]) or {}
    claim = loss.claims().get(space["slug"])
    return {
        "slug": space["slug"],
        "id": space["id"],
        "status": space["status"],
        "web": place["web"],
        "db": place["db"],
        "from": {"web": space["web"], "db": space["db"]},
        # With which web node; empty where that is not lost.
        "lost": loss.name if space["web"] == loss.name else space.get("lost", ""),
        # Its files are where they stay: only its database was lost.
        "stays": space["web"] == place["web"] and loss.name != space["web"] and claim is None,
        "gb": round(loss.size(space), 3),
        "backup": (claim or backup).get("at", ""),
        "goes_on": claim is not None,
    }


def cut(items: Sequence[Unchecked], size: int) -> list[dict[str, list[str]]]:
    """Return the batches: node → slugs, so many on each node, in the order of the items.

    Raises:
        ProposalError: the size means nothing.

    """
    if size < 1:
        raise _proposals.ProposalError([f"batch: found {size}; allowed: a whole number above 0"])
    queues: dict[str, list[str]] = {}
    for item in items:
        queues.setdefault(item["web"], []).append(item["slug"])
    longest = max(map(len, queues.values()), default=0)
    return [
        {node: slugs[start : start + size] for node, slugs in queues.items() if slugs[start:]}
        for start in range(0, longest, size)
    ]
