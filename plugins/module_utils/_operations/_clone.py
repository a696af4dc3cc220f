# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A copy of a space, for trying something on real data: made while the space goes on.

It is claimed before its file is in the registry: from then on no run makes an empty space in its
place, whoever is killed. The database is read first, as it is at one moment, and the files after
it: what is stored meanwhile is then a file that the database does not know, never the other way
round. From there on it is put in its place as a restore does it; there are no other steps to know.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._core import (
    _config,
    _files,
    _journal,
)
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _seed_image
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _clone_contents,
    _restore_contents,
    _restore_steps,
    _workflow,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations._restore_job import Job
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from ansible_collections.archipel.spaces.plugins.module_utils._system import _standstill

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import JsonObject
    from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import Content

VERB = "clone"
# rsync: files went while it read, as they do where people work.
VANISHED = 24


class CloneError(Exception):
    """A space could not be copied; it is as it was."""


def job_of(settings: _backup.Settings, source: str, target: str) -> Job:
    """Return what a copy works on: as a restore from a backup that nobody took. Pure."""
    return Job(settings, source, target, _database.local(settings.socket), "")


# --- whether it can be ------------------------------------------------------------------


def check_source(settings: _backup.Settings, slug: str) -> None:
    """Refuse a space of which no copy can be made now.

    Raises:
        CloneError, UnfitError: it is not here, not whole, or cannot be copied.

    """
    layout = settings.layout(slug)
    if pending := _journal.under_way(slug):
        raise CloneError(f"{slug} is not copied now: {pending}")
    if not _backup.is_space(settings, slug) or not os.path.isdir(layout.data):
        raise CloneError(f"{layout.home} holds no installation of {slug}: there is nothing to copy")
    if _config.database(_files.read_text(layout.managed_config)).get("password"):
        raise CloneError(
            f"the database of {slug} is on another node: a copy could not be purged again, which "
            "works on one node alone, so none is made"
        )
    config = _files.read_text(layout.config_file)
    _clone_contents.check_config(config)
    _clone_contents.instance_of(config)
    check_encryption(settings, slug, _clone_contents.prefix_of(config))


def check_encryption(settings: _backup.Settings, slug: str, prefix: str) -> None:
    """Refuse a space whose files only its own secret opens.

    Raises:
        CloneError: it is.

    """
    database, server = settings.layout(slug).database, _database.local(settings.socket)
    if f"{prefix}appconfig" not in _database.tables(server, database):
        raise CloneError(f"its database {database} has no table {prefix}appconfig: is it whole?")
    sql = (
        f"SELECT configvalue FROM {prefix}appconfig "
        "WHERE appid = 'core' AND configkey = 'encryption_enabled'"
    )
    rows = _database.run(server, sql, database)
    if rows and rows[0][0] in {"yes", "1"}:
        raise CloneError(
            f"{slug} encrypts its files on the server (encryption_enabled), with keys made of its "
            "secret and its instance id: a copy with others could not read one of them"
        )


def check_room(settings: _backup.Settings, slug: str) -> None:
    """Make sure that a copy fits: its files, its dump and its tables.

    Raises:
        CloneError: it does not.

    """
    server, layout = _database.local(settings.socket), settings.layout(slug)
    need = size_of(layout.home) + 2 * _database.size(server, layout.database) + _backup.ROOM
    free = shutil.disk_usage(settings.root).free
    if free < need:
        raise CloneError(
            f"a copy of {slug} needs {need >> 20} MB in {settings.root}, {free >> 20} MB are free: "
            "make room there, or move a space to another node, and run again"
        )


def size_of(folder: str) -> int:
    """Return how many bytes a folder takes, as du counts them.

    Raises:
        CloneError: du cannot tell.

    """
    command = ["du", "--summarize", "--block-size=1", "--", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        # People work: files go while it counts, which it complains of.
        return int(done.stdout.split()[0])
    except (IndexError, ValueError) as error:
        raise CloneError(f"du {folder}: {done.stderr.strip()[-300:]}") from error


def check_target(settings: _backup.Settings, source: str, target: str) -> bool:
    """Refuse a name that is taken; tell whether a copy by that name was begun already.

    Raises:
        CloneError: it is taken.

    """
    journal = _journal.read(target)
    if journal and journal["verb"] == VERB and journal["source"] == source:
        return True
    if journal:
        raise CloneError(f"{target} is taken: {_journal.under_way(target)}")
    layout = settings.layout(target)
    if _backup.is_space(settings, target):
        raise CloneError(
            f"{target} is there already: {layout.home} holds an installation. Was it made as a "
            "copy before? Choose another name, or have that one closed and purged first"
        )
    server = _database.local(settings.socket)
    if tables := _database.tables(server, layout.database):
        raise CloneError(
            f"{target} is not there, and its database {layout.database} has {len(tables)} tables: "
            "see whose they are, and drop it if nobody needs it"
        )
    return False


def look(settings: _backup.Settings, source: str, target: str) -> bool:
    """Make sure that a copy can be made; tell whether it was begun already.

    Raises:
        CloneError, UnfitError, DatabaseError: it cannot.

    """
    begun = check_target(settings, source, target)
    journal = _journal.read(target) if begun else None
    # What is read no more, may have any state.
    if journal is None or journal["step"] == next(iter(STEPS)):
        check_source(settings, source)
    if journal is None:
        check_room(settings, source)
    return begun


def claim(settings: _backup.Settings, source: str, target: str) -> bool:
    """Say on this node that a copy comes; nothing of it is made yet. Tell whether that was new.

    Raises:
        CloneError, UnfitError, DatabaseError: it cannot be made.

    """
    with _journal.exclusive(settings.layout(target).lock_name):
        if look(settings, source, target):
            return False
        start = {"verb": VERB, "step": next(iter(STEPS)), "source": source}
        instance = {"instance": _seed_image.instance_id(), "since": _backup.now()}
        _journal.write(target, {**start, **instance})
    return True


# --- made -------------------------------------------------------------------------------


def run(settings: _backup.Settings, source: str, target: str) -> list[str]:
    """Make a copy that was claimed, from where an interrupted run came to; return what was done.

    Raises:
        CloneError, RestoreError, DatabaseError, ProjectError, OSError: it is not done yet.

    """
    with _journal.exclusive(settings.layout(target).lock_name):
        if not check_target(settings, source, target):
            raise CloneError(f"{target} is not claimed as a copy of {source}: run again")
        journal = _journal.Entry(target, _journal.read(target) or {})
        job = job_of(settings, source, target)
        result = _workflow.run(workflow(journal.values), job, journal)
    return [f"made of {source} ({', '.join(result.done)})"]


def copy(job: Job) -> None:
    """Read the database and the files of a space that goes on; nobody may move it meanwhile.

    Raises:
        CloneError: it cannot be read, or what was read must not be put in a space's place.

    """
    with _journal.exclusive(job.settings.layout(job.source).lock_name, patience=_backup.PATIENCE):
        check_source(job.settings, job.source)
        check_room(job.settings, job.source)
        for folder in (job.staged, job.unpacked):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        space = _backup.read_space(job.settings, job.source)
        _backup.dump(job.settings, space, job.staged)
        copy_files(job.source_home, job.unpacked)
    try:
        _restore_contents.check(job.stage, job.unpacked, f"{job.staged}/{_backup.DUMP}")
    except _restore_contents.ContentsError as error:
        raise CloneError(f"what was read of {job.source} is not taken: {error}") from error


def copy_files(home: str, to: str) -> None:
    """Copy what makes a space, as it is on the disk; what is there of it already is not again.

    Raises:
        CloneError: not all of it came.

    """
    parts = [f"--include=/{part}" for part in _backup.PARTS if part != ".applied"]
    command = [
        *("rsync", "--archive", "--hard-links", "--sparse", "--numeric-ids", "--delete"),
        *parts,
        *("--exclude=/*", "--", f"{home}/", f"{to}/"),
    ]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode not in {0, VANISHED}:
        said = " ".join(done.stderr.split())[-500:]
        raise CloneError(f"not all files of {home} were copied ({done.returncode}): {said}")


def clean(job: Job, instance: str) -> None:
    """Take out of the database what a copy must not have, and give it its own identity."""
    config = _files.read_text(f"{job.unpacked}/{_restore_contents.NEEDED}")
    before, prefix = _clone_contents.instance_of(config), _clone_contents.prefix_of(config)
    tables = _database.tables(job.server, job.database)
    found = _clone_contents.statements(tables, prefix, before, instance)
    # All or nothing, and each can be repeated.
    _database.run(job.server, "; ".join(["BEGIN", *found, "COMMIT"]), job.database)


def identify(job: Job, instance: str) -> None:
    """Give the copied files the identity of the copy: its state file, and a folder's name."""
    path = f"{job.unpacked}/{_restore_contents.NEEDED}"
    config = _files.read_text(path)
    before = _clone_contents.instance_of(config)
    if os.path.isdir(f"{job.unpacked}/data/appdata_{before}") and before != instance:
        os.rename(
            f"{job.unpacked}/data/appdata_{before}", f"{job.unpacked}/data/appdata_{instance}"
        )
    info = os.lstat(path)
    text = _clone_contents.with_own_identity(config, instance, _seed_image.secret())
    owner = {"uid": info.st_uid, "gid": info.st_gid, "mode": info.st_mode & 0o777}
    _files.write_file(t.cast("Content", {"path": path, "content": text, **owner}))


# By the names that journals know them by; some need the copy's instance id.
STEPS: dict[str, t.Callable[[Job, str], None]] = {
    "copy": lambda job, _instance: copy(job),
    "load": lambda job, _instance: _restore_steps.load(job),
    "clean": clean,
    "identify": identify,
    "place": lambda job, _instance: _restore_steps.place(job),
    "finish": lambda job, _instance: _restore_steps.finish(job),
}


def workflow(journal: JsonObject) -> _workflow.Workflow[Job]:
    """Return the steps of a copy: each can be repeated, so it goes on where it was.

    Args:
        journal: has the instance id that the copy is given.

    """

    def step(name: str) -> _workflow.Step[Job]:
        def do(job: Job) -> None:
            _standstill.hold(job.target)
            STEPS[name](job, str(journal["instance"]))

        return _workflow.Step(name, do)

    return _workflow.Workflow(VERB, tuple(map(step, STEPS)))
