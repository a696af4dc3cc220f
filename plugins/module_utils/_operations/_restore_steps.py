# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The steps of a restore, by the names that journals know them by."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import shutil
import stat
import time
import typing as t
from collections.abc import Iterator

from ansible_collections.archipel.spaces.plugins.module_utils._core import _config, _files
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _restic,
    _restore_contents,
    _restore_job,
    _workflow,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations._restore_job import (
    Job,
    RestoreError,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from ansible_collections.archipel.spaces.plugins.module_utils._sql._mariadb import quote
from ansible_collections.archipel.spaces.plugins.module_utils._system import _standstill

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import JsonObject
    from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import Content

# Below a space's data: the folders of the application groupfolders.
TEAM_FOLDERS = "__groupfolders"


def fetch(job: Job) -> None:
    """Unpack the backup beside the live space, and make sure that it is whole and one of ours.

    Raises:
        RestoreError: there is no room, or the backup must not be restored.

    """
    # Before hours of reading, and while nothing has to be taken back but that.
    _restore_job.check_rights(job.settings, job.target, job.server)
    _restore_job.remove(job.stage)
    os.mkdir(job.stage, 0o700)
    need = size(job) + _backup.ROOM
    free = shutil.disk_usage(job.settings.root).free
    if free < need:
        raise RestoreError(
            f"the backup needs {need >> 20} MB in {job.settings.root}, {free >> 20} MB are free: "
            "make room there, and run again. The space was not touched"
        )
    _restic.run(
        job.settings.repository, "restore", job.snapshot, f"--target={job.stage}", "--verify"
    )
    try:
        _restore_contents.check(job.stage, job.unpacked, f"{job.staged}/{_backup.DUMP}")
    except _restore_contents.ContentsError as error:
        raise refused(job, str(error)) from error
    check_release(job)
    if digest(f"{job.staged}/{_backup.DUMP}") != describe(job)["dump"]["sha256"]:
        raise refused(job, "it is damaged, the checksum of its database is another one")


def check_release(job: Job) -> None:
    """Make sure that the space would find the release that it runs.

    Raises:
        RestoreError: this node does not have it.

    """
    try:
        link = os.readlink(f"{job.unpacked}/release")
    except FileNotFoundError:
        return
    if not os.path.isdir(os.path.join(job.home, link)):
        name = os.path.basename(link)
        raise RestoreError(
            f"backup {job.snapshot[:8]} runs release {name}, which is not on this node. Name it in "
            "archipel_releases and archipel_ring_releases, run playbooks/platform.yml, and then "
            "this again. The space was not touched"
        )


def size(job: Job) -> int:
    """Return how many bytes a backup is when it is unpacked.

    Raises:
        RestoreError: restic's answer cannot be read.

    """
    words = ("stats", "--json", "--mode=restore-size", job.snapshot)
    said = _restic.run(job.settings.repository, *words)[1]
    try:
        return int(json.loads(said)["total_size"])
    except (ValueError, KeyError, TypeError) as error:
        raise RestoreError(f"restic stats answers without a total_size: {said[-300:]!r}") from error


def digest(path: str) -> str:
    """Return the SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def refused(job: Job, reason: str) -> RestoreError:
    """Return why a backup is not taken, and what to do. Pure."""
    return RestoreError(
        f"backup {job.snapshot[:8]}: {reason}. Take an earlier one with -e at=…, and run "
        "archipel-restic check. The space was not touched"
    )


def describe(job: Job) -> JsonObject:
    """Return what a backup says of itself.

    Raises:
        RestoreError: the backup must not be restored.

    """
    try:
        return _restore_contents.description(f"{job.staged}/{_backup.META}", job.source)
    except _restore_contents.ContentsError as error:
        raise refused(job, str(error)) from error


def stop(job: Job) -> None:
    """Bring the space to a standstill; visitors and sync clients are asked to come again."""
    _standstill.bring(job.target)


def aside(job: Job) -> None:
    """Keep the present state: folders and tables get other names. Can be repeated."""
    os.makedirs(job.previous, mode=0o700, exist_ok=True)
    for part in _backup.PARTS:
        if os.path.lexists(f"{job.home}/{part}") and not os.path.lexists(f"{job.previous}/{part}"):
            os.rename(f"{job.home}/{part}", f"{job.previous}/{part}")
    _restore_job.limit(f"{job.previous}/data", 0)
    _database.move(job.server, job.database, job.layout.previous_database)


def load(job: Job) -> None:
    """Fill the database, and count what has arrived.

    Raises:
        RestoreError: the loaded database has other rows than the backup.

    """
    with open(f"{job.staged}/{_backup.DUMP}", "rb") as dump:
        _database.load(job.server, job.database, dump)
    expected, found = describe(job)["tables"], _database.counts(job.server, job.database)
    if expected != found:
        wrong = sorted(n for n in {*expected, *found} if expected.get(n) != found.get(n))
        raise RestoreError(
            f"the loaded database has other rows in: {', '.join(wrong[:5])}. Run again; "
            f"{_restore_job.give_up(job.target)}"
        )
    if job.source_home != job.home:
        rename_storages(job)


def rename_storages(job: Job) -> None:
    """Tell the copy where its data are now: Nextcloud keeps the paths in rows of their own."""
    old, new = (f"{home}/data/" for home in (job.source_home, job.home))
    for table in _database.tables(job.server, job.database):
        if not table.endswith("_storages"):
            continue
        for folder in ("", *team_folders(job)):
            value, where = (_database.text(storage_id(data + folder)) for data in (new, old))
            sql = f"UPDATE {quote(table)} SET id = {value} WHERE id = {where}"
            _database.run(job.server, sql, job.database)


def team_folders(job: Job) -> list[str]:
    """Return where in the data team folders are: with Nextcloud 33, storages of their own."""
    try:
        names = os.listdir(f"{job.unpacked}/data/{TEAM_FOLDERS}")
    except FileNotFoundError:
        return []
    return [f"{TEAM_FOLDERS}/{name}/" for name in sorted(names) if name.isdecimal()]


def storage_id(folder: str) -> str:
    """Return what Nextcloud calls a folder of the node that it stores files in. Pure.

    Longer names than 64 characters are kept as their MD5 (lib/private/Files/Cache/Storage.php).
    """
    name = f"local::{folder}"
    return name if len(name) <= 64 else hashlib.md5(name.encode()).hexdigest()


def place(job: Job) -> None:
    """Put the restored files where they belong. Can be repeated."""
    _restore_job.remove(f"{job.unpacked}/config/{_restore_job.MANAGED}")
    # What was applied to the old space may not be what this one needs.
    applied = f"{job.unpacked}/.applied"
    if job.source != job.target and os.path.lexists(applied):
        os.unlink(applied)
    have_compared(job)
    own(job)
    os.makedirs(job.home, mode=0o755, exist_ok=True)
    for part in _backup.PARTS:
        if os.path.lexists(f"{job.unpacked}/{part}"):
            _restore_job.remove(f"{job.home}/{part}")
            os.rename(f"{job.unpacked}/{part}", f"{job.home}/{part}")
    _restore_job.limit(f"{job.home}/data", _restore_job.number_of(job.target))


def have_compared(job: Job) -> None:
    """Have sync clients compare anew, instead of deleting what the backup did not have yet.

    As `occ maintenance:data-fingerprint` does, and before the space can be opened: a run that dies
    before it could ask occ must not cost anybody files.
    """
    path = f"{job.unpacked}/{_restore_contents.NEEDED}"
    if not os.path.lexists(path):
        return
    info, text = os.lstat(path), _files.read_text(path)
    if not text:
        # Larger than any that Nextcloud writes: it stays as it is.
        return
    mark = hashlib.md5(f"{job.snapshot}{time.time()}".encode(), usedforsecurity=False)
    content = _config.with_text(text, "data-fingerprint", mark.hexdigest())
    owner = {"uid": info.st_uid, "gid": info.st_gid, "mode": stat.S_IMODE(info.st_mode)}
    _files.write_file(t.cast("Content", {"path": path, "content": content, **owner}))


def own(job: Job) -> None:
    """Give the restored files to the space's user, who may have another number today."""
    number = _restore_job.number_of(job.target)
    for folder in ("config", "data"):
        base = f"{job.unpacked}/{folder}"
        if not os.path.isdir(base):
            continue
        below = (entry.path for entry in _files.list_tree(base))
        for path in itertools.chain([base], below):
            info = os.lstat(path)
            # What is root's stays root's.
            user = number if info.st_uid else 0
            if (info.st_uid, info.st_gid) != (user, number):
                os.lchown(path, user, number)


def finish(job: Job) -> None:
    """Tidy up what only the restore needed; the space may be started again."""
    _restore_job.remove(job.stage)
    _standstill.lift(job.target)


STEPS: dict[str, t.Callable[[Job], None]] = {
    "fetch": fetch,
    "stop": stop,
    "aside": aside,
    "load": load,
    "place": place,
    "finish": finish,
}


def give_up(job: Job) -> None:
    """Remove what was unpacked: the space was not touched yet."""
    _restore_job.remove(job.stage)


def workflow() -> _workflow.Workflow[Job]:
    """Return the steps of a restore: it goes on where it was, and is given up while harmless."""
    undo = {"fetch": (_workflow.Step("fetch", give_up),)}
    return _workflow.Workflow(
        _restore_job.VERB,
        tuple(_workflow.Step(name, act, undo.get(name, ())) for name, act in STEPS.items()),
        taken_back_until=_restore_job.HARMLESS[-1],
        around_step=standing_still,
    )


@contextlib.contextmanager
def standing_still(job: Job, step: _workflow.Step[Job]) -> Iterator[None]:
    """Have nothing of the space run while a step moves what it would use.

    Raises:
        RestoreError: its account lost the right to what is kept aside.

    """
    if step.name not in _restore_job.HARMLESS:
        _restore_job.check_rights(job.settings, job.target, job.server)
    if step.name in _restore_job.AT_STANDSTILL:
        _standstill.bring(job.target)
    yield
