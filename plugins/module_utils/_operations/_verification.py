# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Verify a backup by bringing it up beside the live space.

Its database is loaded under another name, its rows are counted, and its files stream by and are
compared with the live ones. Nothing of the live space is touched, and no room for its
files is needed.

Where the database is on another node the space's account has room for the live one alone: the
dump is read to its end and counted, not loaded.
"""

from __future__ import annotations

import hashlib
import os
import random
import stat
import tarfile
import typing as t
from dataclasses import dataclass, field

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal, _layout
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _backup_record,
    _restic,
    _restore_contents,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import JsonObject

# Folders of MariaDB that no space can have. What a verification which was cut short has left may
# go by the former name.
PREFIXES = (_layout.VERIFICATION_DATABASE, _layout.FORMER_VERIFICATION_DATABASE)
CHUNK = 1 << 20


class VerificationError(Exception):
    """A backup is not what it should be."""


@dataclass
class Seen:
    """What came out of the repository."""

    files: int = 0
    # Compared byte by byte with the live ones, and equal.
    equal: int = 0
    # Changed or deleted in the live space since.
    moved_on: int = 0
    damaged: list[str] = field(default_factory=list)
    loaded: _database.Counted | None = None
    meta: JsonObject = field(default_factory=dict)


def digest(source: t.IO[bytes]) -> str:
    """Return the checksum of a stream."""
    found = hashlib.sha256()
    while chunk := source.read(CHUNK):
        found.update(chunk)
    return found.hexdigest()


def same_as_live(member: tarfile.TarInfo, source: t.IO[bytes], path: str) -> bool | None:
    """Compare a file with the live one; None if that one has changed or gone since."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as live:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            return None
        # restic rounds times to the second in an archive.
        if before.st_size != member.size or abs(before.st_mtime - member.mtime) >= 1:
            return None
        equal = digest(source) == digest(live)
        after = os.fstat(descriptor)
    if not equal and (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        return None
    return equal


def take(member: tarfile.TarInfo, source: t.IO[bytes], seen: Seen, into: Target) -> None:
    """Look at one file of the snapshot."""
    seen.files += 1
    path = f"/{member.name.lstrip('/')}"
    if path == f"{into.staging}/{_backup.DUMP}":
        seen.loaded = into.take(source)
    elif path == f"{into.staging}/{_backup.META}":
        seen.meta = _restore_contents.understood(source.read(), into.slug)
    else:
        equal = same_as_live(member, source, into.live(path))
        if equal is None:
            seen.moved_on += 1
        elif equal:
            seen.equal += 1
        else:
            seen.damaged.append(path)


@dataclass(frozen=True)
class Target:
    """Where the database is brought up, and where the dump stands in the snapshot."""

    # None: it is counted as it streams by.
    server: _database.Server | None
    database: str
    staging: str
    slug: str
    # The space's folder when it was backed up, and now.
    home_then: str = ""
    home_now: str = ""

    def live(self, path: str) -> str:
        """Return where a file of the backup is in the live space. Pure."""
        if self.home_then and path.startswith(f"{self.home_then}/"):
            return self.home_now + path.removeprefix(self.home_then)
        return path

    def take(self, dump: t.IO[bytes]) -> _database.Counted:
        """Bring the database up, or count what is in its dump."""
        if self.server is None:
            return _database.count(dump)
        return _database.load(self.server, self.database, dump)

    def rows(self, seen: Seen) -> dict[str, int]:
        """Return table → rows of what was brought up, or read."""
        if self.server is not None:
            return _database.counts(self.server, self.database)
        return seen.loaded.tables if seen.loaded else {}

    def drop(self) -> None:
        """Remove what was brought up."""
        if self.server is not None:
            _database.drop(self.server, self.database)


def read(settings: _backup.Settings, snapshot: str, into: Target) -> Seen:
    """Let a whole snapshot stream by.

    Raises:
        ResticError, DatabaseError: it cannot be read, or its database not loaded.
        ContentsError: what it says of itself cannot be understood.

    """
    seen = Seen()
    arguments = ("dump", "--archive=tar", snapshot, "/")
    with (
        _restic.streamed(settings.repository, *arguments) as stream,
        tarfile.open(fileobj=stream, mode="r|") as archive,
    ):
        for member in archive:
            source = archive.extractfile(member) if member.isreg() else None
            if source is not None:
                take(member, source, seen, into)
    return seen


def judge(seen: Seen, rows: t.Mapping[str, int], files: int | None) -> list[str]:
    """Return what is wrong with a backup. Pure.

    Args:
        seen: what came out of the repository.
        rows: table → rows, as the database that was brought up has them.
        files: how many files went in, where that is known.

    """
    if seen.loaded is None or not seen.meta:
        return ["it holds no database"]
    wrong = []
    if seen.loaded.digest.hexdigest() != seen.meta["dump"]["sha256"]:
        wrong.append("the checksum of its database is another one")
    expected = seen.meta["tables"]
    wrong += [
        f"table {name}: {rows.get(name, 'no')} rows instead of {expected.get(name, 'none')}"
        for name in sorted({*expected, *rows})
        if rows.get(name) != expected.get(name)
    ]
    if files is not None and seen.files != files:
        wrong.append(f"{seen.files} files instead of {files}")
    wrong += [f"{path} differs from the live file of the same age" for path in seen.damaged]
    return wrong


def verify(settings: _backup.Settings, slug: str) -> _backup.Report:
    """Verify the last backup of a space.

    Raises:
        VerificationError, ContentsError, ResticError, DatabaseError: it verifies nothing.

    """
    stale = _backup_record.stale(settings.work, slug)
    found = _restic.snapshots(settings.repository, slug)
    snapshot = _restic.choose(found, slug, "latest", stale)
    known = _backup_record.read(settings.work).get(slug, {}).get("backup", {})
    files = known.get("files") if known.get("snapshot") == snapshot.id else None
    server = _backup.read_space(settings, slug).server
    brought_up = None if server.distant else server
    layout = settings.layout(slug)
    staging, then = _backup.staging_in(snapshot, settings), _backup.home_in(snapshot, settings)
    names = (layout.verification_database, staging, slug)
    into = Target(brought_up, *names, home_then=then, home_now=layout.home)
    try:
        seen = read(settings, snapshot.id, into)
        _journal.die_here("verification:loaded")
        rows = into.rows(seen)
    finally:
        into.drop()
    if wrong := judge(seen, rows, files):
        raise VerificationError(f"backup {snapshot.id[:8]}: {'; '.join(wrong[:5])}")
    return {
        "at": _backup.now(),
        "snapshot": snapshot.id,
        "loaded": into.server is not None,
        "tables": len(rows),
        "rows": sum(rows.values()),
        "files": seen.files,
        "equal": seen.equal,
        "moved_on": seen.moved_on,
    }


def choose_next(settings: _backup.Settings) -> str | None:
    """Return which space is next: closed ones without verification first, then who waited longest.

    Among those who never had one, chance decides.
    """
    record = _backup_record.read(settings.work)
    ranks = []
    for slug in _backup.spaces(settings):
        entry = record.get(slug, {})
        if not entry.get("backup"):
            continue
        space = _backup.read_space(settings, slug)
        unverified = entry.get("verification", {}).get("snapshot") != entry["backup"]["snapshot"]
        urgent = space.status == "closed" and unverified
        ranks.append(
            (not urgent, entry.get("verification", {}).get("at", ""), random.random(), slug)
        )
    return min(ranks)[-1] if ranks else None


def sweep(settings: _backup.Settings) -> None:
    """Remove databases that verifications which were cut short have left, where there are any."""
    if not os.path.exists(settings.socket):
        return
    server = _database.local(settings.socket)
    names = (row[0] for row in _database.run(server, "SHOW DATABASES"))
    for name in names:
        if name.startswith(PREFIXES):
            _database.drop(server, name)


def run(settings: _backup.Settings, slugs: t.Sequence[str]) -> _backup.Outcome:
    """Verify the backups of some spaces, one after the other."""
    outcome = _backup.Outcome()
    with _journal.exclusive("backup-verification"):
        _restic.check_reachable(settings.repository)
        sweep(settings)
        for slug in slugs:
            try:
                outcome.done[slug] = verify(settings, slug)
                _backup_record.write(
                    settings.work, slug, verification=outcome.done[slug], unverified=None
                )
            except (
                *(VerificationError, _restic.ResticError, _database.DatabaseError),
                *(_restore_contents.ContentsError, OSError, tarfile.TarError),
            ) as error:
                outcome.failed[slug] = str(error)
                failure = {"at": _backup.now(), "reason": str(error)}
                _backup_record.write(settings.work, slug, unverified=failure)
    return outcome
