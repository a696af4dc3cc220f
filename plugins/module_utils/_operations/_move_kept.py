# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What a space has left on the node that it moved from: removed for good, or taken back."""

from __future__ import annotations

import os
import time
import typing as t
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal, _layout
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _move_job,
    _move_source,
    _purge,
    _restore_job,
    _workflow,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations._move_job import (
    Job,
    MoveError,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from ansible_collections.archipel.spaces.plugins.module_utils._system import _standstill, _systemd

REMOVING, RETURNING = "remove", "return"


def discard(job: Job) -> None:
    """Remove what the space has left here. Can be repeated.

    Raises:
        MoveError: it has not moved, or something else is under way.

    """
    with _journal.exclusive(job.layout.lock_name):
        _demand(job, _move_job.KEPT, REMOVING)
        job.entry.save(step=REMOVING)
        flow = _workflow.Workflow(_move_job.VERB, (_workflow.Step(REMOVING, remove),))
        _workflow.run(flow, job, job.entry)


def put_back(job: Job) -> None:
    """Take what the space has left here back into use. Can be repeated.

    Raises:
        MoveError: it has not moved, or something else is under way.

    """
    with _journal.exclusive(job.layout.lock_name):
        _demand(job, _move_job.KEPT, RETURNING)
        job.entry.save(step=RETURNING)
        flow = _workflow.Workflow(_move_job.VERB, (_workflow.Step(RETURNING, take_back),))
        _workflow.run(flow, job, job.entry)


def retire(job: Job) -> None:
    """Close the space on the node that it is taken back from; what it has there is kept.

    Raises:
        MoveError: something else is under way.

    """
    with _journal.exclusive(job.layout.lock_name):
        found = _move_job.own_journal(job.slug)
        if found is None and not _move_job.is_there(job):
            raise MoveError("it is not on this node")
        if found is None:
            times = {"closed_at": time.time(), "waking": sorted(_move_source.find_waking(job))}
            database = {"from": job.database_to, "to": job.database_from}
            # What is there already is what counts: nothing is written down for the other node.
            start = {"verb": _move_job.VERB, "step": "close", "dump": False, "database": database}
            found = {**_move_source.wanted(job), **start, **times}
        job.journal = found
        _workflow.run(_move_source.workflow(), job, job.entry)
    _move_source.leave(job)


def drop(socket: str, slug: str, hosts: t.Collection[str], *, database: bool) -> list[str]:
    """Remove a database from its server, or accounts that nobody comes with any more.

    Args:
        socket: of the server of this node.
        slug: the space.
        hosts: addresses that the accounts are bound to.
        database: whether the database goes too.

    """
    layout, server, done = _layout.Layout(slug), _database.local(socket), []
    if database and _database.exists(server, layout.database):
        _database.drop(server, layout.database)
        done.append(f"database {layout.database}")
    user = _database.text(layout.user)
    rows = _database.run(server, f"SELECT Host FROM mysql.global_priv WHERE User = {user}")
    for (host,) in rows:
        if database or host in hosts:
            _database.run(server, f"DROP USER {user}@{_database.text(host)}")
            done.append(f"database account {layout.user}@{host}")
    return done


def _demand(job: Job, *steps: str) -> None:
    """Read the journal, which must be at one of some steps.

    Raises:
        MoveError: it is at another one.

    """
    found = _move_job.own_journal(job.slug)
    if not found or found["step"] not in steps:
        raise MoveError(_journal.under_way(job.slug) or "nothing of an earlier move is kept here")
    job.journal = found


# --- steps -------------------------------------------------------------------------------


def remove(job: Job) -> None:
    """Remove all of it, its user last. Can be repeated."""
    places = _layout.Places(root=job.node.root, vhosts=job.node.vhosts)
    gone = _purge.Job(
        # Of what the role backup writes down, these read where the spaces are and nothing else.
        t.cast("_backup.Settings", job.node),
        _layout.Layout(job.slug, places),
        job.id,
        closed_on="",
    )
    _purge.stop(gone)
    _purge.unpublish(gone)
    _purge.delete(gone)
    _purge.unlimit(gone)
    _purge.dismiss(gone)
    _standstill.lift(job.slug)


def take_back(job: Job) -> None:
    """Give it its name back, and let people in. Can be repeated.

    Raises:
        MoveError: a space has that name here meanwhile.

    """
    layout = job.layout
    if os.path.isdir(layout.left):
        # A run may have made an empty one meanwhile.
        if _backup.is_space(job.node, job.slug):
            raise MoveError(f"{layout.home} is a space already; what was left is in {layout.left}")
        _restore_job.remove(layout.home)
        os.rename(layout.left, layout.home)
    _restore_job.limit(layout.data, job.id)
    _standstill.lift(job.slug)
    if waking := job.journal.get("waking"):
        _systemd.demand(layout.units.enabled, *_systemd.LINKS, "enable")
        _systemd.systemctl("start", *waking)
    Path(layout.maintenance).unlink(missing_ok=True)
