# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Delete a closed space from a machine, for good.

What goes is read first, in words; a check run returns the same list. Each step removes what is
there, so that an interrupted purge is finished by the next one.
"""

from __future__ import annotations

import os
import pwd
import re
import subprocess
import typing as t
from dataclasses import dataclass
from datetime import datetime

from ansible_collections.archipel.spaces.plugins.module_utils import (
    _accounts,
    _backup,
    _database,
    _export,
    _files,
    _journal,
    _layout,
    _quotactl,
    _restic,
    _restore_job,
    _standstill,
    _systemd,
    _units,
    _upgrade_job,
)

VERB = "purge"
# Which names lead each space to itself: archipel-network.service would remove it at its next look.
HOSTS = "/var/lib/archipel/network/hosts"
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
    slug: str
    id: int
    closed_on: str
    php: str
    spool: str

    @property
    def home(self) -> str:
        """The space's folder."""
        return f"{self.settings.root}/{self.slug}"

    @property
    def server(self) -> _database.Server:
        """The database server of this machine."""
        return _database.local(self.settings.socket)


# --- what is there -------------------------------------------------------------------


def paths(job: Job) -> list[str]:
    """Return every file and folder of a space, data last."""
    slug = job.slug
    return [
        f"{job.settings.vhosts}/{slug}.conf",
        f"{job.php}/{slug}.conf",
        f"{job.spool}/{slug}.eml",
        f"{HOSTS}/{slug}",
        f"/run/archipel/redis/{slug}",
        f"/run/archipel/php/{slug}.sock",
        f"/run/archipel/reloaded/space-php@{slug}.service",
        f"{job.settings.work}/clients/{slug}.cnf",
        _backup.staging(job.settings, slug),
        f"{_upgrade_job.WORK}/{slug}",
        f"{_upgrade_job.WORK}/clients/{slug}.cnf",
        f"{_upgrade_job.CLOSED}/{slug}",
        f"{_upgrade_job.LOGS}/{slug}.log",
        *_export.paths(_export.SPOOL, slug),
        f"{job.settings.root}/.restore-{slug}",
        _restore_job.kept_folder(job.settings, slug),
        job.home,
    ]


def units(job: Job, observed: _units.Observed) -> list[str]:
    """Return the units of a space that run, or will after a reboot."""
    names = _layout.Units(job.slug).stopped
    return [name for name in names if name in observed.enabled or _units.is_up(observed, name)]


def databases(job: Job) -> list[str]:
    """Return the databases of a space."""
    names = (f"space_{job.slug}", _restore_job.KEPT_DATABASE + job.slug)
    return [name for name in names if _database.exists(job.server, name)]


def accounts(job: Job) -> list[str]:
    """Return the hosts that the space's database account may come from."""
    user = _database.text(f"space-{job.slug}")
    rows = _database.run(job.server, f"SELECT Host FROM mysql.global_priv WHERE User = {user}")
    return [row[0] for row in rows]


def user(job: Job) -> str:
    """Return the unix user of a space, if it has one; it must have the space's own number."""
    name = f"space-{job.slug}"
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
    found += [f"database account space-{job.slug}@{host}" for host in accounts(job)]
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
    if not _backup.is_space(job.settings, job.slug) and not databases(job):
        return ""
    entry = _backup.read_record(job.settings).get(job.slug, {})
    remedy = f"run playbooks/backup.yml -e only={job.slug} -e verify=true first"
    backup, verification = entry.get("backup"), entry.get("verification")
    if not backup:
        raise PurgeError(f"there is no backup of it: {remedy}")
    if backup["at"][:10] < job.closed_on:
        when = backup["at"][:16]
        raise PurgeError(f"its last backup, of {when}, is from before it closed: {remedy}")
    if not verification or verification["snapshot"] != backup["snapshot"]:
        why = entry.get("unverified", {}).get("why", "nobody has tried it")
        raise PurgeError(f"its last backup is not verified ({why}): {remedy}")
    if changed_since(job, datetime.fromisoformat(backup["at"]).timestamp()):
        raise PurgeError(f"it was changed since its last backup, {backup['at'][:16]}: {remedy}")
    known = {one.id for one in _restic.snapshots(job.settings.repository, job.slug)}
    if backup["snapshot"] not in known:
        raise PurgeError(f"its last backup is no longer in the repository: {remedy}")
    return str(backup["snapshot"])


def changed_since(job: Job, moment: float) -> bool:
    """Tell whether a file was made, changed or removed since; folders change with entries."""
    for folder in ("config", "data"):
        for path, _folders, files in os.walk(f"{job.home}/{folder}"):
            for name in [".", *files]:
                if name != _restore_job.MANAGED and os.lstat(f"{path}/{name}").st_mtime > moment:
                    return True
    return False


# --- steps ---------------------------------------------------------------------------


def stop(job: Job) -> None:
    """Stop and forget the units."""
    _systemd.demand(_layout.Units(job.slug).enabled, *_systemd.LINKS, "disable")
    _standstill.bring(job.slug, job.id)


def close_door(job: Job) -> None:
    """Take the name out of nginx."""
    _restore_job.remove(paths(job)[0])
    _systemd.systemctl("reload", "nginx.service")


def drop(job: Job) -> None:
    """Remove the databases and the account."""
    for name in databases(job):
        _database.drop(job.server, name)
    for host in accounts(job):
        account = f"{_database.text(f'space-{job.slug}')}@{_database.text(host)}"
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
    """Remove the user and its declaration."""
    for path in ("/etc/sysusers.d/archipel-spaces.conf", "/etc/tmpfiles.d/archipel-spaces.conf"):
        undeclare(path, job.settings.root, job.slug)
    if name := user(job):
        code, said = _accounts.run(["userdel", name])
        if code:
            raise PurgeError(f"userdel {name} ({code}): {said}")


def undeclare(path: str, root: str, slug: str) -> None:
    """Take a space's lines out of a file of declarations, and nobody else's.

    A slug may be the name of a folder that every space has: the whole path counts.
    """
    text = _files.read_text(path)
    own = re.compile(
        rf"^(?:u space-|d {re.escape(root)}/|d /run/archipel/redis/){re.escape(slug)}(?=[ /])"
    )
    kept = "".join(line for line in text.splitlines(keepends=True) if not own.search(line))
    if kept != text:
        _accounts.declare(path, kept, check=False)


def settle(job: Job) -> None:
    """Forget what was known of its backups; they themselves are kept for a while."""
    parts = ("backup", "verification", "failed", "unverified")
    _backup.write_record(job.settings, job.slug, **dict.fromkeys(parts))
    _standstill.lift(job.slug)


STEPS: dict[str, t.Callable[[Job], None]] = {
    "stop": stop,
    "door": close_door,
    "drop": drop,
    "delete": delete,
    "unlimit": unlimit,
    "dismiss": dismiss,
    "settle": settle,
}


def run(job: Job, *, check: bool) -> dict[str, t.Any]:
    """Delete a space, or say what would be deleted.

    The journal stays until `finish`: what the controller still has to write down is
    not lost with an interrupted run.

    Raises:
        PurgeError, ResticError, DatabaseError, SystemdError, OSError: it may not go, or not yet.

    """
    with _journal.exclusive(f"life-{job.slug}"):
        journal = _journal.read(job.slug)
        if journal and journal["verb"] != VERB:
            raise PurgeError(_journal.under_way(job.slug))
        backup = last_backup(job)
        goes = inventory(job)
        result = {"goes": goes, "backup": backup, "interrupted": journal is not None}
        if check:
            return result
        for step, act in STEPS.items():
            _journal.write(job.slug, {"verb": VERB, "step": step, "id": job.id, "backup": backup})
            if step in AT_STANDSTILL:
                _standstill.bring(job.slug, job.id)
            act(job)
        _journal.write(job.slug, {"verb": VERB, "step": "ledger", "id": job.id, "backup": backup})
    return result


def report_again() -> None:
    """Have the reports written anew, where there are any: until then they name what is gone.

    Raises:
        SystemdError: one could not be written.

    """
    there = [name for name in REPORTS if os.path.exists(f"{_layout.UNIT_FILES}/{name}")]
    if there:
        # Not just started: one that is at work may have read the space before it went.
        _systemd.systemctl("restart", *there)


def finish(slug: str) -> bool:
    """Say that the controller has written down what was purged."""
    journal = _journal.read(slug)
    if journal and journal["verb"] == VERB and journal["step"] == "ledger":
        _journal.remove(slug)
        _restore_job.remove(f"{_journal.LOCKS}/life-{slug}.lock")
        return True
    return False
