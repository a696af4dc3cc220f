# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Another node of a cluster becomes its primary: whether it may, and which lines change. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    did_you_mean,
    quoted,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._proposals import (
    ProposalError,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import (
        Draft,
        Unchecked,
    )


@dataclass(frozen=True, slots=True)
class Change:
    """What is asked for, and what is known."""

    to: str
    # The primary, where somebody says that it is gone.
    lost: str
    # Node → archipel_database_role; empty for one of no cluster.
    roles: Mapping[str, Unchecked]
    # Member → its state, as database_replication says it; empty where it said nothing.
    states: Mapping[str, Unchecked]
    # Member → the address that others follow it at.
    addresses: Mapping[str, str]
    # Who reaches the node that is said to be lost, and where: in words.
    reached: Sequence[str] = ()

    @property
    def primary(self) -> str:
        """Return the node that placement.yml has the databases on."""
        return str(self.roles[self.to]["primary"])


def plan(change: Change) -> Draft:
    """Return from where to where, and what is to be said about it.

    Returns:
        from, to, lost: nodes; the last one is empty where both answer.
        others: replicas that follow the new primary afterwards.
        promoted: whether an earlier run has got so far.
        notes: sentences for people.

    Raises:
        ProposalError: it may not be, with all reasons.

    """
    if problems := list(_check_names(change)):
        raise ProposalError(problems)
    if problems := [*_check_primary(change), *_check_replica(change)]:
        raise ProposalError(problems)
    state = change.states[change.to]
    return {
        "from": change.primary,
        "to": change.to,
        "lost": bool(change.lost),
        "others": [n for n in change.roles[change.to]["replicas"] if n != change.to],
        "promoted": state["follows"] is None,
        "notes": list(_notes(change, state)),
    }


def _check_names(change: Change) -> Iterator[str]:
    clusters = {node: role for node, role in change.roles.items() if role}
    if not clusters:
        yield "to: no database node has archipel_database_cluster: docs/clusters.md tells how"
    elif change.to not in clusters:
        hint = did_you_mean(change.to, clusters)
        allowed = f"allowed: a node of a cluster, {', '.join(clusters)}"
        yield f"to: found {quoted(change.to)}; {allowed}.{hint}"
    elif change.to == change.primary:
        yield f"to: {change.to} is the primary already; nothing is to be done"
    elif change.lost not in ("", change.primary):
        allowed = f"allowed: the primary, {change.primary}, or nothing"
        yield f"lost: found {quoted(change.lost)}; {allowed}"


def _check_primary(change: Change) -> Iterator[str]:
    """Yield why the old primary may not be replaced in this way."""
    name = change.primary
    if not change.lost:
        if not change.states.get(name):
            yield (
                f"{name} does not answer, so nobody knows whether {change.to} has all that was "
                f"written there. Is it gone for good? Switch it off, and say -e lost={name}"
            )
        return
    if change.states.get(name):
        yield (
            f"{name} is not lost: Ansible reaches it. Without -e lost={name} it takes no more "
            "writes first, and nothing is lost"
        )
    yield from (f"{name} is not lost: {words}. Switch it off first" for words in change.reached)


def _check_replica(change: Change) -> Iterator[str]:
    """Yield why a replica may not become the primary."""
    state = change.states.get(change.to)
    if not state:
        yield f"{change.to} does not answer"
        return
    found = state["follows"]
    if found is None:
        if state["read_only"]:
            yield f"{change.to} has no copy yet: run playbooks/platform.yml --tags mariadb first"
        return
    if found["host"] != change.addresses[change.primary]:
        text = f"{change.to} follows {found['host']}, and not {change.primary}"
        yield f"{text}; run playbooks/platform.yml first"
    if found["applies"] != "Yes":
        yield f"{change.to} does not apply what it receives: {found['error'] or 'it was stopped'}"
    elif not change.lost and found["receives"] != "Yes":
        yield f"{change.to} does not reach {change.primary}: {found['error'] or found['receives']}"
    for name in change.roles[change.to]["replicas"] if change.lost else ():
        other = (change.states.get(name) or {}).get("follows")
        if name != change.to and other and sequence(other) > sequence(found):
            yield f"{name} has received more than {change.to}: say -e to={name}"


def sequence(found: Unchecked) -> int:
    """Return how far a replica has received: the highest number of its GTIDs."""
    return max((int(one.split("-")[2]) for one in found["received"].split(",") if one), default=0)


def _notes(change: Change, state: Unchecked) -> Iterator[str]:
    if change.lost:
        yield (
            "What was committed while no replica was there is lost: after "
            "mariadb_replication_wait_seconds the primary goes on alone. "
            f"{change.to} has all up to {state['position'] or 'its beginning'}."
        )
    silent = [name for name in change.roles[change.to]["replicas"] if not change.states.get(name)]
    if silent:
        yield f"{', '.join(silent)}: no answer; follows once it is there and platform.yml has run."


def moves(
    spaces: Iterable[Unchecked], placed: Iterable[Unchecked], found: Unchecked
) -> dict[str, Draft]:
    """Return the lines of placement.yml that change: of every database of the old primary.

    Args:
        spaces: entries of archipel_spaces of all nodes.
        placed: of which only placement.yml says anything, as archipel_report has them.
        found: the plan.

    """
    return {
        one["slug"]: {
            "web": one["web"],
            "db": found["to"],
            "from": {"web": one["web"], "db": found["from"]},
        }
        for one in [*spaces, *placed]
        if one["db"] == found["from"]
    }


def table(found: Unchecked, number: int) -> list[str]:
    """Return what is to be done, for people."""
    how = "which is lost" if found["lost"] else "which takes no more writes first"
    lines = [
        f"{found['to']} becomes the primary in place of {found['from']}, {how}; {number} spaces."
    ]
    if found["promoted"]:
        lines = [f"{found['to']} was promoted already; {number} spaces are told where it is."]
    return lines + list(found["notes"])
