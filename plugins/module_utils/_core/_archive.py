# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Unpack a tar or zip archive of code, believing nothing it says about itself.

Only plain files, folders and links that stay inside are taken. Owner, special bits and
write permission of others are never taken from the archive.
"""

from __future__ import annotations

import contextlib
import lzma
import os
import shutil
import stat
import tarfile
import time
import typing as t
import zipfile
import zlib
from dataclasses import dataclass
from functools import partial

FOLDER, FILE, LINK = "folder", "file", "link"
# More than ten times the size of any Nextcloud: an archive bomb.
MAX_BYTES = 8 * 1024**3
MAX_MEMBERS = 500_000
# What the libraries raise for an archive that is none; RuntimeError: encrypted, or packed in a way
# that they do not know.
DAMAGE = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(EOFError, ValueError, RuntimeError),
)


class ArchiveError(Exception):
    """The archive holds something that must not be unpacked."""


@dataclass(frozen=True)
class Member:
    """One entry of an archive, as plain data."""

    name: str
    kind: str
    executable: bool
    size: int
    mtime: float
    target: str = ""


Opened = tuple[Member, t.Callable[[], t.IO[bytes]]]


def check_name(name: str, top: str) -> str:
    """Return the path below the top folder; '' for that folder itself. Pure.

    Raises:
        ArchiveError: it could be written somewhere else.

    """
    parts = name.rstrip("/").split("/")
    if parts[0] == "." and len(parts) > 1:
        parts = parts[1:]
    if name.startswith("/") or "\\" in name or "\0" in name or {"", ".", ".."} & set(parts):
        raise ArchiveError(f"entry {name!r} has a path that is not plain; refused")
    if parts[0] != top:
        raise ArchiveError(f"entry {name!r} is not in the folder {top}/; refused")
    return "/".join(parts[1:])


def check_link(path: str, target: str) -> None:
    """Refuse a link that could lead out of the tree. Pure.

    Only leading `..` are followed: one after a name could climb out through another link.

    Raises:
        ArchiveError: it could.

    """
    parts = target.split("/")
    ups = len([part for part in parts if part == ".."])
    inside = parts[:ups] == [".."] * ups and ups <= path.count("/")
    if not target or target.startswith("/") or "\0" in target or not inside:
        raise ArchiveError(f"link {path!r} points to {target!r}, out of its folder; refused")


@contextlib.contextmanager
def readable() -> t.Iterator[None]:
    """Call an archive damaged that is truncated, changed, or none at all.

    Raises:
        ArchiveError: what is done inside came upon such a place.

    """
    try:
        yield
    except DAMAGE as error:
        # What each kind of compression said is of no use to people.
        said = str(error).partition("\n")[0].rstrip(": ")
        raise ArchiveError(f"the archive cannot be read: {said}") from error
    except OSError as error:
        # A damaged bzip2 stream is an OSError without a number; a full disk has one.
        if error.errno is not None:
            raise
        raise ArchiveError(f"the archive cannot be read: {error}") from error


def members(path: str) -> t.Iterator[Opened]:
    """Read an archive entry by entry: inside `readable`, which says what is wrong with one."""
    yield from zip_members(path) if zipfile.is_zipfile(path) else tar_members(path)


def tar_members(path: str) -> t.Iterator[Opened]:
    """Read a tar archive of any usual compression.

    Raises:
        ArchiveError: an entry is a device or hard link, or has a set-id bit.

    """
    with tarfile.open(path, "r:*") as archive:
        for info in archive:
            if info.mode & (stat.S_ISUID | stat.S_ISGID):
                raise ArchiveError(f"entry {info.name!r} has a set-id bit; refused")
            kind = tar_kind(info)
            if not kind:
                raise ArchiveError(f"entry {info.name!r} is a device or hard link; refused")
            member = Member(
                info.name, kind, bool(info.mode & 0o100), info.size, info.mtime, info.linkname
            )
            yield member, partial(content, archive, info)


def tar_kind(info: tarfile.TarInfo) -> str:
    """Return what an entry is; empty if it is none of those taken. Pure."""
    if info.isdir():
        return FOLDER
    if info.isreg():
        return FILE
    return LINK if info.issym() else ""


def content(archive: tarfile.TarFile, info: tarfile.TarInfo) -> t.IO[bytes]:
    """Open a file of a tar archive."""
    return t.cast("t.IO[bytes]", archive.extractfile(info))


def zip_members(path: str) -> t.Iterator[Opened]:
    """Read a zip archive.

    Raises:
        ArchiveError: an entry is no plain file or folder.

    """
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            mode = info.external_attr >> 16
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR) or mode & 0o6000:
                raise ArchiveError(f"entry {info.filename!r} is not a plain file; refused")
            mtime = time.mktime((*info.date_time, 0, 0, -1))
            kind = FOLDER if info.is_dir() else FILE
            member = Member(info.filename, kind, bool(mode & 0o100), info.file_size, mtime)
            yield member, partial(archive.open, info)


def unpack(path: str, top: str, target: str) -> None:
    """Unpack the folder `top` of an archive as the new folder `target`.

    Raises:
        ArchiveError: it is damaged, or something in it must not be unpacked. What was
            written stays behind for the caller to remove.

    """
    with readable():
        try:
            write(path, top, target)
        except FileExistsError as error:
            raise ArchiveError(f"{error.filename!r} comes twice; refused") from error


def write(path: str, top: str, target: str) -> None:
    """Do the unpacking.

    Raises:
        ArchiveError: something in it must not be unpacked.

    """
    os.makedirs(os.path.dirname(target), mode=0o755, exist_ok=True)
    os.mkdir(target, 0o755)
    folders: dict[str, float] = {"": time.time()}
    links: set[str] = set()
    written = count = 0
    for member, opened in members(path):
        below = check_name(member.name, top)
        count, written = count + 1, written + max(0, member.size)
        if written > MAX_BYTES or count > MAX_MEMBERS:
            raise ArchiveError("it unpacks to more than any Nextcloud; refused")
        if not below and member.kind != FOLDER:
            raise ArchiveError(f"entry {top!r} is not a folder; refused")
        if not below:
            continue
        check_place(below, links)
        for parent in parents(below):
            make_folder(target, parent, folders)
        place(member, below, target, folders, links, opened)
    if count == 0:
        raise ArchiveError(f"it is empty; expected a folder {top}/")
    for folder, mtime in sorted(folders.items(), reverse=True):
        settle(f"{target}/{folder}", 0o755, mtime)


def parents(path: str) -> list[str]:
    """Return the folders above a path, outermost first. Pure."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: end + 1]) for end in range(len(parts))]


def check_place(below: str, links: set[str]) -> None:
    """Refuse an entry that would be written through a link, or over one.

    Raises:
        ArchiveError: it is one.

    """
    if links.intersection([*parents(below), below]):
        raise ArchiveError(f"entry {below!r} lies behind a link of the same archive; refused")


def make_folder(target: str, path: str, folders: dict[str, float]) -> None:
    """Make a folder unless it is there."""
    if path not in folders:
        os.mkdir(f"{target}/{path}", 0o755)
        folders[path] = time.time()


def place(
    member: Member,
    below: str,
    target: str,
    folders: dict[str, float],
    links: set[str],
    opened: t.Callable[[], t.IO[bytes]],
) -> None:
    """Write one entry."""
    path = f"{target}/{below}"
    if member.kind == FOLDER:
        make_folder(target, below, folders)
        folders[below] = member.mtime
    elif member.kind == LINK:
        check_link(below, member.target)
        os.symlink(member.target, path)
        links.add(below)
    else:
        # "xb": an entry that comes twice is refused rather than merged.
        with opened() as source, open(path, "xb") as file:
            shutil.copyfileobj(source, file, 1024 * 1024)
        settle(path, 0o755 if member.executable else 0o644, member.mtime)


def settle(path: str, mode: int, mtime: float) -> None:
    """Give a file or folder its final owner, mode and time, never one in the future.

    Args:
        path: of it.
        mode: its rights, as chmod takes them.
        mtime: a unix time, in seconds.

    """
    if os.geteuid() == 0:
        os.chown(path, 0, 0)
    os.chmod(path, mode)
    stamp = min(mtime, time.time())
    os.utime(path, (stamp, stamp))
