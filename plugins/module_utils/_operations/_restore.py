# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Bring a space back from its backup; what is there is kept aside until somebody confirms.

The long part, reading the backup, happens beside the live space. Only then is it stopped, its
present state moved aside, and the restored one put in its place: names change, nothing is copied.
A journal says how far it came; the same playbook goes on from there.
"""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _restic,
    _restore_job,
    _restore_steps,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations._restore_job import (
    Job,
    RestoreError,
)
from ansible_collections.archipel.spaces.plugins.module_utils._system import _standstill


def begin(settings: _backup.Settings, source: str, target: str, at: str) -> dict[str, t.Any]:
    """Return the journal of a restore: the one that was interrupted, or a new one.

    Raises:
        RestoreError: something else is under way, or a previous state is in the way.

    """
    journal = _journal.read(target)
    if journal and journal["verb"] != _restore_job.VERB:
        raise RestoreError(_journal.under_way(target))
    if journal and journal["step"] not in _restore_job.HARMLESS:
        if journal["source"] != source:
            raise RestoreError(
                f"a restore from {journal['source']} was interrupted at the step "
                f"{journal['step']!r}: finish that one first"
            )
        return journal
    if _restore_job.has_previous(settings, target):
        raise RestoreError(
            f"its state from before an earlier restore is still kept. Is the restored "
            f"space right? playbooks/restore.yml -e only={target} -e previous=discard "
            f"-e confirm={target}. If not: previous=restore puts it back"
        )
    found = _restic.snapshots(settings.repository, source)
    chosen = _restic.choose(found, source, at)
    start = {
        "verb": _restore_job.VERB,
        "source": source,
        "at": chosen.at.isoformat(),
        "since": _backup.now(),
        "home": _backup.home_in(chosen, settings),
        "staging": _backup.staging_in(chosen, settings),
    }
    return {**start, "snapshot": chosen.id, "step": "fetch"}


def run(settings: _backup.Settings, source: str, target: str, at: str) -> list[str]:
    """Restore a space, from where an interrupted run came to; return what was done.

    Raises:
        RestoreError, ResticError, DatabaseError, SystemdError, OSError: it is not done yet.

    """
    done = []
    with _journal.exclusive(settings.layout(target).lock_name):
        _restic.check_reachable(settings.repository)
        journal = begin(settings, source, target, at)
        _restore_job.rename_former(settings, target)
        was = (journal.get("home", ""), journal.get("staging", ""))
        job = Job(settings, source, target, journal["snapshot"], *was)
        names = list(_restore_steps.STEPS)
        for step in names[names.index(journal["step"]) :]:
            _journal.write(target, {**journal, "step": step})
            if step in _restore_job.AT_STANDSTILL:
                _standstill.bring(target)
            try:
                _restore_steps.STEPS[step](job)
            except Exception:
                # The space is as it was: what came to nothing is in nobody's way.
                if step in _restore_job.HARMLESS:
                    _restore_job.abandon(settings, target)
                raise
            done.append(step)
        _journal.remove(target)
    return [f"restored from backup {job.snapshot[:8]} of {journal['at'][:16]} ({', '.join(done)})"]
