# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Spaces of a node that is lost, brought back on another one from their backups.

A space is claimed before its line in placement.yml names the new node: the journal of a restore
that has not begun. From then on no run makes an empty space in its place, whoever is killed, and
any later one finds in the journals of the nodes what is still to be restored, and where.

Should the lost node come back, its copies are fenced: held down, and left alone by every run.
"""

from __future__ import annotations

import os
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _backup_record,
    _restic,
    _restore,
    _restore_job,
    _restore_previous,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations._restore_job import (
    LOST,
    PLACE,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from ansible_collections.archipel.spaces.plugins.module_utils._system import (
    _projects,
    _standstill,
    _systemd,
)

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import JsonObject

# Part of a node's record of backups: restored, and not opened yet; and what is left to do then.
RECOVERED, OPEN = "recovered", "open"
# What a node that came back has in place of a journal.
FENCED = "fenced"
ERRORS = (
    *(_backup.BackupError, _restore_job.RestoreError, _restic.ResticError, _systemd.SystemdError),
    *(_database.DatabaseError, _journal.JournalError, _projects.ProjectError, OSError),
)


class Item(t.NamedTuple):
    """A space that is to come to this node."""

    slug: str
    web: str
    db: str
    # Whether its files are on this node already: only its database was lost.
    stays: bool = False

    @property
    def distant(self) -> bool:
        """Tell whether its database is on another node."""
        return self.web != self.db


# --- what is there -------------------------------------------------------------------


def claims(settings: _backup.Settings, lost: str) -> dict[str, JsonObject]:
    """Return slug → what was claimed on this node for a lost one and is not restored and open."""
    found: dict[str, JsonObject] = {
        slug: {"step": OPEN, **entry[RECOVERED]}
        for slug, entry in _backup_record.read(settings.work).items()
        if entry.get(RECOVERED, {}).get(LOST) == lost
    }
    # Wherever the journal of any of them is.
    folder = os.path.dirname(_journal.path_of("any"))
    for name in sorted(_backup.names_in(folder)):
        slug = name.removesuffix(".json")
        if name == slug or not _backup.SLUG.fullmatch(slug):
            continue
        try:
            journal = _journal.read(slug) or {}
        except _journal.JournalError:
            # One space's own matter, which whoever restores it is told.
            continue
        if journal.get("verb") == _restore_job.VERB and journal.get(LOST) == lost:
            words = ("step", "snapshot", "at", PLACE)
            found[slug] = {word: journal[word] for word in words}
    return found


def last_backups(settings: _backup.Settings) -> dict[str, JsonObject]:
    """Return slug → the last backup of each space in the repository: id, time, host, bytes.

    Raises:
        ResticError: it cannot be read.

    """
    found = _restic.snapshots(settings.repository)
    return {
        one.space: {
            "snapshot": one.id,
            "at": one.at.isoformat(),
            "host": one.host,
            "bytes": one.size,
        }
        for one in found
    }


# --- claimed -------------------------------------------------------------------------


def claim(settings: _backup.Settings, items: t.Sequence[Item], lost: str) -> _backup.Outcome:
    """Say on this node which spaces come to it; nothing else of them is made yet.

    Raises:
        ResticError: the repository cannot be read: it is said once, not for each space.

    """
    outcome = _backup.Outcome()
    found = _restic.snapshots(settings.repository, *[item.slug for item in items])
    for item in items:
        try:
            done = claim_one(settings, item, lost, found)
        except ERRORS as error:
            outcome.failed[item.slug] = str(error)
            continue
        if done:
            outcome.done[item.slug] = {"claimed": done}
    return outcome


def claim_one(
    settings: _backup.Settings, item: Item, lost: str, found: t.Sequence[_restic.Snapshot]
) -> str:
    """Claim a space; return the backup it comes back from, empty if it was claimed before.

    Raises:
        RestoreError: this node has something of that name already.
        ResticError: there is no backup.

    """
    with _journal.exclusive(settings.layout(item.slug).lock_name):
        journal = _journal.read(item.slug)
        if journal and journal.get(LOST) == lost:
            return ""
        if journal:
            raise _restore_job.RestoreError(_journal.under_way(item.slug))
        if _backup.is_space(settings, item.slug) and not item.stays:
            raise _restore_job.RestoreError(
                f"{settings.layout(item.slug).home} holds an installation of it already, which "
                "would be replaced: see whether it is from before a move, and remove it if so"
            )
        start = _restore.new_journal(settings, item.slug, _restic.choose(found, item.slug, ""))
        place = {"web": item.web, "db": item.db}
        _journal.write(item.slug, {**start, LOST: lost, PLACE: place})
    return str(start["snapshot"])


# --- restored ------------------------------------------------------------------------


def run(
    settings: _backup.Settings, items: t.Sequence[Item], lost: str, parallel: int
) -> _backup.Outcome:
    """Restore what was claimed, a bounded number at a time; one that fails stops no other.

    Raises:
        ResticError: the repository does not open: it is said once, not for each space.

    """
    _restic.check_reachable(settings.repository)
    outcome = _backup.Outcome()
    with ThreadPoolExecutor(max_workers=parallel) as pool:
        results = pool.map(lambda item: attempt(settings, item, lost), items)
        for item, result in zip(items, results, strict=True):
            if isinstance(result, str):
                outcome.failed[item.slug] = result
            else:
                outcome.done[item.slug] = {"restored": result}
    return outcome


def attempt(settings: _backup.Settings, item: Item, lost: str) -> list[str] | str:
    """Restore one space; return what was done, or why not."""
    try:
        return restore(settings, item, lost)
    except ERRORS as error:
        return str(error)


def restore(settings: _backup.Settings, item: Item, lost: str) -> list[str]:
    """Restore one space that was claimed; where that comes to nothing, it stays claimed.

    Raises:
        RestoreError: nobody claimed it, or it could not be restored.

    """
    slug = item.slug
    journal = _journal.read(slug)
    if is_recovered(settings, slug, lost) and is_settled(journal):
        if journal:
            discard(settings, item)
        return ["restored before, and not opened yet"]
    if not journal or journal.get(LOST) != lost:
        raise _restore_job.RestoreError(
            f"it is not claimed for this node after {lost} was lost: was it restored by hand "
            "meanwhile? See playbooks/status.yml"
        )
    server = _restore_job.find_server(settings, slug, distant=item.distant)
    noted = {word: journal[word] for word in (LOST, PLACE, "snapshot", "at")}
    # Before: a run that dies once the journal is gone would leave a space that nobody opens. While
    # there is one, that counts.
    stale = {**_backup_record.stale(settings.work, slug), lost: journal["since"]}
    _backup_record.write(settings.work, slug, **{RECOVERED: noted, _backup_record.STALE: stale})
    try:
        done = _restore.run(settings, slug, slug, journal["snapshot"], server)
        if not (item.stays or item.distant):
            # There was nothing but empty folders.
            discard(settings, item)
        return done
    except ERRORS:
        # The restore has taken itself back, and left no journal: an empty space would be made.
        if not _journal.exists(slug):
            _journal.write(slug, journal)
        raise


def is_settled(journal: JsonObject | None) -> bool:
    """Tell whether nothing is left to do but to remove the empty folders from before. Pure."""
    return journal is None or journal["verb"] == _restore_previous.DISCARD


def discard(settings: _backup.Settings, item: Item) -> None:
    """Remove the state from before a restore."""
    # With its configuration the restore took away what says where the database is.
    server = _database.local(settings.socket)
    _restore_previous.discard(_restore_previous.Previous(settings, item.slug, server))


def is_recovered(settings: _backup.Settings, slug: str, lost: str) -> bool:
    """Tell whether a space was restored here after a node was lost, and is not opened yet."""
    noted = _backup_record.read(settings.work).get(slug, {}).get(RECOVERED, {})
    return noted.get(LOST) == lost and _backup.is_space(settings, slug)


def opened(settings: _backup.Settings, items: t.Sequence[Item]) -> _backup.Outcome:
    """Note that spaces are open: nothing is left to do."""
    outcome = _backup.Outcome()
    record = _backup_record.read(settings.work)
    for item in items:
        if RECOVERED in record.get(item.slug, {}):
            _backup_record.write(settings.work, item.slug, **{RECOVERED: None})
            outcome.done[item.slug] = {"opened": True}
    return outcome


# --- the lost node is back -------------------------------------------------------------


def fence(settings: _backup.Node, homes: t.Mapping[str, str]) -> _backup.Outcome:
    """Hold down what this node has of spaces that live elsewhere now; nothing is deleted.

    Args:
        settings: of this node.
        homes: slug → the node that each lives on.

    """
    outcome = _backup.Outcome()
    for slug, home in sorted(homes.items()):
        if not os.path.lexists(settings.layout(slug).home):
            continue
        try:
            if fence_one(settings, slug, home):
                outcome.done[slug] = {"fenced": home}
        except ERRORS as error:
            outcome.failed[slug] = str(error)
    return outcome


def fence_one(settings: _backup.Node, slug: str, home: str) -> bool:
    """Hold one space down; tell whether that was new.

    What was under way here when the node was lost is not gone on with either.

    Raises:
        SystemdError: something of it still runs; it is held down all the same.

    """
    with _journal.exclusive(settings.layout(slug).lock_name):
        journal = _journal.read(slug)
        known = bool(journal and journal["verb"] == FENCED and journal.get("home") == home)
        if not known:
            entry = {"verb": FENCED, "step": "elsewhere", "home": home, "since": _backup.now()}
            _journal.write(slug, {**entry, "before": journal} if journal else entry)
        _standstill.bring(slug)
    return not known
