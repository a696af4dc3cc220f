# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The node that a space leaves: it lets the other one fetch it, closes it, and keeps what stays.

Up to the moment when the other node has all of it, whatever fails opens the space here again. From
then on it is the other node's; what stays here is kept aside until somebody confirms.
"""

from __future__ import annotations

import os
import shutil
import time
import typing as t
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _move_channel,
    _move_job,
    _restore_job,
    _workflow,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations._move_job import (
    Job,
    MoveError,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from ansible_collections.archipel.spaces.plugins.module_utils._system import _standstill, _systemd

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import JsonObject

RUNNING = {"active", "activating", "deactivating", "reloading"}


def wanted(job: Job) -> JsonObject:
    """Return what a journal says of where a space goes. Pure."""
    database = {"from": job.database_from, "to": job.database_to}
    return {"to": job.peer.name, "database": database, "id": job.id}


def begin(job: Job) -> None:
    """Find the journal of a move, or begin one.

    Raises:
        MoveError: something else is under way, it goes elsewhere already, or it is not here.

    """
    found = _move_job.own_journal(job.slug)
    if found and found["to"] != job.peer.name:
        raise MoveError(_journal.under_way(job.slug))
    if found is None and os.path.isdir(job.layout.left):
        raise MoveError(
            f"what it left here when it moved is kept still: playbooks/move.yml -e only={job.slug} "
            f"-e kept=discard -e confirm={job.slug} removes it"
        )
    if found is None and not _move_job.is_there(job):
        raise MoveError("it is not on this node, or not installed: there is nothing to move")
    job.journal = found or {"verb": _move_job.VERB, "step": "offer", **wanted(job)}


def offer(job: Job) -> JsonObject:
    """Let the other node fetch the space; return where it is in its way.

    Raises:
        MoveError, JournalError: it is not to be moved.

    """
    with _journal.exclusive(job.layout.lock_name):
        begin(job)
        if not _workflow.is_on_its_way(workflow(), job.journal):
            # A run was killed while it opened the space again.
            _workflow.walk(workflow(), job, job.entry, _workflow.Result())
            job.journal = {"verb": _move_job.VERB, "step": "offer", **wanted(job)}
        if job.journal["step"] == "offer":
            _workflow.run(workflow(), job, job.entry)
        elif job.journal["step"] != _move_job.KEPT:
            # The service and its keys do not outlive a reboot.
            _move_channel.open_for(job)
    return {"step": job.journal["step"], "host_key": host_key()}


def close(job: Job) -> JsonObject:
    """Close the space, and write down a database that moves; return since when it is closed.

    Raises:
        MoveError: it is open again, and why.

    """
    with _journal.exclusive(job.layout.lock_name):
        demand(job, _move_job.COPYING, "close", "dump", _move_job.HANDING)
        if job.journal["step"] == _move_job.COPYING:
            job.entry.save(step="close", closed_at=time.time(), waking=sorted(find_waking(job)))
        result = _workflow.run(workflow(), job, job.entry)
    if result.error:
        raise MoveError(f"{result.error}. It is open again, where it was") from result.error
    return {"closed_at": job.journal["closed_at"]}


def give_up(job: Job) -> bool:
    """Open the space again where it was; tell whether there was anything to give up.

    Raises:
        MoveError: it is the other node's by now.

    """
    with _journal.exclusive(job.layout.lock_name):
        found = _move_job.own_journal(job.slug)
        if found is None:
            return False
        job.journal, flow = found, workflow()
        if _workflow.is_on_its_way(flow, found):
            if found["step"] in {"leave", _move_job.KEPT}:
                raise MoveError(_journal.under_way(job.slug))
            _workflow.turn_back(flow, job, job.entry, MoveError("given up"))
        _workflow.walk(flow, job, job.entry, _workflow.Result())
    return True


def leave(job: Job) -> JsonObject:
    """Keep what stays here aside: the space lives on the other node. Can be repeated.

    Returns:
        For how long nobody could use it, in seconds.

    Raises:
        MoveError: the other node was not given all of it.

    """
    with _journal.exclusive(job.layout.lock_name):
        demand(job, _move_job.HANDING, "leave", _move_job.KEPT)
        if job.journal["step"] == _move_job.HANDING:
            closed = round(time.time() - job.journal["closed_at"], 1)
            job.entry.save(step="leave", closed_seconds=closed)
        _workflow.run(workflow(), job, job.entry)
    return {"closed_seconds": job.journal["closed_seconds"]}


def demand(job: Job, *steps: str) -> None:
    """Read the journal, which must be at one of some steps.

    Raises:
        MoveError: it is at another one.

    """
    found = _move_job.own_journal(job.slug)
    if not found or found["step"] not in steps or not _workflow.is_on_its_way(workflow(), found):
        raise MoveError(_journal.under_way(job.slug) or "no move of it was begun on this node")
    job.journal = found


def host_key() -> str:
    """Return what this node is known by.

    Raises:
        MoveError: it has no such key.

    """
    path = f"{_move_channel.HOST_KEY}.pub"
    try:
        return " ".join(Path(path).read_text(encoding="ascii").split()[:2])
    except FileNotFoundError as error:
        raise MoveError(f"{path} is missing: `ssh-keygen -A` makes it") from error


def find_waking(job: Job) -> set[str]:
    """Return the units that wake the space and are up: a suspended one has none."""
    shown = _systemd.read_properties(job.layout.units.waking, "ActiveState")
    return {unit for unit, found in shown.items() if found.get("ActiveState") == "active"}


# --- steps -------------------------------------------------------------------------------


def let_in(job: Job) -> None:
    """Let the other node fetch it."""
    _move_channel.open_for(job)


def shut_out(job: Job) -> None:
    """Let nobody fetch it any more."""
    _move_channel.close_for(job)


def shut(job: Job) -> None:
    """Show people that they are to come again, let jobs come to their end, and stop all of it.

    Raises:
        MoveError: its jobs do not end.

    """
    folder = os.path.dirname(job.layout.maintenance)
    os.makedirs(folder, exist_ok=True)
    # nginx looks for names that it knows, and must not be able to list them.
    os.chmod(folder, 0o711)
    Path(job.layout.maintenance).touch(mode=0o644)
    wait_for_jobs(job)
    _standstill.bring(job.slug, job.id)


def wait_for_jobs(job: Job) -> None:
    """Let jobs that are running come to their end.

    Raises:
        MoveError: they do not.

    """
    unit, end = job.layout.units.jobs, time.monotonic() + job.jobs_seconds
    while (
        _systemd.read_properties([unit], "ActiveState").get(unit, {}).get("ActiveState") in RUNNING
    ):
        if time.monotonic() > end:
            raise MoveError(
                f"its jobs have been running for over {job.jobs_seconds} seconds ({unit}): run "
                "again later, or raise archipel_upgrade_jobs_seconds"
            )
        time.sleep(1)


def reopen(job: Job) -> None:
    """Let people in again."""
    _standstill.lift(job.slug)
    if waking := job.journal.get("waking"):
        _systemd.systemctl("start", *waking)
    Path(job.layout.maintenance).unlink(missing_ok=True)


def write_down(job: Job) -> None:
    """Write its database down where that is to move, and what its tables hold.

    Raises:
        MoveError: there is no room, or no table.

    """
    folder, space = job.handing, _backup.read_space(job.node, job.slug)
    _restore_job.remove(folder)
    os.mkdir(folder, 0o700)
    database = job.journal["database"]
    if database["from"] == database["to"] or not job.journal.get("dump", True):
        return
    need = _database.size(space.server, space.database) + _backup.ROOM
    free = shutil.disk_usage(folder).free
    if free < need:
        raise MoveError(
            f"its database needs up to {need >> 20} MB in {folder}, {free >> 20} MB are free: make "
            "room, and run again"
        )
    counted = _database.dump(space.server, space.database, f"{folder}/{_backup.DUMP}")
    if not counted.tables:
        raise MoveError(f"its database {space.database} has no table: there is nothing to move")
    sealed = {"sha256": counted.digest.hexdigest(), "bytes": counted.length}
    meta = {"version": 1, "slug": job.slug, "tables": counted.tables, "dump": sealed}
    _journal.save(f"{folder}/{_backup.META}", meta)


def forget_dump(job: Job) -> None:
    """Remove what was written down."""
    _restore_job.remove(job.handing)


def put_aside(job: Job) -> None:
    """Give what stays here another name: it is no space any more, for backups and for anybody."""
    layout = job.layout
    _standstill.bring(job.slug, job.id)
    _systemd.demand(layout.units.enabled, *_systemd.LINKS, "disable")
    _move_channel.close_for(job)
    forget_dump(job)
    if os.path.isdir(layout.home) and not os.path.lexists(layout.left):
        os.rename(layout.home, layout.left)
    _restore_job.limit(f"{layout.left}/data", 0)


def workflow() -> _workflow.Workflow[Job]:
    """Return the steps of this node; what fails is taken back until the other one has it."""
    step: t.Callable[..., _workflow.Step[Job]] = _workflow.Step
    return _workflow.Workflow(
        _move_job.VERB,
        (
            step("offer", let_in, (step("shut out", shut_out),)),
            step(_move_job.COPYING, None),
            step("close", shut, (step("reopen", reopen),)),
            step("dump", write_down, (step("forget", forget_dump),)),
            step(_move_job.HANDING, None),
            step("leave", put_aside),
            step(_move_job.KEPT, None),
        ),
        taken_back_until="dump",
    )
