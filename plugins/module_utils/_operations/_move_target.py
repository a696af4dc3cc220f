# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The node that a space comes to: it fetches it, looks at it, and takes it over.

Fetching can be repeated as often as one likes; what is here already is not fetched again. Nothing
of it is the space before it is taken over, which is one step after the other and has a journal.
"""

from __future__ import annotations

import hashlib
import os
import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._core import (
    _config,
    _files,
    _journal,
)
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _probe
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _move_channel,
    _move_job,
    _restore_contents,
    _restore_job,
    _workflow,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations._move_job import (
    Job,
    MoveError,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from ansible_collections.archipel.spaces.plugins.module_utils._system import _standstill

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import JsonObject

SETTLE = "settle"


def prepare(job: Job, need: int) -> str:
    """Make sure that the space can come here; return the key that it is fetched with.

    Args:
        job: the space.
        need: bytes that it holds.

    Raises:
        MoveError: it cannot.

    """
    _move_job.own_journal(job.slug)
    if os.path.isdir(job.layout.left):
        raise MoveError(
            f"it was here before, and what it left is kept: playbooks/move.yml -e only={job.slug} "
            f"-e kept=discard -e confirm={job.slug} removes that first"
        )
    if _move_job.is_there(job):
        raise MoveError("a space of this name is on this node already: whose is it?")
    _move_job.check_user(job)
    release = f"{os.path.dirname(job.node.root)}/nextcloud/releases/{job.release}"
    if not os.path.isdir(release):
        raise MoveError(
            f"this node does not have release {job.release}: it is not in its catalogue, its "
            "PHP is not one that the release runs with, or playbooks/platform.yml was not run here"
        )
    demand_room(job, need)
    return _move_channel.make_key(job)


def demand_room(job: Job, need: int) -> None:
    """Make sure that what has not come yet fits.

    Raises:
        MoveError: it does not.

    """
    disk = os.statvfs(job.node.root)
    free = disk.f_bavail * disk.f_frsize
    if free < need + _backup.ROOM:
        raise MoveError(
            f"it holds {need >> 20} MB, {free >> 20} MB are free in {job.node.root}: make room, or "
            "send it to another node"
        )


def copy(job: Job) -> None:
    """Fetch it while people work, and then what differs by its checksum."""
    _move_channel.fetch(job, live=True)
    _move_channel.fetch(job, "--checksum", live=True)
    write_through(job)


def write_through(job: Job) -> None:
    """Have the disk take what has come: a node that loses its power right afterwards has it still.

    After the first copies most of it is written while people work; what comes later waits for that,
    the small files too that are written for good while the space is closed.

    Raises:
        MoveError: the disk did not take it.

    """
    command = ["sync", "--file-system", job.layout.arriving]
    _move_channel.run(command, "what came is not on the disk")


def take(job: Job) -> None:
    """Fetch what has changed since, from a space that is closed; look at all of it.

    Raises:
        MoveError: it is not all there, or is what must not be put in a space's place.

    """
    _move_channel.fetch(job, live=False)
    if differs := _move_channel.fetch(job, "--dry-run", "--itemize-changes", live=False):
        raise MoveError(f"{len(differs)} files differ still, the first of them: {differs[0]}")
    stage, dump = job.layout.arriving, f"{job.layout.arriving}/{_move_job.HANDED}/{_backup.DUMP}"
    try:
        _restore_contents.check_files(stage, stage)
        if job.database_moves:
            expected = describe(job)["dump"]["sha256"]
            if digest(dump) != expected:
                raise MoveError("its database came damaged: the checksum is another one")
    except _restore_contents.ContentsError as error:
        raise MoveError(f"what came is not taken: {error}") from error
    write_through(job)


def describe(job: Job) -> JsonObject:
    """Return what the other node says of the database.

    Raises:
        ContentsError: it says nothing that can be understood.

    """
    path = f"{job.layout.arriving}/{_move_job.HANDED}/{_backup.META}"
    return _restore_contents.description(path, job.slug)


def digest(path: str) -> str:
    """Return the SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def settle(job: Job) -> list[str]:
    """Put what has come in the space's place; return the steps that were done.

    Raises:
        MoveError: something is missing; the next run goes on.

    """
    with _journal.exclusive(job.layout.lock_name):
        found = _move_job.own_journal(job.slug)
        if found is None and not os.path.isdir(job.layout.arriving):
            if not _move_job.is_there(job):
                raise MoveError("nothing of it has come here")
            return []
        start = {"verb": _move_job.VERB, "step": "load", "to": job.peer.name, "role": SETTLE}
        job.journal = found or start
        return _workflow.run(workflow(), job, job.entry).done


def forget(job: Job) -> None:
    """Remove what has come: the space stays where it was."""
    _restore_job.remove(job.layout.arriving)
    _restore_job.remove(job.layout.move)


def check(job: Job, host: str, port: int, version: str) -> None:
    """Make sure that the space answers here.

    Args:
        job: the space.
        host: under which name.
        port: of nginx.
        version: that it must have; empty: what its state file says, for a run that goes on.

    Raises:
        MoveError: it does not.

    """
    try:
        place = _probe.Place(host, port)
        answer = _probe.ask(place, "GET", "/status.php")
        body = _probe.expect(answer, (200,), "status.php")
        _probe.check_status(body, version or read_version(job))
    except _probe.ProbeError as error:
        raise MoveError(f"it does not answer here as it should: {error}") from error


def read_version(job: Job) -> str:
    """Return the version that the space's own state file names; empty if it names none."""
    found = _config.VERSION.search(_files.read_text(job.layout.config_file))
    return found[1] if found else ""


# --- steps -------------------------------------------------------------------------------


def load(job: Job) -> None:
    """Fill the database where that moves, and count what has arrived.

    Raises:
        MoveError: other rows arrived.

    """
    _standstill.hold(job.slug)
    if not job.database_moves:
        return
    space, meta = _backup.read_space(job.node, job.slug), describe(job)
    with open(f"{job.layout.arriving}/{_move_job.HANDED}/{_backup.DUMP}", "rb") as dump:
        _database.load(space.server, space.database, dump)
    found = _database.counts(space.server, space.database)
    if found != meta["tables"]:
        names = sorted({*found, *meta["tables"]})
        wrong = [name for name in names if found.get(name) != meta["tables"].get(name)]
        raise MoveError(f"the loaded database has other rows in: {', '.join(wrong[:5])}; run again")


def place(job: Job) -> None:
    """Put the files where they belong; they keep the numbers of their owners. Can be repeated."""
    _standstill.bring(job.slug, job.id)
    layout = job.layout
    os.makedirs(layout.home, mode=0o755, exist_ok=True)
    # What this node has written itself stays: it knows where the database is now.
    managed = f"{layout.arriving}/config/{_restore_job.MANAGED}"
    if os.path.exists(layout.managed_config) and os.path.isdir(f"{layout.arriving}/config"):
        os.replace(layout.managed_config, managed)
    for part in _backup.PARTS:
        if os.path.lexists(f"{layout.arriving}/{part}"):
            _restore_job.remove(f"{layout.home}/{part}")
            os.rename(f"{layout.arriving}/{part}", f"{layout.home}/{part}")
    _restore_job.limit(layout.data, job.id)


def finish(job: Job) -> None:
    """Remove what only the move needed; the space may be started."""
    forget(job)
    _standstill.lift(job.slug)


def workflow() -> _workflow.Workflow[Job]:
    """Return the steps in which a space is taken over: each can be repeated."""
    step: t.Callable[..., _workflow.Step[Job]] = _workflow.Step
    steps = (step("load", load), step("place", place), step("finish", finish))
    return _workflow.Workflow(_move_job.VERB, steps)
