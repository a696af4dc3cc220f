# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Move one space to another release and, if anything fails, back.

A journal names the step that comes next, so that whoever finds one goes on there. From the
first step that people could notice to the last, the space is closed by its maintenance flag:
nobody can store anything that a rollback would lose.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
import typing as t
from collections.abc import Mapping

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import (
    _application_set,
    _node,
    _occ,
    _probe,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _upgrade_check,
    _upgrade_flag,
    _upgrade_job,
    _upgrade_occ,
    _upgrade_point,
    _upgrade_record,
    _upgrade_steps,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations._upgrade_job import (
    Job,
    Journal,
    Settings,
    UpgradeError,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from ansible_collections.archipel.spaces.plugins.module_utils._system import _systemd


def errors(settings: Settings) -> tuple[type[Exception], ...]:
    """Return what may go wrong in a step."""
    return (
        *(UpgradeError, _probe.ProbeError, _database.DatabaseError, _systemd.SystemdError),
        *(_node.InstallationError, OSError, ValueError, LookupError),
        settings.node.database_error,
    )


def begin(settings: Settings, item: Mapping[str, t.Any], decision: Mapping[str, t.Any]) -> Journal:
    """Return the journal of a space's upgrade: the one that was interrupted, or a new one.

    Raises:
        JournalError: since the plan was made, something else was begun and not finished.

    """
    found = _journal.read(item["space"])
    if found and (found["verb"] != _upgrade_job.VERB or found["direction"] == "undo"):
        raise _journal.JournalError(_journal.under_way(item["space"]))
    return found or {
        "verb": _upgrade_job.VERB,
        "direction": "forward",
        "step": _upgrade_job.FORWARD[0],
        "from": decision["release"],
        "to": item["target"],
        "version": decision["version"],
        "enabled": sorted(decision["enabled"]),
        "began": time.time(),
        "run": settings.run,
        "probe": None,
    }


def walk(job: Job) -> None:
    """Do the steps from the one the journal names to the last of its way."""
    way = _upgrade_job.WAYS[job.journal["direction"]]
    if job.journal["step"] != way[0]:
        _upgrade_occ.end_occ(job)
    # One start of its Redis for all commands.
    with _occ.awake(job.slug):
        try:
            for step in way[way.index(job.journal["step"]) :]:
                job.save(step=step)
                job.log(f"step {step}")
                began = time.monotonic()
                _upgrade_steps.STEPS[step](job)
                job.took[step] = round(time.monotonic() - began, 2)
        finally:
            _upgrade_occ.stand_down(job)
    _journal.remove(job.slug)


def turn_back(job: Job, error: Exception) -> None:
    """Send a space whose way forward ended back to where it was."""
    journal = job.journal
    reason = f"{journal['step']}: {error}"
    job.log(f"failed at {reason}")
    key = journal.get("key") or secrets.token_hex(16)
    # The last step keeps the restore point before it lowers the flag, and may fail in between.
    kept = journal["step"] == _upgrade_job.FORWARD[-1] and not os.path.isdir(job.point)
    changes = {"direction": "back", "failed_at": journal["step"], "reason": reason, "key": key}
    job.save(step=_upgrade_job.BACK[0], kept=kept, **changes)


def move(settings: Settings, item: Mapping[str, t.Any], decision: Mapping[str, t.Any]) -> str:
    """Bring one space to its target or back to where it was; return why it is not there.

    Raises:
        JournalError: somebody else is at work on it.

    """
    # A backup may be at work on it: it takes as long as jobs do.
    with _journal.exclusive(
        settings.layout(item["space"]).lock_name, patience=settings.jobs_seconds
    ):
        job = Job(settings, item, begin(settings, item, decision))
        job.log(f"from {job.journal['from']} to {job.journal['to']}, run {settings.run}")
        wrong = errors(settings)
        try:
            try:
                walk(job)
            except wrong as error:
                if job.journal["direction"] != "forward" or has_arrived(job):
                    raise
                turn_back(job, error)
                walk(job)
        except wrong as error:
            return stuck(job, error)
        return str(job.journal.get("reason", ""))


def has_arrived(job: Job) -> bool:
    """Tell whether the last step of its way has opened the door."""
    way = _upgrade_job.WAYS[job.journal["direction"]]
    return job.journal["step"] == way[-1] and _upgrade_flag.is_open(job)


def stuck(job: Job, error: Exception) -> str:
    """Write down, and return, where a space is that got neither to its end nor back."""
    step, reason = job.journal["step"], job.journal.get("reason", "")
    job.log(f"stuck at {step}: {error}")
    if has_arrived(job):
        return (
            f"{reason} It is open, on release {_application_set.release_of(job.home, '?')}; what "
            f"only its way needed was not taken away: {error}. Run the same playbook again"
        ).strip()
    with contextlib.suppress(OSError):
        _upgrade_record.write_last(job, "stuck")
    return (
        f"{reason} Its rollback ended at the step {step!r}: {error}. "
        f"{'It is open' if _upgrade_flag.is_open(job) else 'IT IS CLOSED'} until this is mended "
        "and the same playbook is run again"
    ).strip()


def undo(settings: Settings, item: Mapping[str, t.Any]) -> str:
    """Bring one space back to its restore point; return why it could not be.

    Raises:
        JournalError: somebody else is at work on it.

    """
    slug = item["space"]
    with _journal.exclusive(settings.layout(slug).lock_name, patience=settings.jobs_seconds):
        journal = _journal.read(slug)
        if journal and (journal["verb"] != _upgrade_job.VERB or journal["direction"] != "undo"):
            return _journal.under_way(slug)
        if journal is None:
            try:
                reason = _upgrade_point.no_room(settings, item)
            except errors(settings) as error:
                reason = f"{error}. The space was not touched"
            if reason:
                return reason
            kept = _upgrade_point.read_point(
                f"{settings.layout(slug).upgrade}/{_upgrade_job.POINT}"
            )
            journal = {
                "verb": _upgrade_job.VERB,
                "direction": "undo",
                "step": _upgrade_job.UNDO[0],
                "probe": kept["probe"],
                **{key: kept.get(key, {}) for key in _upgrade_check.SEEN_BEFORE},
                "from": kept["release"],
                "to": kept["to"],
                "version": kept["version"],
                "began": time.time(),
                "run": settings.run,
            }
        job = Job(settings, item, journal)
        try:
            walk(job)
        except errors(settings) as error:
            job.log(f"stuck at {job.journal['step']}: {error}")
            reason = f"the step {job.journal['step']!r} failed: {error}"
            if job.journal.get("loading"):
                return f"{reason}{half_way(job)}"
            return f"{reason}{abandon(job)}"
    return ""


def half_way(job: Job) -> str:
    """Say what becomes of a space whose database was touched by its rollback."""
    state = "The space is open" if _upgrade_flag.is_open(job) else "IT IS CLOSED"
    return f". {state} until this is mended and playbooks/rollback.yml is run again"


def abandon(job: Job) -> str:
    """Leave a space that was to go back, and of which nothing was changed yet, as it is."""
    try:
        _upgrade_flag.lower_flag(job)
        _journal.remove(job.slug)
    except OSError as error:
        return f". IT IS CLOSED: {error}"
    return ". The space is open, and as it was"
