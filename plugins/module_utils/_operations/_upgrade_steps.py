# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The steps of an upgrade and of its rollback, by the names that journals know them by."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Callable

from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _repair
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _upgrade_account,
    _upgrade_check,
    _upgrade_flag,
    _upgrade_job,
    _upgrade_occ,
    _upgrade_point,
    _upgrade_record,
    _upgrade_release,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations._upgrade_job import Job

# Tells sync clients that they meet an older state.
FINGERPRINT = ("maintenance:data-fingerprint",)
# Files that a newer release made or removed, and the restored database knows nothing of.
RESCAN = ("files:scan-app-data", "--no-interaction")


def prepare(job: Job) -> None:
    """Make what the check at the end needs, while people still work.

    A space that does not serve beforehand is left alone: nobody could say afterwards whether
    the rollback has worked.
    """
    job.journal.setdefault("key", secrets.token_hex(16))
    if job.journal["direction"] == "undo":
        return
    _upgrade_check.probe(job, job.version_of(job.journal["from"]))
    if job.is_web:
        job.journal["probe"] = _upgrade_account.choose(_upgrade_check.executes(job))
        _upgrade_check.look_before(job)
    _upgrade_occ.get_ready(job)


def close(job: Job) -> None:
    """Raise the maintenance flag, and wait until nobody and nothing works in the space."""
    _upgrade_flag.wait_for_jobs(job)
    job.journal.setdefault("closed_at", time.time())
    _upgrade_flag.raise_flag(job)
    # One that began in between.
    _upgrade_flag.wait_for_jobs(job)
    _upgrade_flag.stop_php(job)
    _upgrade_flag.start_php(job)


def open_up(job: Job) -> None:
    """Keep the restore point and open the space, as the very last: nothing leads back from there.

    Can be repeated: where it is open already, all is done.
    """
    if _upgrade_flag.is_open(job):
        return
    _upgrade_check.forget(job)
    _upgrade_record.write_last(job, "upgraded")
    staged, kept = f"{job.folder}/{_upgrade_job.STAGED}", f"{job.folder}/{_upgrade_job.POINT}"
    if os.path.isdir(staged):
        shutil.rmtree(kept, ignore_errors=True)
        os.rename(staged, kept)
    version = job.version_of(job.journal["to"])
    _repair.note(job.slug, job.journal["version"], version, job.settings.work)
    _upgrade_flag.lower_flag(job)


def shut(job: Job) -> None:
    """Make sure that nothing runs; the database server may be coming back."""
    _upgrade_occ.end_occ(job)
    _upgrade_point.wait_for_database(job)
    if job.is_touched:
        _upgrade_flag.raise_flag(job)
        _upgrade_flag.stop_php(job)


def return_release(job: Job) -> None:
    """Point the space at its old release."""
    if job.is_touched:
        _upgrade_release.point_at(job, job.journal["from"])


def verify(job: Job) -> None:
    """Ask the space whether it serves again, on the old release; tell sync clients if need be.

    What a newer release removed from its own folder on the disk, the restored database still lists,
    and every page after the login fails for it.
    """
    if not job.is_touched:
        return
    fingerprint = [FINGERPRINT] if job.journal["direction"] == "undo" else []
    first, *others = [*fingerprint, RESCAN]
    _upgrade_occ.occ(job, *first, more=others)
    _upgrade_check.probe(job, job.version_of(job.journal["from"]))


def reopen(job: Job) -> None:
    """Open the space, and forget what only the rollback needed. Can be repeated."""
    # It closed every space that it touched: one that is open had come to its end.
    if not (job.is_touched and _upgrade_flag.is_open(job)):
        _upgrade_check.forget(job)
        _upgrade_record.write_last(
            job, "undone" if job.journal["direction"] == "undo" else result_of(job)
        )
        _upgrade_flag.lower_flag(job)
    shutil.rmtree(job.point, ignore_errors=True)


def result_of(job: Job) -> str:
    """Return what came of a space whose upgrade failed."""
    return "rolled back" if job.is_touched else "left as it was"


STEPS: dict[str, Callable[[Job], None]] = {
    "prepare": prepare,
    "close": close,
    "dump": _upgrade_point.dump,
    "point": _upgrade_release.point,
    "upgrade": _upgrade_release.upgrade,
    "apply": _upgrade_release.apply,
    "check": _upgrade_check.check,
    "open": open_up,
    "shut": shut,
    "keep": _upgrade_point.keep,
    "load": _upgrade_point.load,
    "files": _upgrade_point.files,
    "return": return_release,
    "verify": verify,
    "reopen": reopen,
}
