# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The state from before a restore: removed once somebody confirms, or put back."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _restore_job,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations._restore_job import (
    RestoreError,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from ansible_collections.archipel.spaces.plugins.module_utils._system import _standstill

# Up to here, what still has its name is the state from before.
UNTIL_ASIDE = ("stop", "aside")


def discard(settings: _backup.Settings, slug: str) -> list[str]:
    """Remove the state from before a restore. Can be repeated.

    Of what is half removed nothing can be put back: the journal says so.
    """
    with _journal.exclusive(settings.layout(slug).lock_name):
        journal = _journal.read(slug)
        if journal and journal["verb"] != "discard":
            raise RestoreError(_journal.under_way(slug))
        if not journal and not _restore_job.has_previous(settings, slug):
            return []
        _journal.write(slug, {"verb": "discard", "step": "remove"})
        _restore_job.rename_former(settings, slug)
        layout = settings.layout(slug)
        _restore_job.remove(layout.previous)
        _database.drop(_database.local(settings.socket), layout.previous_database)
        _journal.remove(slug)
    return ["the state from before the restore was removed"]


def put_back(settings: _backup.Settings, slug: str) -> list[str]:
    """Undo a restore, also one that was cut short: the previous state takes its place again.

    Can be repeated.
    """
    with _journal.exclusive(settings.layout(slug).lock_name):
        journal = _journal.read(slug)
        if (
            journal
            and journal["verb"] == _restore_job.VERB
            and journal["step"] in _restore_job.HARMLESS
        ):
            _restore_job.abandon(settings, slug)
            return ["the interrupted restore was given up: it had not touched the space yet"]
        begin = first_back(settings, slug, journal)
        _restore_job.rename_former(settings, slug)
        names = list(BACK)
        for one in names[names.index(begin) :]:
            _journal.write(slug, {"verb": "putback", "step": one})
            if one in _restore_job.AT_STANDSTILL:
                _standstill.bring(slug)
            BACK[one](settings, slug)
        _standstill.lift(slug)
        _journal.remove(slug)
    return ["the state from before the restore was put back"]


def first_back(settings: _backup.Settings, slug: str, journal: t.Mapping[str, t.Any] | None) -> str:
    """Return the step that the return begins with.

    Raises:
        RestoreError: something else is under way, or there is nothing to put back.

    """
    if journal and journal["verb"] == _restore_job.VERB:
        # Before all of it was moved aside, what has its name still is the state to return to.
        return "return" if journal["step"] in UNTIL_ASIDE else "stop"
    if journal and journal["verb"] != "putback":
        raise RestoreError(_journal.under_way(slug))
    if not journal and not _restore_job.has_previous(settings, slug):
        raise RestoreError("no earlier state of it is kept")
    return str(journal["step"]) if journal else "stop"


def clear(settings: _backup.Settings, slug: str) -> None:
    """Remove what was restored: it is in the backup still.

    What the space did not have before the restore goes too.
    """
    layout, server = settings.layout(slug), _database.local(settings.socket)
    if os.path.isdir(layout.previous):
        for part in _backup.PARTS:
            _restore_job.remove(f"{layout.home}/{part}")
    if _database.tables(server, layout.previous_database):
        _database.drop(server, layout.database)


def return_previous(settings: _backup.Settings, slug: str) -> None:
    """Give the previous state its names back; what an interrupted restore unpacked goes."""
    layout, server = settings.layout(slug), _database.local(settings.socket)
    for part in _backup.PARTS:
        if os.path.lexists(f"{layout.previous}/{part}"):
            _restore_job.remove(f"{layout.home}/{part}")
            os.rename(f"{layout.previous}/{part}", f"{layout.home}/{part}")
    if os.path.isdir(layout.data):
        _restore_job.limit(layout.data, _restore_job.number_of(slug))
    _database.move(server, layout.previous_database, layout.database)
    _database.drop(server, layout.previous_database)
    _restore_job.remove(layout.previous)
    _restore_job.remove(layout.restoring)


BACK: dict[str, t.Callable[[_backup.Settings, str], None]] = {
    "stop": lambda _settings, slug: _standstill.bring(slug),
    "clear": clear,
    "return": return_previous,
}
