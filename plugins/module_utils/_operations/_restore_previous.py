# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The state from before a restore: removed once somebody confirms, or put back."""

from __future__ import annotations

import contextlib
import os
import typing as t
from dataclasses import dataclass

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal, _layout
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _restore_job,
    _workflow,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations._restore_job import (
    RestoreError,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from ansible_collections.archipel.spaces.plugins.module_utils._system import _standstill

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import Json

# Up to here, what still has its name is the state from before.
UNTIL_ASIDE = ("stop", "aside")
DISCARD, RETURN = "discard", "return"


@dataclass(frozen=True)
class Previous:
    """The state of a space from before a restore."""

    settings: _backup.Settings
    slug: str
    # Where its database is.
    server: _database.Server

    @property
    def layout(self) -> _layout.Layout:
        """Names and places of the space."""
        return self.settings.layout(self.slug)


# --- it goes -----------------------------------------------------------------------------


def discard(previous: Previous) -> list[str]:
    """Remove the state from before a restore. Can be repeated.

    Of what is half removed nothing can be put back: the journal says so.

    Raises:
        RestoreError: something else is under way.

    """
    slug, server = previous.slug, previous.server
    with _journal.exclusive(previous.layout.lock_name):
        journal = _journal.read(slug)
        if journal and journal["verb"] != DISCARD:
            raise RestoreError(_journal.under_way(slug))
        _restore_job.check_rights(previous.settings, slug, server)
        if not journal and not _restore_job.has_previous(previous.settings, slug, server):
            return []
        start = {"verb": DISCARD, "step": "remove", "database": server.host}
        flow = _workflow.Workflow(DISCARD, (_workflow.Step("remove", remove),))
        _workflow.run(flow, previous, _journal.Entry(slug, journal or start))
    return ["the state from before the restore was removed"]


def remove(previous: Previous) -> None:
    """Remove the folder and the database."""
    _restore_job.rename_former(previous.settings, previous.slug, previous.server)
    _restore_job.remove(previous.layout.previous)
    _database.drop(previous.server, previous.layout.previous_database)


# --- it comes back -------------------------------------------------------------------------


def put_back(previous: Previous) -> list[str]:
    """Undo a restore, also one that was cut short: the previous state takes its place again.

    Can be repeated.

    Raises:
        RestoreError: something else is under way, or there is nothing to put back.

    """
    settings, slug, server = previous.settings, previous.slug, previous.server
    with _journal.exclusive(previous.layout.lock_name):
        journal = _journal.read(slug)
        if (
            journal
            and journal["verb"] == _restore_job.VERB
            and journal["step"] in _restore_job.HARMLESS
        ):
            _restore_job.abandon(settings, slug)
            return ["the interrupted restore was given up: it had not touched the space yet"]
        _restore_job.check_rights(settings, slug, server)
        step = first_step(journal, previous)
        start = {"verb": RETURN, "step": step, "database": server.host}
        _restore_job.rename_former(settings, slug, server)
        _workflow.run(workflow(), previous, _journal.Entry(slug, start))
    return ["the state from before the restore was put back"]


def first_step(journal: Json | None, previous: Previous) -> str:
    """Return the step that the return begins with.

    Raises:
        RestoreError: something else is under way, or there is nothing to put back.

    """
    if journal and journal["verb"] == _restore_job.VERB:
        # Before all of it was moved aside, what has its name still is the state to return to.
        return "return" if journal["step"] in UNTIL_ASIDE else "stop"
    if journal and journal["verb"] != RETURN:
        raise RestoreError(_journal.under_way(previous.slug))
    settings, slug, server = previous.settings, previous.slug, previous.server
    if not journal and not _restore_job.has_previous(settings, slug, server):
        raise RestoreError("no earlier state of it is kept")
    return str(journal["step"]) if journal else "stop"


def stop(previous: Previous) -> None:
    """Bring the space to a standstill."""
    _standstill.bring(previous.slug)


def clear(previous: Previous) -> None:
    """Remove what was restored: it is in the backup still.

    What the space did not have before the restore goes too.
    """
    layout, server = previous.layout, previous.server
    if os.path.isdir(layout.previous):
        for part in _backup.PARTS:
            _restore_job.remove(f"{layout.home}/{part}")
    if _database.tables(server, layout.previous_database):
        _database.drop(server, layout.database)


def return_previous(previous: Previous) -> None:
    """Give the previous state its names back; what an interrupted restore unpacked goes."""
    layout, server = previous.layout, previous.server
    for part in _backup.PARTS:
        if os.path.lexists(f"{layout.previous}/{part}"):
            _restore_job.remove(f"{layout.home}/{part}")
            os.rename(f"{layout.previous}/{part}", f"{layout.home}/{part}")
    if os.path.isdir(layout.data):
        _restore_job.limit(layout.data, _restore_job.number_of(previous.slug))
    _database.move(server, layout.previous_database, layout.database)
    _database.drop(server, layout.previous_database)
    _restore_job.remove(layout.previous)
    _restore_job.remove(layout.restoring)


def finish(previous: Previous) -> None:
    """Let the space be started again."""
    _standstill.lift(previous.slug)


STEPS: dict[str, t.Callable[[Previous], None]] = {
    "stop": stop,
    "clear": clear,
    "return": return_previous,
    "finish": finish,
}


def workflow() -> _workflow.Workflow[Previous]:
    """Return the steps of the return: it goes on where it was."""
    steps = tuple(_workflow.Step(name, act) for name, act in STEPS.items())
    return _workflow.Workflow(RETURN, steps, around_step=standing_still)


@contextlib.contextmanager
def standing_still(previous: Previous, step: _workflow.Step[Previous]) -> t.Iterator[None]:
    """Have nothing of the space run while a step moves what it would use.

    Raises:
        RestoreError: its account lost the right to what is kept aside.

    """
    _restore_job.check_rights(previous.settings, previous.slug, previous.server)
    if step.name in _restore_job.AT_STANDSTILL:
        _standstill.bring(previous.slug)
    yield
