# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Compare two states of an environment. Pure."""

from __future__ import annotations

import json
import typing as t
from collections import Counter
from pathlib import PurePosixPath

from ansible_collections.archipel.spaces.plugins.plugin_utils._changes import _states
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Unchecked

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ansible_collections.archipel.spaces.plugins.plugin_utils._changes._states import (
        Changes,
        Difference,
        Field,
        Limits,
        Move,
        NodeChange,
        Situation,
        SpaceChange,
        State,
        VariableChange,
    )
    from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._placement import Place

# What every running space of a node has in common (_render/_build.py).
EVERYWHERE = "applied.json"
# Kind of file of which each running space has one.
CONFIG = "config"


def compare(
    before: State,
    after: State,
    situation: Situation,
    rendered: Sequence[Difference] | None,
    unknown: str = "",
) -> Changes:
    """Return what differs, and what nodes would do about it.

    Args:
        before: the base.
        after: what is proposed.
        situation: the policy, and what the inventory makes of the proposal.
        rendered: files that nodes would hold otherwise; None where that is not known.
        unknown: why it is not.

    """
    spaces = tuple(_spaces(before, after, situation))
    moves = tuple(_moves(before, after))
    named = {one.slug for one in spaces} | {one.slug for one in moves}
    named |= set(before.lock) ^ set(after.lock)
    named |= {PurePosixPath(name).stem for name in after.others | before.others}
    return _states.Changes(
        spaces=spaces,
        variables=tuple(_variables(before, after)),
        inventory=tuple(_without_variables(before, after)),
        moves=moves,
        ledger_rewritten=after.ledger[: len(before.ledger)] != before.ledger,
        others=tuple(sorted(before.others | after.others)),
        outside=situation.outside,
        touched=len(_touched(rendered or (), situation) - named),
        nodes=None if rendered is None else tuple(_nodes(rendered, situation)),
        unknown=unknown,
    )


# --- files of associations ------------------------------------------------------------


def _spaces(before: State, after: State, situation: Situation) -> Iterator[SpaceChange]:
    for slug in sorted({*before.spaces, *after.spaces}):
        if slug not in after.spaces:
            yield _removed(slug, before, after)
            continue
        new = after.spaces[slug]
        if new is None:
            yield _states.SpaceChange(slug, "wrong")
            continue
        old = before.spaces.get(slug)
        fields = tuple(_fields(old or {}, new))
        kind: _states.Kind = "new" if slug not in before.spaces else "changed"
        limits = find_limits(new, situation.default)
        yield _states.SpaceChange(
            slug=slug,
            kind=kind if fields else "same",
            status=_text(new.get("status")),
            status_before=_text((old or {}).get("status")),
            limits=limits,
            limits_before=find_limits(old, situation.default) if old else None,
            fields=fields if kind == "changed" else (),
            remarks=tuple(_remarks(slug, old, new, after, situation)),
        )


def _removed(slug: str, before: State, after: State) -> SpaceChange:
    """Nothing is deleted for a file that went; a purge is another matter."""
    kept = slug in after.lock
    return _states.SpaceChange(
        slug,
        "file removed",
        status_before=_text((before.spaces[slug] or {}).get("status")),
        remarks=(_("the space is left as it is, without a file"),) if kept else (),
    )


def find_limits(data: Unchecked, default: Limits) -> Limits:
    """Return the limits of a space: what its file says, else the policy."""
    given = data.get("limits")
    given = given if isinstance(given, dict) else {}
    numbers = [
        given[key] if type(given.get(key)) is int else value
        for key, value in default._asdict().items()
    ]
    return _states.Limits(*numbers)


def _remarks(
    slug: str, old: Unchecked | None, new: Unchecked, after: State, situation: Situation
) -> Iterator[str]:
    """What reviewers should look at twice."""
    limits, most = find_limits(new, situation.default), situation.maximum
    before = find_limits(old, situation.default) if old else None
    if limits != before and (
        limits.accounts > most.accounts or limits.storage_gb > most.storage_gb
    ):
        yield _("above the policy's maximum, {most}", most=most)
    if before and (limits.storage_gb < before.storage_gb or limits.accounts < before.accounts):
        yield _("less than before: whoever is above the limit can store nothing more")
    was, status = _text((old or {}).get("status")), _text(new.get("status"))
    if status == "closed" and was != "closed" and slug in after.lock:
        yield _("its data are kept for the days of the policy, and then may be purged")
    if was and status != was and new.get("decision") == (old or {}).get("decision"):
        yield _("the status changes, and the decision does not")


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _fields(old: Unchecked, new: Unchecked) -> Iterator[Field]:
    before, after = dict(_leaves(old, ())), dict(_leaves(new, ()))
    for key in sorted({*before, *after}):
        if before.get(key) != after.get(key):
            yield _states.Field(key, before.get(key), after.get(key))


def _leaves(value: object, place: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Return each value that is no mapping, by its place, as JSON."""
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from _leaves(below, (*place, str(key)))
    elif place:
        yield ".".join(place), json.dumps(value, ensure_ascii=False, default=str)


# --- policy, nodes, placement ----------------------------------------------------------


def _variables(before: State, after: State) -> Iterator[VariableChange]:
    for file in sorted({*before.variables, *after.variables}):
        old, new = (side.variables.get(file, {}) for side in (before, after))
        for name in sorted({*old, *new}):
            if old.get(name) != new.get(name):
                yield _states.VariableChange(file, name, old.get(name), new.get(name))


def _without_variables(before: State, after: State) -> Iterator[str]:
    for file in sorted({*before.variables, *after.variables}):
        if before.variables.get(file, {}) == after.variables.get(file, {}):
            yield file


def _moves(before: State, after: State) -> Iterator[Move]:
    """Lines that a run would not have written: another place or number, or a line less.

    A run adds lines of spaces that there are, and takes out those of spaces that the ledger names.
    """
    purged = set(_purged(after.ledger)) - set(_purged(before.ledger))
    highest = max((place.id for place in before.lock.values()), default=0)
    for slug in sorted({*before.lock, *after.lock}):
        old, new = before.lock.get(slug), after.lock.get(slug)
        if new is None:
            of_a_run = slug in purged
        elif old is None:
            # A new number, and a file that asked for it.
            of_a_run = new.id > highest and slug in after.files
        else:
            of_a_run = _gains_shards_alone(old, new)
        if not of_a_run:
            yield _states.Move(slug, old, new)


def _gains_shards_alone(old: Place, new: Place) -> bool:
    """Whether nothing differs but suites that there were no servers of before."""
    same = old._replace(office={}, lost="") == new._replace(office={}, lost="")
    return same and old.office.items() <= new.office.items()


def _purged(ledger: Iterable[str]) -> Iterator[str]:
    for line in ledger:
        try:
            yield json.loads(line.rpartition(" hmac-sha256:")[0])["slug"]
        except (ValueError, KeyError, TypeError):
            continue  # the inventory refuses a ledger that is none


# --- nodes -------------------------------------------------------------------------------


def _slug(difference: Difference) -> str:
    """The space of a file; empty: it is of the node."""
    path = PurePosixPath(difference.file)
    return path.stem if len(path.parts) == 2 else ""


def _touched(rendered: Iterable[Difference], situation: Situation) -> set[str]:
    """Spaces of which a node would hold anything otherwise."""
    touched: set[str] = set()
    for one in rendered:
        if one.file == EVERYWHERE:
            touched |= situation.running.get(one.node, frozenset())
        elif slug := _slug(one):
            touched.add(slug)
    return touched


def _nodes(rendered: Iterable[Difference], situation: Situation) -> Iterator[NodeChange]:
    by_node: dict[str, list[Difference]] = {}
    for one in rendered:
        by_node.setdefault(one.node, []).append(one)
    for node, differences in sorted(by_node.items()):
        counts: dict[str, Counter[_states.Way]] = {}
        for one in differences:
            kind = PurePosixPath(one.file).parts[0]
            counts.setdefault(kind, Counter())[one.way] += 1
        yield _states.NodeChange(
            node=node,
            makes=_spaces_of(differences, "added"),
            gives_up=_spaces_of(differences, "removed"),
            files={kind: dict(sorted(found.items())) for kind, found in sorted(counts.items())},
            spaces=len(_touched(differences, situation)),
        )


def _spaces_of(differences: Iterable[Difference], way: _states.Way) -> tuple[str, ...]:
    """Spaces whose configuration comes to a node, or goes from it."""
    found: Mapping[str, None] = {
        _slug(one): None
        for one in differences
        if one.way == way and PurePosixPath(one.file).parts[0] == CONFIG
    }
    return tuple(sorted(found))
