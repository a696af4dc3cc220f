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
    _backup_record,
    _restic,
    _restore_job,
    _restore_steps,
    _workflow,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations._restore_job import (
    Job,
    RestoreError,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import JsonObject


def begin(
    settings: _backup.Settings, source: str, target: str, at: str, server: _database.Server
) -> JsonObject:
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
    if _restore_job.has_previous(settings, target, server):
        raise RestoreError(
            f"its state from before an earlier restore is still kept. Is the restored "
            f"space right? playbooks/restore.yml -e only={target} -e previous=discard "
            f"-e confirm={target}. If not: previous=restore puts it back"
        )
    found = _restic.snapshots(settings.repository, source)
    stale = _backup_record.stale(settings.work, source)
    start = new_journal(settings, source, _restic.choose(found, source, at, stale))
    # For which lost node it was asked for is still true.
    asked = {word: journal[word] for word in _restore_job.ASKED if journal and word in journal}
    return {**asked, **start, "database": server.host}


def new_journal(
    settings: _backup.Settings, source: str, chosen: _restic.Snapshot
) -> dict[str, str]:
    """Return the journal of a restore that has not begun."""
    return {
        "verb": _restore_job.VERB,
        "source": source,
        "at": chosen.at.isoformat(),
        "since": _backup.now(),
        "home": _backup.home_in(chosen, settings),
        "staging": _backup.staging_in(chosen, settings),
        "snapshot": chosen.id,
        "step": "fetch",
    }


def run(
    settings: _backup.Settings, source: str, target: str, at: str, server: _database.Server
) -> list[str]:
    """Restore a space, from where an interrupted run came to; return what was done.

    Args:
        settings: of this node.
        source: whose backup.
        target: which space it becomes.
        at: which backup, see `_restic.choose`.
        server: where its database is, see `_restore_job.find_server`.

    Raises:
        RestoreError, ResticError, DatabaseError, SystemdError, OSError: it is not done yet.

    """
    with _journal.exclusive(settings.layout(target).lock_name):
        _restic.check_reachable(settings.repository)
        journal = begin(settings, source, target, at, server)
        _restore_job.rename_former(settings, target, server)
        was = (journal.get("home", ""), journal.get("staging", ""))
        job = Job(settings, source, target, server, journal["snapshot"], *was)
        entry = _journal.Entry(target, journal)
        result = _workflow.run(_restore_steps.workflow(), job, entry)
    if result.error:
        # The space is as it was: what came to nothing is in nobody's way.
        raise result.error
    when, steps = journal["at"][:16], ", ".join(result.done)
    return [f"restored from backup {job.snapshot[:8]} of {when} ({steps})"]
