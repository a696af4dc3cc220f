# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Backups of spaces: one snapshot per space and run, with all that makes it a space.

What is backed up is what is on the node, whatever the registry says of it: suspended,
closed and held spaces, and those whose file was deleted by mistake.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ansible_collections.archipel.spaces.plugins.module_utils._core import (
    _config,
    _files,
    _journal,
    _layout,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup_record,
    _restic,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database

CONFIGURATION = "/etc/archipel/backup/backup.json"
SLUG = re.compile(r"(?=.{2,26}\Z)[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
STATUS = re.compile(r"^\S+ ([a-z]+)/", re.MULTILINE)
DUMP, META = "database.sql", "space.json"
# Of a space's folder; logs, sessions and temporary files are not worth keeping.
PARTS = ("config", "data", "release", ".applied")
ROOM = 64 << 20
# Seconds to wait for who else is at work on a space.
PATIENCE = 60

Report = dict[str, t.Any]


class BackupError(Exception):
    """One space could not be backed up."""


@dataclass(frozen=True)
class Node:
    """Where spaces are on this node, and how their databases are reached."""

    root: str
    vhosts: str
    # For root alone; of backups, the staging and the record of what was done too.
    work: str
    socket: str
    database_ca: str

    def layout(self, slug: str) -> _layout.Layout:
        """Return the names and places of a space here."""
        places = _layout.Places(root=self.root, vhosts=self.vhosts, backup=self.work)
        return _layout.Layout(slug, places)


@dataclass(frozen=True)
class Settings(Node):
    """What the role wrote down for this node."""

    environment: str
    node: str
    parallel: int
    # keep-daily → 7, and so on.
    retention: t.Mapping[str, int]
    # Days that the backups of a space are kept once it is gone from this node.
    gone_days: int
    # Percentage of the repository that is read and checked each time.
    check_percent: int
    metrics: str
    repository: _restic.Repository


@dataclass(frozen=True)
class Space:
    """A space as it is on this node."""

    slug: str
    home: str
    status: str
    database: str
    server: _database.Server
    closed_at: float = 0.0


@dataclass
class Outcome:
    """What came of a run: slug → what was done, slug → why not."""

    done: dict[str, Report] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def read_settings(path: str = CONFIGURATION) -> Settings:
    """Return what the role wrote down.

    Raises:
        BackupError: it has not run here.
    """
    try:
        with open(path, encoding="utf-8") as file:
            values = json.load(file)
    except FileNotFoundError as error:
        raise BackupError(
            f"{path} is not there: this node keeps no backups yet. Set "
            "archipel_backup_repository and run playbooks/platform.yml"
        ) from error
    where = values.pop("repository")
    where["options"] = tuple(where["options"])
    return Settings(**values, repository=_restic.Repository(**where))


def now() -> str:
    """Return the time as it is written down."""
    return datetime.now(tz=UTC).isoformat(timespec="seconds")


# --- what is there -------------------------------------------------------------------


def read_space(settings: Node, slug: str) -> Space:
    """Return a space as it is on this node, whole or in part."""
    layout = settings.layout(slug)
    found = STATUS.search(_files.read_text(layout.vhost))
    account = _config.database(_files.read_text(layout.managed_config))
    server = _database.local(settings.socket)
    if account.get("password"):
        server = _database.distant(layout.backup_client, account, settings.database_ca)
    return Space(
        slug,
        layout.home,
        found[1] if found else "unknown",
        account.get("name") or layout.database,
        server,
        os.stat(layout.vhost).st_mtime if found and found[1] == "closed" else 0.0,
    )


def is_space(settings: Node, name: str) -> bool:
    """Tell whether a folder holds a Nextcloud that was installed."""
    config = settings.layout(name).config_file
    return bool(SLUG.fullmatch(name) and _config.is_installed(_files.read_text(config)))


def home_in(snapshot: _restic.Snapshot, settings: Node) -> str:
    """Return the folder that a space had when it was backed up. Pure."""
    here = settings.layout(snapshot.space).home
    return snapshot.path(f"/{snapshot.space}/config", f"{here}/config").removesuffix("/config")


def staging_in(snapshot: _restic.Snapshot, settings: Node) -> str:
    """Return where its dump was when it was backed up: `backup_work_directory` may change. Pure."""
    here = settings.layout(snapshot.space).backup_staging
    return snapshot.path(f"/staging/{snapshot.space}", here)


def spaces(settings: Node) -> list[str]:
    """Return the spaces of this node that have something to lose."""
    return sorted(name for name in names_in(settings.root) if is_space(settings, name))


def names_in(folder: str) -> list[str]:
    """Return what is in a folder; nothing if there is none."""
    return os.listdir(folder) if os.path.isdir(folder) else []


# --- one space -----------------------------------------------------------------------


def staging(settings: Settings, slug: str) -> str:
    """Return the private folder where a space's dump is put for the time of its backup."""
    return settings.layout(slug).backup_staging


def back_up(settings: Settings, slug: str) -> Report:
    """Make a snapshot of a space: its database, its state file, its data.

    The database comes first: what is stored meanwhile is then a file that the database does
    not know yet, never the other way round.

    Raises:
        BackupError, DatabaseError, ResticError, OSError: there is no new snapshot.
        JournalError: somebody is at work on the space.
    """
    if pending := _journal.under_way(slug):
        raise BackupError(pending)
    # Between the dump and the last file nobody may move it to another release. Its repair after a
    # new major takes seconds.
    with _journal.exclusive(settings.layout(slug).lock_name, patience=PATIENCE):
        # Whoever was waited for may have left the space half-way.
        if pending := _journal.under_way(slug):
            raise BackupError(pending)
        return back_up_alone(settings, slug)


def back_up_alone(settings: Settings, slug: str) -> Report:
    """Make a snapshot of a space that nobody else is at work on."""
    space = read_space(settings, slug)
    folder = staging(settings, slug)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder, mode=0o700)
    try:
        _journal.die_here("backup:dump")
        meta = dump(settings, space, folder)
        _journal.die_here("backup:snapshot")
        snapshot = take_snapshot(settings, space, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    rows = sum(meta["tables"].values())
    report = {"at": meta["at"], **snapshot, "tables": len(meta["tables"]), "rows": rows}
    _journal.die_here("backup:record")
    _backup_record.write(settings.work, slug, backup=report, failed=None)
    return report


def dump(settings: Settings, space: Space, folder: str) -> Report:
    """Write a space's database, and what one needs to know of it, into a folder.

    Raises:
        BackupError: there is no room, or no table.
    """
    need = _database.size(space.server, space.database) + ROOM
    free = shutil.disk_usage(folder).free
    if free < need:
        raise BackupError(
            f"its database needs up to {need >> 20} MB in {folder}, {free >> 20} MB are free: make "
            "room, or set backup_work_directory to another disk"
        )
    counted = _database.dump(space.server, space.database, f"{folder}/{DUMP}")
    if not counted.tables:
        raise BackupError(f"its database {space.database} has no table: nothing was backed up")
    meta = {
        "version": 1,
        "slug": space.slug,
        "environment": settings.environment,
        "node": settings.node,
        "at": now(),
        "status": space.status,
        "release": os.path.basename(os.path.realpath(f"{space.home}/release")),
        "tables": counted.tables,
        "dump": {"sha256": counted.digest.hexdigest(), "bytes": counted.length},
    }
    _journal.save(f"{folder}/{META}", meta)
    return meta


def take_snapshot(settings: Settings, space: Space, folder: str) -> Report:
    """Put a space into the repository; return the snapshot.

    Raises:
        BackupError: files could not be read, or there is no snapshot.
    """
    places = [f"{space.home}/{part}" for part in PARTS if os.path.lexists(f"{space.home}/{part}")]
    code, printed, said = _restic.run(
        settings.repository,
        "backup",
        "--json",
        f"--host={settings.node}",
        f"--tag={_restic.SPACE_TAG}{space.slug},environment:{settings.environment}",
        *("--", folder, *places),
        accept=(0, 3),
    )
    if code and (lost := _restic.unread(said)):
        raise BackupError(f"some files could not be read: {lost}")
    found = _restic.summary(printed)
    if not found.get("snapshot_id"):
        raise BackupError(f"restic made no snapshot: {printed[-300:]}{said[-300:]}")
    return {
        "snapshot": found["snapshot_id"],
        "files": found["total_files_processed"],
        "bytes": found["total_bytes_processed"],
    }


# --- all of them ---------------------------------------------------------------------


def is_settled(space: Space, entry: Report) -> bool:
    """Tell whether a closed space has its last backup, taken since it closed and verified. Pure."""
    backup, verification = entry.get("backup"), entry.get("verification")
    if space.status != "closed" or not backup or not verification:
        return False
    taken = datetime.fromisoformat(backup["at"]).timestamp()
    return verification["snapshot"] == backup["snapshot"] and taken > space.closed_at


def due(settings: Settings) -> list[str]:
    """Return the spaces to back up, those that have waited longest first."""
    record = _backup_record.read(settings.work)
    wanted = [
        slug
        for slug in spaces(settings)
        if not is_settled(read_space(settings, slug), record.get(slug, {}))
    ]
    return sorted(wanted, key=lambda slug: record.get(slug, {}).get("backup", {}).get("at", ""))


def run(settings: Settings, slugs: t.Sequence[str]) -> Outcome:
    """Back up spaces, a bounded number at a time; one that fails does not stop the others.

    Raises:
        ResticError: the repository does not open: it is said once, not for each space.
        JournalError: another run is under way.
    """
    outcome = Outcome()
    with _journal.exclusive("backup"):
        _restic.check_reachable(settings.repository)
        _restic.unlock(settings.repository)
        with ThreadPoolExecutor(max_workers=settings.parallel) as pool:
            for slug, result in zip(
                slugs, pool.map(lambda s: attempt(settings, s), slugs), strict=True
            ):
                if isinstance(result, str):
                    outcome.failed[slug] = result
                else:
                    outcome.done[slug] = result
    return outcome


def attempt(settings: Settings, slug: str) -> Report | str:
    """Back up one space; return what was done, or why not."""
    try:
        return back_up(settings, slug)
    except (
        *(BackupError, _database.DatabaseError, _restic.ResticError, OSError),
        _journal.JournalError,
    ) as error:
        _backup_record.write(settings.work, slug, failed={"at": now(), "reason": str(error)})
        return str(error)


def forget(settings: Settings) -> list[str]:
    """Let go of what the policy no longer keeps; return the snapshots of spaces that are gone."""
    keep = [f"--{name}={number}" for name, number in settings.retention.items() if number]
    host = f"--host={settings.node}"
    # A space that gets no new backups keeps its last ones, however old.
    _restic.run(settings.repository, "forget", host, "--group-by=host,tags", "--keep-last=1", *keep)
    here = {name for name in names_in(settings.root) if SLUG.fullmatch(name)}
    limit = datetime.now(tz=UTC) - timedelta(days=settings.gone_days)
    mine = [one for one in _restic.snapshots(settings.repository) if one.host == settings.node]
    # All of a space stay until its last one is old enough: a disk of spaces that is not mounted
    # today takes nothing from those that are backed up each night.
    last = {one.space: one.at for one in mine}
    gone = [one.id for one in mine if one.space not in here and last[one.space] < limit]
    if gone:
        _restic.run(settings.repository, "forget", *gone)
    return gone


def maintain(settings: Settings) -> list[str]:
    """Let go of old snapshots, free their room, and check the repository.

    Raises:
        ResticError: something is wrong with it.
    """
    _restic.check_reachable(settings.repository)
    _restic.unlock(settings.repository)
    gone = forget(settings)
    _restic.run(settings.repository, "prune")
    _restic.run(settings.repository, "check", f"--read-data-subset={settings.check_percent}%")
    return gone
