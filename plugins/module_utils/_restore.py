# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Bring a space back from its backup; what is there is kept aside until somebody confirms.

The long part, reading the backup, happens beside the live space. Only then are its doors
closed, its present state moved aside, and the restored one put in its place: names change,
nothing is copied. A journal says how far it came; the same playbook goes on from there.
"""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import shutil
import typing as t
from dataclasses import dataclass

from ansible_collections.archipel.spaces.plugins.module_utils import (
    _backup,
    _database,
    _journal,
    _quotas,
    _restic,
    _restore_contents,
    _standstill,
)
from ansible_collections.archipel.spaces.plugins.module_utils._mariadb import quote

VERB = "restore"
KEPT_DATABASE = "archipel_kept_"
# What a restored configuration must not bring with it: it is written anew.
MANAGED = "managed.config.php"
# Below a space's data: the folders of the application groupfolders.
TEAM_FOLDERS = "__groupfolders"


class RestoreError(Exception):
    """A space could not be restored; nothing of it is lost."""


@dataclass(frozen=True)
class Job:
    """What is restored, and where to."""

    settings: _backup.Settings
    # Whose backup.
    source: str
    # Which space it becomes.
    target: str
    snapshot: str

    @property
    def home(self) -> str:
        """The space's folder."""
        return f"{self.settings.root}/{self.target}"

    @property
    def stage(self) -> str:
        """Where the backup is unpacked: on the same file system, so that it can be renamed."""
        return stage_folder(self.settings, self.target)

    @property
    def unpacked(self) -> str:
        """The restored space's folder in there."""
        return f"{self.stage}{self.settings.root}/{self.source}"

    @property
    def staged(self) -> str:
        """The restored dump and its description."""
        return f"{self.stage}{_backup.staging(self.settings, self.source)}"

    @property
    def kept(self) -> str:
        """Where the present state is kept aside."""
        return kept_folder(self.settings, self.target)

    @property
    def server(self) -> _database.Server:
        """The database server of this machine."""
        return _database.local(self.settings.socket)

    @property
    def database(self) -> str:
        """The space's database."""
        return f"space_{self.target}"


def stage_folder(settings: _backup.Settings, slug: str) -> str:
    """Return where a space's backup is unpacked."""
    return f"{settings.root}/.restore-{slug}"


def kept_folder(settings: _backup.Settings, slug: str) -> str:
    """Return where a space's state from before a restore is kept."""
    return f"{settings.root}/{kept_name(slug)}"


def kept_name(slug: str) -> str:
    """Return the name of that folder. Pure."""
    return f".kept-{slug}"


def has_kept(settings: _backup.Settings, slug: str) -> bool:
    """Tell whether a state from before a restore is kept."""
    server = _database.local(settings.socket)
    folder = os.path.isdir(kept_folder(settings, slug))
    return folder or _database.exists(server, KEPT_DATABASE + slug)


# --- steps ---------------------------------------------------------------------------


def fetch(job: Job) -> None:
    """Unpack the backup beside the live space, and make sure that it is whole and one of ours."""
    remove(job.stage)
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
    if digest(f"{job.staged}/{_backup.DUMP}") != describe(job)["dump"]["sha256"]:
        raise refused(job, "it is damaged, the checksum of its database is another one")


def size(job: Job) -> int:
    """Return how many bytes a backup is when it is unpacked."""
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


def refused(job: Job, why: str) -> RestoreError:
    """Return why a backup is not taken, and what to do. Pure."""
    return RestoreError(
        f"backup {job.snapshot[:8]}: {why}. Take an earlier one with -e at=…, and run "
        "archipel-restic check. The space was not touched"
    )


def describe(job: Job) -> dict[str, t.Any]:
    """Return what a backup says of itself."""
    try:
        return _restore_contents.description(f"{job.staged}/{_backup.META}", job.source)
    except _restore_contents.ContentsError as error:
        raise refused(job, str(error)) from error


def stop(job: Job) -> None:
    """Bring the space to a standstill; visitors and sync clients are told to come again."""
    _standstill.bring(job.target)


def aside(job: Job) -> None:
    """Keep the present state: folders and tables get other names. Can be repeated."""
    os.makedirs(job.kept, mode=0o700, exist_ok=True)
    for part in _backup.PARTS:
        if os.path.lexists(f"{job.home}/{part}") and not os.path.lexists(f"{job.kept}/{part}"):
            os.rename(f"{job.home}/{part}", f"{job.kept}/{part}")
    limit(f"{job.kept}/data", 0)
    _database.move(job.server, job.database, KEPT_DATABASE + job.target)


def load(job: Job) -> None:
    """Fill the database, and count what has arrived."""
    with open(f"{job.staged}/{_backup.DUMP}", "rb") as dump:
        _database.load(job.server, job.database, dump)
    expected, found = describe(job)["tables"], _database.counts(job.server, job.database)
    if expected != found:
        wrong = sorted(n for n in {*expected, *found} if expected.get(n) != found.get(n))
        raise RestoreError(
            f"the loaded database has other rows in: {', '.join(wrong[:5])}. Run again; "
            f"{give_up(job.target)}"
        )
    if job.source != job.target:
        rename_storages(job)


def rename_storages(job: Job) -> None:
    """Tell the copy where its data are now: Nextcloud keeps the paths in rows of their own."""
    old, new = (f"{job.settings.root}/{slug}/data/" for slug in (job.source, job.target))
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
    """Return what Nextcloud calls a folder of the machine that it stores files in. Pure.

    Longer names than 64 characters are kept as their MD5 (lib/private/Files/Cache/Storage.php).
    """
    name = f"local::{folder}"
    return name if len(name) <= 64 else hashlib.md5(name.encode()).hexdigest()


def place(job: Job) -> None:
    """Put the restored files where they belong. Can be repeated."""
    remove(f"{job.unpacked}/config/{MANAGED}")
    # What the old space was told may not be what this one must be told.
    applied = f"{job.unpacked}/.applied"
    if job.source != job.target and os.path.lexists(applied):
        os.unlink(applied)
    own(job)
    os.makedirs(job.home, mode=0o755, exist_ok=True)
    for part in _backup.PARTS:
        if os.path.lexists(f"{job.unpacked}/{part}"):
            remove(f"{job.home}/{part}")
            os.rename(f"{job.unpacked}/{part}", f"{job.home}/{part}")
    limit(f"{job.home}/data", number_of(job.target))


def number_of(slug: str) -> int:
    """Return the number of a space's user, which is that of its storage too.

    Raises:
        RestoreError: there is no such user.

    """
    try:
        return pwd.getpwnam(f"space-{slug}").pw_uid
    except KeyError as error:
        raise RestoreError(
            f"this machine has no user space-{slug}: playbooks/spaces.yml -e only={slug} makes it; "
            "then run this again"
        ) from error


def limit(data: str, project: int) -> None:
    """Let data count for a space's storage; with 0, as what is kept aside, for nobody's."""
    if os.path.isdir(data):
        _quotas.move(data, project)


def own(job: Job) -> None:
    """Give the restored files to the space's user, who may have another number today."""
    number = number_of(job.target)
    for folder in ("config", "data"):
        base = f"{job.unpacked}/{folder}"
        for path, folders, files in os.walk(base):
            for name in [".", *folders, *files]:
                info = os.lstat(f"{path}/{name}")
                # What is root's stays root's.
                user = number if info.st_uid else 0
                if (info.st_uid, info.st_gid) != (user, number):
                    os.lchown(f"{path}/{name}", user, number)


def finish(job: Job) -> None:
    """Tidy up what only the restore needed; the space may be started again."""
    remove(job.stage)
    _standstill.lift(job.target)


def remove(path: str) -> None:
    """Remove a file, a link or a folder, if there is one."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


STEPS: dict[str, t.Callable[[Job], None]] = {
    "fetch": fetch,
    "stop": stop,
    "aside": aside,
    "load": load,
    "place": place,
    "finish": finish,
}
# Up to here the live space is as it was.
HARMLESS = ("fetch",)
# Up to here, what still has its name is the state from before.
UNTIL_ASIDE = ("stop", "aside")
# These need the space at a standstill. A run that goes on after an interruption may find a
# space that somebody has started meanwhile.
AT_STANDSTILL = ("aside", "load", "place", "finish", "clear", "return")


# --- the whole -----------------------------------------------------------------------


def begin(settings: _backup.Settings, source: str, target: str, at: str) -> dict[str, t.Any]:
    """Return the journal of a restore: the one that was interrupted, or a new one.

    Raises:
        RestoreError: something else is under way, or a kept state is in the way.

    """
    journal = _journal.read(target)
    if journal and journal["verb"] != VERB:
        raise RestoreError(_journal.under_way(target))
    if journal and journal["step"] not in HARMLESS:
        if journal["source"] != source:
            raise RestoreError(
                f"a restore from {journal['source']} was interrupted at the step "
                f"{journal['step']!r}: finish that one first"
            )
        return journal
    if has_kept(settings, target):
        raise RestoreError(
            f"its state from before an earlier restore is still kept. Is the restored "
            f"space right? playbooks/restore.yml -e only={target} -e kept=discard "
            f"-e confirm={target}. If not: kept=back puts it back"
        )
    found = _restic.snapshots(settings.repository, source)
    chosen = _restic.choose(found, source, at)
    start = {"verb": VERB, "source": source, "at": chosen.at.isoformat(), "since": _backup.now()}
    return {**start, "snapshot": chosen.id, "step": "fetch"}


def run(settings: _backup.Settings, source: str, target: str, at: str) -> list[str]:
    """Restore a space, from where an interrupted run came to; return what was done.

    Raises:
        RestoreError, ResticError, DatabaseError, SystemdError, OSError: it is not done yet.

    """
    done = []
    with _journal.exclusive(f"life-{target}"):
        _restic.check_reachable(settings.repository)
        journal = begin(settings, source, target, at)
        job = Job(settings, source, target, journal["snapshot"])
        names = list(STEPS)
        for step in names[names.index(journal["step"]) :]:
            _journal.write(target, {**journal, "step": step})
            if step in AT_STANDSTILL:
                _standstill.bring(target)
            try:
                STEPS[step](job)
            except Exception:
                # The space is as it was: what came to nothing is in nobody's way.
                if step in HARMLESS:
                    abandon(settings, target)
                raise
            done.append(step)
        _journal.remove(target)
    return [f"restored from backup {job.snapshot[:8]} of {journal['at'][:16]} ({', '.join(done)})"]


def abandon(settings: _backup.Settings, slug: str) -> None:
    """Give a restore up that has not touched the space yet."""
    remove(stage_folder(settings, slug))
    _journal.remove(slug)


def give_up(slug: str) -> str:
    """Return how a restore that cannot be finished is undone. Pure."""
    return f"if it cannot be finished, -e kept=back -e confirm={slug} returns what was there before"


def discard(settings: _backup.Settings, slug: str) -> list[str]:
    """Remove the state from before a restore. Can be repeated.

    Of what is half removed nothing can be put back: the journal says so.
    """
    with _journal.exclusive(f"life-{slug}"):
        journal = _journal.read(slug)
        if journal and journal["verb"] != "discard":
            raise RestoreError(_journal.under_way(slug))
        if not journal and not has_kept(settings, slug):
            return []
        _journal.write(slug, {"verb": "discard", "step": "remove"})
        remove(kept_folder(settings, slug))
        _database.drop(_database.local(settings.socket), KEPT_DATABASE + slug)
        _journal.remove(slug)
    return ["the state from before the restore was removed"]


def put_back(settings: _backup.Settings, slug: str) -> list[str]:
    """Undo a restore, also one that was cut short: the kept state takes its place again.

    Can be repeated.
    """
    with _journal.exclusive(f"life-{slug}"):
        journal = _journal.read(slug)
        if journal and journal["verb"] == VERB and journal["step"] in HARMLESS:
            abandon(settings, slug)
            return ["the interrupted restore was given up: it had not touched the space yet"]
        names = list(BACK)
        for one in names[names.index(first_back(settings, slug, journal)) :]:
            _journal.write(slug, {"verb": "putback", "step": one})
            if one in AT_STANDSTILL:
                _standstill.bring(slug)
            BACK[one](settings, slug)
        _standstill.lift(slug)
        _journal.remove(slug)
    return ["the state from before the restore was put back"]


def first_back(settings: _backup.Settings, slug: str, journal: t.Mapping[str, t.Any] | None) -> str:
    """Return the step that the way back begins with.

    Raises:
        RestoreError: something else is under way, or there is nothing to put back.

    """
    if journal and journal["verb"] == VERB:
        # Before all of it was moved aside, what has its name still is the state to return to.
        return "return" if journal["step"] in UNTIL_ASIDE else "stop"
    if journal and journal["verb"] != "putback":
        raise RestoreError(_journal.under_way(slug))
    if not journal and not has_kept(settings, slug):
        raise RestoreError("no earlier state of it is kept")
    return str(journal["step"]) if journal else "stop"


def clear(settings: _backup.Settings, slug: str) -> None:
    """Remove what was restored: it is in the backup still.

    What the space did not have before the restore goes too.
    """
    if os.path.isdir(kept_folder(settings, slug)):
        for part in _backup.PARTS:
            remove(f"{settings.root}/{slug}/{part}")
    server = _database.local(settings.socket)
    if _database.tables(server, KEPT_DATABASE + slug):
        _database.drop(server, f"space_{slug}")


def return_kept(settings: _backup.Settings, slug: str) -> None:
    """Give the kept state its names back; what an interrupted restore unpacked goes."""
    kept, home = kept_folder(settings, slug), f"{settings.root}/{slug}"
    for part in _backup.PARTS:
        if os.path.lexists(f"{kept}/{part}"):
            remove(f"{home}/{part}")
            os.rename(f"{kept}/{part}", f"{home}/{part}")
    if os.path.isdir(f"{home}/data"):
        limit(f"{home}/data", number_of(slug))
    server = _database.local(settings.socket)
    _database.move(server, KEPT_DATABASE + slug, f"space_{slug}")
    _database.drop(server, KEPT_DATABASE + slug)
    remove(kept)
    remove(stage_folder(settings, slug))


BACK: dict[str, t.Callable[[_backup.Settings, str], None]] = {
    "stop": lambda _settings, slug: _standstill.bring(slug),
    "clear": clear,
    "return": return_kept,
}
