# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Delete a closed space from a node, for good.

What goes is read first, in words; a check run returns the same list. Each step removes what is
there, so that an interrupted purge is finished by the next one.
"""

from __future__ import annotations

import contextlib
import glob
import os
import pwd
import re
import subprocess
import typing as t
from dataclasses import dataclass
from datetime import datetime

from ansible_collections.archipel.spaces.plugins.module_utils._core import (
    _files,
    _journal,
    _layout,
    _unit_names,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _backup_record,
    _restic,
    _restore_job,
    _workflow,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from ansible_collections.archipel.spaces.plugins.module_utils._system import (
    _accounts,
    _quotactl,
    _standstill,
    _systemd,
    _units,
)

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import JsonObject

VERB = "purge"
# A copy that was never finished may go like any other.
CLONE = "clone"
# Where the users and folders of all spaces are declared.
DECLARATIONS = tuple(
    f"/etc/{folder}/{_layout.DECLARATIONS}" for folder in ("sysusers.d", "tmpfiles.d")
)
# They write reports that name spaces.
REPORTS = ("archipel-usage.service", "archipel-accounts.service")
# What these remove, nothing of the space may be using.
AT_STANDSTILL = ("drop", "delete", "dismiss")


class PurgeError(Exception):
    """A space may not or could not be purged."""


@dataclass(frozen=True)
class Job:
    """A space to delete."""

    settings: _backup.Settings
    layout: _layout.Layout
    id: int
    closed_on: str
    # Made of another space, which has all that is in it: nothing is lost with it.
    is_copy: bool = False

    @property
    def slug(self) -> str:
        """Which space."""
        return self.layout.slug

    @property
    def server(self) -> _database.Server:
        """The database server of this node."""
        return _database.local(self.settings.socket)


# --- what is there -------------------------------------------------------------------


def paths(job: Job) -> list[str]:
    """Return every file and folder that a space may have, and no other has; data last."""
    found: list[str] = []
    for pattern in job.layout.owned:
        found += sorted(glob.glob(pattern)) if glob.has_magic(pattern) else [pattern]
    return found


def units(job: Job, observed: _units.Observed) -> list[str]:
    """Return the units of a space that run, or will after a reboot."""
    names = job.layout.units.stopped
    return [name for name in names if name in observed.enabled or _units.is_up(observed, name)]


def databases(job: Job) -> list[str]:
    """Return the databases of a space."""
    layout = job.layout
    names = (layout.database, layout.previous_database, layout.former_previous_database)
    return [name for name in names if _database.exists(job.server, name)]


def accounts(job: Job) -> list[str]:
    """Return the hosts that the space's database account may come from."""
    user = _database.text(job.layout.user)
    rows = _database.run(job.server, f"SELECT Host FROM mysql.global_priv WHERE User = {user}")
    return [row[0] for row in rows]


def user(job: Job) -> str:
    """Return the unix user of a space, if it has one; it must have the space's own number.

    Raises:
        PurgeError: the user has another number than the space.

    """
    name = job.layout.user
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return ""
    if found.pw_uid != job.id:
        raise PurgeError(
            f"user {name} has id {found.pw_uid}, placement.yml says {job.id}: is it somebody "
            "else's? Mend one of the two first"
        )
    return name


def size_of(path: str) -> str:
    """Return a folder's size in words, as du counts it."""
    command = ["du", "--summarize", "--human-readable", "--", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.split("\t")[0] or "?"


def inventory(job: Job) -> list[str]:
    """Return everything that goes, in words; a check run and a real one say the same."""
    observed = _units.read_observed()
    found = [f"unit {name}" for name in units(job, observed)]
    for path in paths(job):
        if os.path.isdir(path) and not os.path.islink(path):
            found.append(f"folder {path} ({size_of(path)})")
        elif os.path.lexists(path):
            found.append(f"file {path}")
    for name in databases(job):
        rows = sum(_database.counts(job.server, name).values())
        found.append(f"database {name} ({rows} rows)")
    found += [f"database account {job.layout.user}@{host}" for host in accounts(job)]
    if name := user(job):
        found.append(f"user and group {name} ({job.id})")
    return found


# --- whether it may ------------------------------------------------------------------


def last_backup(job: Job) -> str:
    """Return which verified backup the space could be brought back from; make sure there is one.

    Raises:
        PurgeError: there is none that is good enough.

    """
    journal = _journal.read(job.slug)
    if journal and journal["verb"] == VERB:
        # It was there when the purge began.
        return str(journal["backup"])
    if job.is_copy or not (_backup.is_space(job.settings, job.slug) or databases(job)):
        return ""
    entry = _backup_record.read(job.settings.work).get(job.slug, {})
    remedy = f"run playbooks/backup.yml -e only={job.slug} -e verify=true first"
    backup, verification = entry.get("backup"), entry.get("verification")
    if not backup:
        raise PurgeError(f"there is no backup of it: {remedy}")
    if backup["at"][:10] < job.closed_on:
        when = backup["at"][:16]
        raise PurgeError(f"its last backup, of {when}, is from before it closed: {remedy}")
    if not verification or verification["snapshot"] != backup["snapshot"]:
        reason = entry.get("unverified", {}).get("reason", "nobody has tried it")
        raise PurgeError(f"its last backup is not verified ({reason}): {remedy}")
    if changed_since(job, datetime.fromisoformat(backup["at"]).timestamp()):
        raise PurgeError(f"it was changed since its last backup, {backup['at'][:16]}: {remedy}")
    known = {one.id for one in _restic.snapshots(job.settings.repository, job.slug)}
    if backup["snapshot"] not in known:
        raise PurgeError(f"its last backup is no longer in the repository: {remedy}")
    return str(backup["snapshot"])


def changed_since(job: Job, moment: float) -> bool:
    """Tell whether a file was made, changed or removed since; folders change with entries."""
    for folder in filter(os.path.isdir, (job.layout.config, job.layout.data)):
        if os.lstat(folder).st_mtime > moment:
            return True
        for entry in _files.list_tree(folder):
            changed = entry.stat(follow_symlinks=False).st_mtime > moment
            if changed and entry.name != _restore_job.MANAGED:
                return True
    return False


# --- steps ---------------------------------------------------------------------------


def stop(job: Job) -> None:
    """Stop and forget the units."""
    _systemd.demand(job.layout.units.enabled, *_systemd.LINKS, "disable")
    _standstill.bring(job.slug, job.id)


def unpublish(job: Job) -> None:
    """Take the name out of nginx."""
    _restore_job.remove(job.layout.vhost)
    _systemd.systemctl("reload", "nginx.service")


def drop(job: Job) -> None:
    """Remove the databases and the account."""
    for name in databases(job):
        _database.drop(job.server, name)
    for host in accounts(job):
        account = f"{_database.text(job.layout.user)}@{_database.text(host)}"
        _database.run(job.server, f"DROP USER {account}")


def delete(job: Job) -> None:
    """Remove the files, those of the configuration first."""
    for path in paths(job):
        _restore_job.remove(path)


def unlimit(job: Job) -> None:
    """Take the limit of the space's number away, where there are limits."""
    try:
        with _quotactl.opened(job.settings.root) as descriptor:
            if _quotactl.state(descriptor)[0]:
                _quotactl.limit(descriptor, job.id, 0, 0)
    except FileNotFoundError:
        return


def dismiss(job: Job) -> None:
    """Remove the user and its declaration.

    Raises:
        PurgeError: the user stays.

    """
    for path in DECLARATIONS:
        undeclare(path, job.layout.declarations)
    if name := user(job):
        code, said = _accounts.run(["userdel", name])
        if code:
            raise PurgeError(f"userdel {name} ({code}): {said}")


def undeclare(path: str, own: re.Pattern[str]) -> None:
    """Take a space's lines out of a file of declarations, and nobody else's."""
    text = _files.read_text(path)
    others = "".join(line for line in text.splitlines(keepends=True) if not own.search(line))
    if others != text:
        _accounts.declare(path, others, check=False)


def settle(job: Job) -> None:
    """Forget what was known of its backups; they themselves are kept for a while."""
    parts = ("backup", "verification", "failed", "unverified", _backup_record.STALE)
    _backup_record.write(job.settings.work, job.slug, **dict.fromkeys(parts))
    _standstill.lift(job.slug)


# By the names that journals know them by.
STEPS: dict[str, t.Callable[[Job], None]] = {
    "stop": stop,
    "vhost": unpublish,
    "drop": drop,
    "delete": delete,
    "unlimit": unlimit,
    "dismiss": dismiss,
    "settle": settle,
}
FORMER = {"vhost": ("door",)}
# What the controller does: its journal stays until `finish`.
LEDGER = "ledger"


@contextlib.contextmanager
def standing_still(job: Job, step: _workflow.Step[Job]) -> t.Iterator[None]:
    """Have nothing of the space run while a step removes what it would use."""
    if step.name in AT_STANDSTILL:
        _standstill.bring(job.slug, job.id)
    yield


def workflow() -> _workflow.Workflow[Job]:
    """Return the steps of a purge: each removes what is there, so it begins again."""
    steps = (_workflow.Step(name, act, (), FORMER.get(name, ())) for name, act in STEPS.items())
    return _workflow.Workflow(
        VERB,
        (*steps, _workflow.Step(LEDGER, None)),
        resume=_workflow.Resume.BEGIN_AGAIN,
        around_step=standing_still,
    )


def run(job: Job, *, check: bool) -> JsonObject:
    """Delete a space, or say what would be deleted.

    The journal stays until `finish`: what the controller still has to write down is
    not lost with an interrupted run.

    Raises:
        PurgeError, ResticError, DatabaseError, SystemdError, OSError: it may not go, or not yet.

    """
    with _journal.exclusive(job.layout.lock_name):
        journal = _journal.read(job.slug)
        if journal and journal["verb"] not in (VERB, *([CLONE] if job.is_copy else [])):
            raise PurgeError(_journal.under_way(job.slug))
        backup = last_backup(job)
        goes = inventory(job)
        if not check:
            start = {"verb": VERB, "step": next(iter(STEPS)), "id": job.id, "backup": backup}
            _workflow.run(workflow(), job, _journal.Entry(job.slug, start))
    return {"goes": goes, "backup": backup, "interrupted": journal is not None}


def report_again() -> None:
    """Have the reports written anew, where there are any: until then they name what is gone.

    Raises:
        SystemdError: one could not be written.

    """
    there = [name for name in REPORTS if os.path.exists(f"{_unit_names.FOLDER}/{name}")]
    if there:
        # Not just started: one that is at work may have read the space before it went.
        _systemd.systemctl("restart", *there)


def finish(slug: str) -> bool:
    """Say that the controller has written down what was purged."""
    journal = _journal.read(slug)
    if journal and journal["verb"] == VERB and journal["step"] == LEDGER:
        _journal.remove(slug)
        _restore_job.remove(f"{_journal.LOCKS}/life-{slug}.lock")
        return True
    return False
