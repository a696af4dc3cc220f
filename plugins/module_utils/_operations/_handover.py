# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Exports that associations start themselves: one at a time, and there to be fetched for a week.

A space asks by leaving a file in its folder for temporary files; that it is there is all that is
read of it. The archive is written where root alone looks, on the spaces' own disk, and comes by its
name into a folder of the space that root owns: the space reads it, and can neither change it nor
put a link in its place.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import time
import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal, _layout
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _export,
    _spool,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import JsonObject

REQUEST = "export-wanted"
FOLDER, ARCHIVE, STATE = "export", "export.tar.gz", "state.json"
# Seconds that an archive is kept, and that lie between two exports of a space.
KEPT, PAUSE = 7 * 24 * 3600, 24 * 3600
PLACE = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
ERRORS = (
    *(_export.ExportError, _spool.SpoolError, _database.DatabaseError),
    *(_journal.JournalError, OSError),
)


class HandoverError(Exception):
    """A space's folders are not as the node makes them."""


@contextlib.contextmanager
def opened(name: str, folder: int | None = None) -> t.Iterator[int]:
    """Open a folder without following a link, and close it again."""
    descriptor = os.open(name, PLACE, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def place_of(root: str, slug: str) -> t.Iterator[int]:
    """Open the folder in which a space finds its archive; it is made where it is not there.

    Raises:
        HandoverError: the space could exchange it.

    """
    with opened(_layout.under(root, slug).home) as home, opened("tmp", home) as tmp:
        # Who runs this is root.
        if os.fstat(home).st_uid != os.geteuid():
            raise HandoverError("its folder is not root's: nothing is put into it")
        with contextlib.suppress(FileExistsError):
            os.mkdir(FOLDER, 0o750, dir_fd=home)
        with opened(FOLDER, home) as place:
            os.fchown(place, -1, os.fstat(tmp).st_gid)
            os.fchmod(place, 0o750)
            yield place


def write_state(place: int, **values: t.Any) -> None:
    """Say to the space how far its export is."""
    name = f".{STATE}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, 0o640, dir_fd=place), "w", encoding="utf-8") as file:
        json.dump(values, file)
        os.fchown(file.fileno(), -1, os.fstat(place).st_gid)
        os.fchmod(file.fileno(), 0o640)
    os.rename(name, STATE, src_dir_fd=place, dst_dir_fd=place)


def made_at(root: str, slug: str) -> float | None:
    """Return when a space's archive was made; None: there is none."""
    try:
        info = os.lstat(_layout.under(root, slug).handover_archive)
    except OSError:
        return None
    return info.st_mtime if stat.S_ISREG(info.st_mode) else None


def list_spaces(root: str) -> list[str]:
    """Return the spaces of a node, by name."""
    with os.scandir(root) as entries:
        names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    return sorted(name for name in names if _backup.SLUG.fullmatch(name))


def list_outdated(root: str, slugs: t.Iterable[str], now: float) -> list[str]:
    """Return the spaces whose archive has been there long enough."""
    made = {slug: made_at(root, slug) for slug in slugs}
    return [slug for slug, at in made.items() if at is not None and now - at >= KEPT]


def choose(root: str, slugs: t.Iterable[str]) -> str | None:
    """Return the space that has waited for longest; None: nobody asks."""
    found = []
    for slug in slugs:
        with contextlib.suppress(OSError):
            request = _layout.under(root, slug).handover_request
            found.append((os.lstat(request).st_mtime, slug))
    return min(found)[1] if found else None


def expire(root: str, slug: str) -> None:
    """Remove an archive that was there for a week."""
    with place_of(root, slug) as place:
        for name in (ARCHIVE, STATE):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=place)


def take_away(root: str, slug: str) -> None:
    """Take a request away: it was answered, one way or the other."""
    with opened(_layout.under(root, slug).home) as home, opened("tmp", home) as tmp:
        try:
            os.unlink(REQUEST, dir_fd=tmp)
        except IsADirectoryError:
            # Whatever it holds is the space's own; the name alone is in the way.
            os.rename(REQUEST, f"{REQUEST}.{time.time_ns()}", src_dir_fd=tmp, dst_dir_fd=tmp)
        except FileNotFoundError:
            return


def export(node: _backup.Node, slug: str, now: float) -> str:
    """Make an archive for a space; return what happened, for the journal.

    What is killed in between is gone on with by the next look: the request is still there.
    """
    spool = _layout.handover_spool(node.root)
    with place_of(node.root, slug) as place:
        write_state(place, state="running", at=int(now))
        try:
            made = _export.export(node, slug, slug, spool)
            hand_over(place, made)
        except ERRORS as error:
            write_state(place, state="failed", at=int(now))
            return f"<4>{slug}: no export: {error}"
        finally:
            _export.remove(spool, slug)
        size, until = made["size"], int(time.time()) + KEPT
        write_state(place, state="ready", at=made["made"], until=until, size=size)
    return f"{slug}: export of {size} bytes, kept until {time.strftime('%F', time.gmtime(until))}"


def hand_over(place: int, made: JsonObject) -> None:
    """Let a space have its archive: all of it, or what was there before."""
    with open(made["path"], "rb") as file:
        os.fchown(file.fileno(), -1, os.fstat(place).st_gid)
        os.fchmod(file.fileno(), 0o640)
        os.utime(file.fileno())
    os.rename(made["path"], ARCHIVE, dst_dir_fd=place)
    os.fsync(place)


def look(node: _backup.Node, now: float) -> list[str]:
    """Remove what is old, and make one archive; return what happened, for the journal."""
    slugs = list_spaces(node.root)
    said = []
    for slug in list_outdated(node.root, slugs, now):
        # What is wrong with one space keeps no other waiting.
        try:
            expire(node.root, slug)
        except (HandoverError, OSError) as error:
            said.append(f"<4>{slug}: its old export cannot be removed: {error}")
        else:
            said.append(f"{slug}: its export was there for a week and is gone")
    chosen = choose(node.root, slugs)
    return said if chosen is None else [*said, *_answer(node, chosen, now)]


def _answer(node: _backup.Node, slug: str, now: float) -> list[str]:
    """Make an archive for a space that asks, unless it has one of today."""
    said = []
    made = made_at(node.root, slug)
    if made is None or now - made >= PAUSE:
        try:
            said.append(export(node, slug, now))
        except (HandoverError, OSError) as error:
            said.append(f"<4>{slug}: no export: {error}")
    take_away(node.root, slug)
    return said
