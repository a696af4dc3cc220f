# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The restore point of an upgrade: database and state of a space, and how they come back."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
import typing as t
from collections.abc import Iterable
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.module_utils._core import _files, _journal, _layout
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _upgrade_check,
    _upgrade_facts,
    _upgrade_job,
    _upgrade_plan,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations._upgrade_job import (
    Job,
    Settings,
    UpgradeError,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import JsonObject

# Seconds that the database server may take to come back.
DATABASE_SECONDS = 120
NO_POINT = (
    "no restore point is kept of it. playbooks/restore.yml brings back a backup, whose release "
    "must be on this node"
)
UNDONE = "undone.sql"


def dump(job: Job) -> None:
    """Write down all that a rollback needs."""
    shutil.rmtree(job.point, ignore_errors=True)
    os.makedirs(job.point, mode=0o700)
    try:
        write_down(job, job.point)
    except Exception:
        # Half of it is of no use, and may be what fills the disk for all the others.
        shutil.rmtree(job.point, ignore_errors=True)
        raise


def write_down(job: Job, folder: str) -> None:
    """Write a space's database and state into a folder; the description comes last.

    Raises:
        UpgradeError: the database has no table.

    """
    counted = _database.dump(job.server, job.database, f"{folder}/{_backup.DUMP}")
    if not counted.tables:
        raise UpgradeError(f"its database {job.database} has no table: there is nothing to keep")
    for name in ("config/config.php", _layout.APPLIED):
        if os.path.exists(f"{job.home}/{name}"):
            shutil.copy2(f"{job.home}/{name}", f"{folder}/{os.path.basename(name)}")
    for name in os.listdir(folder):
        flush(f"{folder}/{name}")
    described = {
        "release": job.journal["from"],
        "version": job.journal["version"],
        "to": job.journal["to"],
        "at": time.time(),
        "tables": counted.tables,
        "sha256": counted.digest.hexdigest(),
        "bytes": counted.length,
        "probe": job.journal["probe"],
        **{key: job.journal.get(key, {}) for key in _upgrade_check.SEEN_BEFORE},
    }
    _journal.save(f"{folder}/point.json", described)


def flush(path: str) -> None:
    """Make sure that a file outlives a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def wait_for_database(job: Job) -> None:
    """Wait until the server answers.

    Raises:
        DatabaseError: it does not.

    """
    end = time.monotonic() + DATABASE_SECONDS
    while True:
        try:
            _database.run(job.server, "SELECT 1")
        except _database.DatabaseError:
            if time.monotonic() > end:
                raise
            time.sleep(1)
        else:
            return


def keep(job: Job) -> None:
    """Write down the present state before an older one takes its place."""
    path = Path(job.folder, UNDONE)
    beside = path.with_suffix(".new")
    try:
        _database.dump(job.server, job.database, str(beside))
    except Exception:
        beside.unlink(missing_ok=True)
        raise
    beside.rename(path)


def load(job: Job) -> None:
    """Bring the database back, and count what has arrived.

    Raises:
        UpgradeError: the loaded database has other rows than the restore point.

    """
    if not job.is_touched:
        return
    make_sure_of_dump(job)
    # From here on there is no other way than through.
    job.save(loading=True)
    with open(f"{job.point}/{_backup.DUMP}", "rb") as file:
        counted = _database.load(job.server, job.database, file)
    if counted.tables != (found := _database.counts(job.server, job.database)):
        wrong = sorted(
            n for n in {*counted.tables, *found} if counted.tables.get(n) != found.get(n)
        )
        raise UpgradeError(f"the loaded database has other rows in: {', '.join(wrong[:5])}")


def make_sure_of_dump(job: Job) -> None:
    """Read the dump before the database makes room for it.

    Raises:
        UpgradeError: it is not what was written.

    """
    path = f"{job.point}/{_backup.DUMP}"
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != read_point(job.point)["sha256"]:
        raise UpgradeError(
            f"{path} is not what was written: it is damaged. The database was not touched"
        )


def read_point(folder: str) -> JsonObject:
    """Return what a restore point says of itself.

    Raises:
        UpgradeError: it cannot be understood.
        OSError: it cannot be read.

    """
    path = f"{folder}/point.json"
    with open(path, encoding="utf-8") as file:
        try:
            found = dict(json.load(file))
        except (ValueError, TypeError) as error:
            raise UpgradeError(damaged(path)) from error
    if not {"release", "to", "version", "at"} <= set(found):
        raise UpgradeError(damaged(path))
    return found


def damaged(path: str) -> str:
    """Return what to do about a restore point that cannot be understood. Pure."""
    return (
        f"{path} is damaged: there is no going back to this restore point. Remove its folder; "
        "playbooks/restore.yml brings back a backup"
    )


def files(job: Job) -> None:
    """Bring the state file back, and the mark of what was applied to Nextcloud."""
    if not job.is_touched:
        return
    put_back(f"{job.point}/config.php", f"{job.home}/config/config.php", job.item["id"])
    put_back(f"{job.point}/{_layout.APPLIED}", f"{job.home}/{_layout.APPLIED}", 0)


def put_back(source: str, target: str, owner: int) -> None:
    """Put a kept file back, whole or not at all; nothing kept means that there was none.

    Args:
        source: the kept file.
        target: where it goes.
        owner: number of the user and group whose it is; 0: root alone reads it.

    """
    if not os.path.exists(source):
        Path(target).unlink(missing_ok=True)
        return
    mode = 0o640 if owner else 0o600
    content = Path(source).read_text(encoding="utf-8")
    _files.write_file(
        {"path": target, "content": content, "uid": owner, "gid": owner, "mode": mode}
    )


def no_room(job: Job) -> str:
    """Return why the present database could not be kept; empty if it can."""
    need = _database.size(job.server, job.database) + _upgrade_plan.ROOM
    free = _upgrade_facts.free_in(job.settings.work)
    if need <= free:
        return ""
    return (
        f"its present database needs up to {need >> 20} MB in {job.settings.work}, {free >> 20} MB "
        "are free: make room. The space was not touched"
    )


def restorable(settings: Settings, slugs: Iterable[str]) -> dict[str, JsonObject]:
    """Return the restore points of these spaces; nobody can go back to a damaged one."""
    found = {}
    for slug in slugs:
        with contextlib.suppress(UpgradeError, FileNotFoundError):
            found[slug] = read_point(f"{settings.layout(slug).upgrade}/{_upgrade_job.POINT}")
    return found


def problem(settings: Settings, slug: str) -> str:
    """Return why a space cannot go back to its restore point; empty if it can."""
    try:
        read_point(f"{settings.layout(slug).upgrade}/{_upgrade_job.POINT}")
    except FileNotFoundError:
        return NO_POINT
    except UpgradeError as error:
        return str(error)
    return ""
