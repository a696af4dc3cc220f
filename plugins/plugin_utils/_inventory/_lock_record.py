# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Add to placement.yml and take out of it, alone and all at once."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._lock_file import (
    dump_lock,
    read_lock,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _writing

if t.TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._placement import (
        Lock,
        Place,
    )


class ConflictError(Exception):
    """The lock file has changed since the placement was computed."""


def merge(lock: Lock, environment: str, pending: Mapping[str, Place]) -> Lock:
    """Add what was planned to a lock that may have moved on since.

    Raises:
        ConflictError: the file contradicts the decision.

    """
    if lock.environment not in {None, environment}:
        text = _(
            'it belongs to the environment "{theirs}", this run to "{ours}"',
            theirs=lock.environment,
            ours=environment,
        )
        raise ConflictError(text)
    new = find_unrecorded(lock, pending)
    taken = {place.id: slug for slug, place in lock.spaces.items()}
    for slug, place in new.items():
        if known := lock.spaces.get(slug):
            _check_addition(slug, known, place)
            new[slug] = place._replace(lost=known.lost)
            continue
        if place.id in taken:
            text = _(
                "id {id}, planned for {slug}, is now that of {other}",
                id=place.id,
                slug=slug,
                other=taken[place.id],
            )
            raise ConflictError(text)
        if place.id < lock.next_id:
            text = _(
                "id {id}, planned for {slug}, was given to another space before",
                id=place.id,
                slug=slug,
            )
            raise ConflictError(text)
    next_id = max([lock.next_id, *(place.id + 1 for place in new.values())])
    spaces = {**lock.spaces, **new}
    return replace(lock, environment=environment, next_id=next_id, spaces=spaces)


def _check_addition(slug: str, known: Place, place: Place) -> None:
    """A placed space may be given shards of suites it has none of; nothing else of it changes.

    Raises:
        ConflictError: the space has another place now.

    """
    if (known.id, known.web, known.db) != (place.id, place.web, place.db):
        raise ConflictError(_("{slug} is now on {node}", slug=slug, node=known.web))
    for suite, name in known.office.items():
        if place.office.get(suite) != name:
            raise ConflictError(_("{slug} is now served by {server}", slug=slug, server=name))


def find_unrecorded(lock: Lock, pending: Mapping[str, Place]) -> dict[str, Place]:
    """The part of a plan that the lock does not say yet."""
    # Whether a space is restored is no matter of a plan.
    known = {slug: place._replace(lost="") for slug, place in lock.spaces.items()}
    return {
        slug: place
        for slug, place in sorted(pending.items())
        if known.get(slug) != place._replace(lost="")
    }


class Change(t.NamedTuple):
    """A space's line with the nodes it names now, and those it is to name."""

    before: tuple[str, str]
    web: str
    db: str
    # The web node that it was lost with, empty once it is restored; None: as the line has it.
    lost: str | None = None


def move(lock: Lock, changes: Mapping[str, Change]) -> dict[str, Place]:
    """Return the new places of spaces that move; of those that have it already, none.

    Raises:
        ConflictError: the file does not say of a space what the plan began with.

    """
    moved = {}
    for slug, change in sorted(changes.items()):
        known = lock.spaces.get(slug)
        if known is None:
            raise ConflictError(_("{slug} is not in it any more", slug=slug))
        lost = known.lost if change.lost is None else change.lost
        place = known._replace(web=change.web, db=change.db, lost=lost)
        if known == place:
            continue
        if (known.web, known.db) not in {change.before, (change.web, change.db)}:
            text = _(
                "{slug} is now on {web}, its database on {db}",
                slug=slug,
                web=known.web,
                db=known.db,
            )
            raise ConflictError(text)
        moved[slug] = place
    return moved


class Recorded(t.NamedTuple):
    """What recording did, or would do."""

    before: str
    after: str
    new: dict[str, Place]
    moved: dict[str, Place]


def record(
    path: Path,
    environment: str,
    pending: Mapping[str, Place],
    changes: Mapping[str, Change] | None = None,
    *,
    write: bool,
) -> Recorded:
    """Add a plan to the lock file, and change lines of spaces that move, alone and all at once."""
    path = path.resolve()
    with _writing.one_operator(path.parent):
        lock = read_lock(path)
        before = path.read_text(encoding="utf-8")
        new = find_unrecorded(lock, pending)
        merged = merge(lock, environment, pending)
        moved = move(merged, changes or {})
        after = before
        if new or moved:
            after = dump_lock(replace(merged, spaces={**merged.spaces, **moved}))
        if write and after != before:
            _writing.replace(path, after.encode())
    return Recorded(before, after, new, moved)


def forget(path: Path, slug: str, number: int, *, write: bool) -> bool:
    """Take a purged space out of the lock file; return whether it was in it. Its id stays taken.

    Raises:
        ConflictError: the space has another number now.

    """
    path = path.resolve()
    with _writing.one_operator(path.parent):
        lock = read_lock(path)
        place = lock.spaces.get(slug)
        if place is None:
            return False
        if place.id != number:
            text = _(
                "{slug} has the id {id} now, not {before}", slug=slug, id=place.id, before=number
            )
            raise ConflictError(text)
        spaces = {name: other for name, other in lock.spaces.items() if name != slug}
        if write:
            _writing.replace(path, dump_lock(replace(lock, spaces=spaces)).encode())
    return True
