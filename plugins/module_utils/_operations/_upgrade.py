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
from collections.abc import Iterable, Iterator
from dataclasses import replace

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
    _workflow,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations._upgrade_job import (
    Job,
    Journal,
    Settings,
    UpgradeError,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from ansible_collections.archipel.spaces.plugins.module_utils._system import _systemd

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import (
        Json,
        JsonObject,
    )
    from ansible_collections.archipel.spaces.plugins.module_utils._core._nextcloud_payloads import (
        Moving,
        Targeted,
    )


def errors(job: Job) -> tuple[type[Exception], ...]:
    """Return what may go wrong in a step."""
    return (
        *(UpgradeError, _probe.ProbeError, _database.DatabaseError, _systemd.SystemdError),
        *(_node.InstallationError, OSError, ValueError, LookupError),
        job.settings.node.database_error,
    )


def begin(settings: Settings, item: Targeted, decision: Json) -> Journal:
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


def workflow() -> _workflow.Workflow[Job]:
    """Return the steps of an upgrade.

    All of it is taken back together: the restore point holds the whole space. It goes on where it
    was cut short, and a step that fails leads back, until the space is open again.
    """
    back = steps_of(_upgrade_job.BACK)
    first, *others = steps_of(_upgrade_job.FORWARD)
    return _workflow.Workflow(
        _upgrade_job.VERB,
        (replace(first, undo=back), *others),
        taken_back_until=_upgrade_job.FORWARD[-1],
        failures=errors,
        is_past_return=has_arrived,
        note=note_failure,
        around=with_occ,
        around_step=logged,
    )


def rollback() -> _workflow.Workflow[Job]:
    """Return the steps of a rollback on demand: it goes on where it was cut short."""
    return _workflow.Workflow(
        _upgrade_job.VERB,
        steps_of(_upgrade_job.UNDO),
        direction="undo",
        failures=errors,
        around=with_occ,
        around_step=logged,
    )


def steps_of(names: Iterable[str]) -> tuple[_workflow.Step[Job], ...]:
    """Return steps by their names."""
    return tuple(_workflow.Step(name, _upgrade_steps.STEPS[name]) for name in names)


@contextlib.contextmanager
def with_occ(job: Job, step: _workflow.Step[Job]) -> Iterator[None]:
    """Have no occ of a run that was cut short, and one start of its Redis for all commands."""
    if step.name != _upgrade_job.WAYS[job.journal["direction"]][0]:
        _upgrade_occ.end_occ(job)
    with _occ.awake(job.slug):
        try:
            yield
        finally:
            _upgrade_occ.stand_down(job)


@contextlib.contextmanager
def logged(job: Job, step: _workflow.Step[Job]) -> Iterator[None]:
    """Write down when a step begins, and note how long it took."""
    job.log(f"step {step.name}")
    began = time.monotonic()
    yield
    job.took[step.name] = round(time.monotonic() - began, 2)


def note_failure(job: Job, error: Exception) -> JsonObject:
    """Log why a space goes back to where it was; return what its rollback is to know."""
    journal = job.journal
    reason = f"{journal['step']}: {error}"
    job.log(f"failed at {reason}")
    key = journal.get("key") or secrets.token_hex(16)
    # The last step keeps the restore point before it lowers the flag, and may fail in between.
    kept = journal["step"] == _upgrade_job.FORWARD[-1] and not os.path.isdir(job.point)
    return {"reason": reason, "key": key, "kept": kept}


def move(settings: Settings, item: Targeted, decision: Json) -> str:
    """Bring one space to its target or back to where it was; return why it is not there.

    Raises:
        JournalError: somebody else is at work on it.

    """
    # A backup may be at work on it: it takes as long as jobs do.
    with _journal.exclusive(
        settings.layout(str(item["space"])).lock_name, patience=settings.jobs_seconds
    ):
        job = Job(settings, item, begin(settings, item, decision))
        job.log(f"from {job.journal['from']} to {job.journal['to']}, run {settings.run}")
        try:
            _workflow.run(workflow(), job, job.entry)
        except errors(job) as error:
            return stuck(job, error)
        return str(job.journal.get("reason", ""))


def has_arrived(job: Job) -> bool:
    """Tell whether the last step of its way has opened the space."""
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


def undo(settings: Settings, item: Moving) -> str:
    """Bring one space back to its restore point; return why it could not be.

    Raises:
        JournalError: somebody else is at work on it.

    """
    slug = item["space"]
    with _journal.exclusive(settings.layout(slug).lock_name, patience=settings.jobs_seconds):
        journal = _journal.read(slug)
        if journal and (journal["verb"] != _upgrade_job.VERB or journal["direction"] != "undo"):
            return _journal.under_way(slug)
        job = Job(settings, item, journal or {})
        try:
            if journal is None:
                if reason := _upgrade_point.no_room(job):
                    return reason
                job.journal |= begin_rollback(job)
        except errors(job) as error:
            return f"{error}. The space was not touched"
        try:
            _workflow.run(rollback(), job, job.entry)
        except errors(job) as error:
            job.log(f"stuck at {job.journal['step']}: {error}")
            reason = f"the step {job.journal['step']!r} failed: {error}"
            return reason + (half_way(job) if job.journal.get("loading") else abandon(job))
    return ""


def begin_rollback(job: Job) -> Journal:
    """Return the journal of a rollback on demand.

    Raises:
        UpgradeError, OSError: there is no restore point to go back to.

    """
    kept = _upgrade_point.read_point(f"{job.folder}/{_upgrade_job.POINT}")
    return {
        "verb": _upgrade_job.VERB,
        "direction": "undo",
        "step": _upgrade_job.UNDO[0],
        "probe": kept["probe"],
        **{key: kept.get(key, {}) for key in _upgrade_check.SEEN_BEFORE},
        "from": kept["release"],
        "to": kept["to"],
        "version": kept["version"],
        "began": time.time(),
        "run": job.settings.run,
    }


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
