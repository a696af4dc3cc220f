# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a change is, in a few words, and in one word each for forges. Pure.

Words of strangers come as they are written, but for signs that act on a terminal; whoever shows
them elsewhere quotes them for there.
"""

from __future__ import annotations

import typing as t
from collections import Counter

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import (
    _,
    grouped,
    mark,
    ngettext,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import sentence

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.archipel.spaces.plugins.plugin_utils._changes._states import (
        Changes,
        NodeChange,
        SpaceChange,
    )
    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Draft
    from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._placement import Place

LIMITS = frozenset({"limits.accounts", "limits.storage_gb"})
# Names that are enough of a list that goes on.
SHOWN_KEYS = 5
DECISION = "decision"
_KINDS: dict[str, str] = {
    "new": mark("new"),
    "changed": mark("changed"),
    "file removed": mark("file removed"),
    "wrong": mark("wrong"),
    "same": mark("same"),
}


def label(changes: Changes) -> list[str]:
    """Return the labels of a change: words that a forge may have as labels."""
    found = {
        "one-space": len(changes.spaces) == 1,
        "spaces": len(changes.spaces) > 1,
        "policy": bool(changes.variables),
        "inventory": bool(changes.inventory),
        "placement-by-hand": bool(changes.moves),
        "ledger-by-hand": changes.ledger_rewritten,
        "contacts": "contacts.yml" in changes.others,
        "other-files": bool(set(changes.others) - {"contacts.yml"}),
        "code": bool(changes.outside),
        "mixed": bool(changes.spaces) and bool(changes.variables or changes.inventory),
        "look-twice": any(one.remarks or one.kind == "wrong" for one in changes.spaces),
        "unknown-effect": changes.nodes is None,
    }
    return [word for word, holds in found.items() if holds]


def summarise(changes: Changes) -> list[str]:
    """Return what a change is, in sentences; at least one."""
    found = [
        *_spaces(changes),
        *_policy(changes),
        *([_("placement by hand")] if changes.moves else []),
        *(
            [_("ledger by hand: lines that were signed are changed or gone")]
            * changes.ledger_rewritten
        ),
        *_files(changes),
    ]
    return [sentence(text) for text in found] or [_("nothing of the registry or the policy")]


def _spaces(changes: Changes) -> Iterator[str]:
    if len(changes.spaces) == 1:
        yield _("one space: {change}", change=describe(changes.spaces[0]))
    elif changes.spaces:
        counts = Counter(_kind(one) for one in changes.spaces)
        parts = ", ".join(f"{grouped(number)} {kind}" for kind, number in counts.most_common())
        yield _("{number} spaces: {kinds}", number=grouped(len(changes.spaces)), kinds=parts)


def _policy(changes: Changes) -> Iterator[str]:
    """What everybody has in common, with the spaces that it reaches."""
    parts = [_("policy")] * bool(changes.variables) + [_("inventory")] * bool(changes.inventory)
    what = _(" and ").join(parts)
    if changes.nodes is None:
        if what:
            yield _("{what}: whom it touches is not known", what=what)
    elif what:
        yield _("{what}: touches {spaces}", what=what, spaces=_count(changes.touched))
    elif changes.touched:
        yield _("touches {spaces} beside", spaces=_count(changes.touched))


def _count(spaces: int) -> str:
    if spaces == 0:
        return _("no space")
    return ngettext("{number} space", "{number} spaces", spaces, number=grouped(spaces))


def _files(changes: Changes) -> Iterator[str]:
    if "contacts.yml" in changes.others:
        yield _("contacts: contacts.yml, of which nothing is said here")
    if others := len(set(changes.others) - {"contacts.yml"}):
        yield ngettext(
            "{number} other file of the registry",
            "{number} other files of the registry",
            others,
            number=grouped(others),
        )
    if outside := len(changes.outside):
        yield ngettext(
            "{number} file outside the registry and the inventory",
            "{number} files outside the registry and the inventory",
            outside,
            number=grouped(outside),
        )


def describe(change: SpaceChange) -> str:
    """Return what happens to one space: `velo-ecole, changed: limits 50/40 → 50/80`."""
    if change.kind == "wrong":
        return _("{slug}, wrong: its file cannot be read", slug=change.slug)
    if change.kind == "file removed":
        return _("{slug}, file removed", slug=change.slug)
    if change.kind == "same":
        return _("{slug}, comments or layout alone", slug=change.slug)
    if change.kind == "new":
        return f"{change.slug}, {_kind(change)}, {change.limits}"
    plain = change.status == change.status_before
    parts = [] if plain else [_kind(change)]
    parts += [_("changed: {keys}", keys=keys)] if (keys := ", ".join(_keys(change))) else []
    # Who decides on a status wants to know what the space may have.
    parts += [] if plain else [str(change.limits)]
    return ", ".join([change.slug, *parts])


def _kind(change: SpaceChange) -> str:
    if change.kind == "new":
        new = _("new")
        return new if change.status == "approved" else f"{new}, {change.status}"
    if change.kind == "changed" and change.status != change.status_before:
        return _("{status}, was {before}", status=change.status, before=change.status_before)
    return _(_KINDS[change.kind])


def _keys(change: SpaceChange) -> Iterator[str]:
    """The keys that change, but for those that a decision changes with the status."""
    if change.limits != change.limits_before:
        yield _("limits {before} → {after}", before=change.limits_before, after=change.limits)
    quiet = {"status", "closed_on", DECISION} if change.status != change.status_before else set()
    keys = dict.fromkeys(
        one.key.partition(".")[0] for one in change.fields if one.key not in LIMITS
    )
    shown = [key for key in keys if key not in quiet]
    yield from shown[:SHOWN_KEYS]
    if len(shown) > SHOWN_KEYS:
        yield _("{number} more", number=len(shown) - SHOWN_KEYS)


def as_json(changes: Changes, base: Draft) -> Draft:
    """Return all of it for programs.

    Args:
        changes: what differs.
        base: what it was compared with: environment, reference and commit.

    """
    known = changes.nodes is not None
    return {
        "format": 1,
        **base,
        "labels": label(changes),
        "summary": summarise(changes),
        "spaces": [_space_as_json(one) for one in changes.spaces],
        "policy": {
            "variables": [one._asdict() for one in changes.variables],
            "files": list(changes.inventory),
            "touched": changes.touched if known else None,
        },
        "placement": [
            {"slug": one.slug, "before": _place(one.before), "after": _place(one.after)}
            for one in changes.moves
        ],
        "ledger_rewritten": changes.ledger_rewritten,
        "files": list(changes.others),
        "outside": list(changes.outside),
        "nodes": [_node(one) for one in changes.nodes or ()] if known else None,
        "unknown": changes.unknown,
    }


def _space_as_json(change: SpaceChange) -> Draft:
    return {
        "slug": change.slug,
        "kind": change.kind,
        "summary": sentence(describe(change)),
        "status": change.status or None,
        "status_before": change.status_before or None,
        "limits": change.limits._asdict() if change.limits else None,
        "limits_before": change.limits_before._asdict() if change.limits_before else None,
        "fields": [field._asdict() for field in change.fields],
        "remarks": list(change.remarks),
    }


def _place(place: Place | None) -> Draft | None:
    return {**place._asdict(), "office": {**place.office}} if place else None


def _node(change: NodeChange) -> Draft:
    return {
        "node": change.node,
        "makes": list(change.makes),
        "gives_up": list(change.gives_up),
        "spaces": change.spaces,
        "files": {kind: dict(ways) for kind, ways in change.files.items()},
    }
