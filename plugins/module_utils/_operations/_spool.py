# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Write one large archive in a stream: bounded memory, a checksum, and room left for others.

The archive grows under a name of its own and gets its final one when it is whole and on the disk.
Folders are walked by descriptors: whoever owns them cannot put a link in their place meanwhile
and have root read something else.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import stat
import tarfile
import typing as t
import zlib
from dataclasses import dataclass, field

# Bytes read, hashed and written at a time.
BLOCK = 1 << 20
# What the disk keeps for everybody else: a share of it, and at least so many bytes.
RESERVE_SHARE, RESERVE_BYTES = 20, 1 << 30
# Bytes after which the room left is looked at again.
LOOK = 64 << 20
# What is not compressed already is, quickly; the rest, most of what people keep, as it is.
EFFORT, NONE = 1, 0
# Bytes of a block that are tried, in so many pieces, and the share of it that counts as a gain.
SAMPLE, PIECES, GAIN = 16 << 10, 4, 0.9
# zlib's number for a stream with gzip's header and checksum.
GZIP = 31
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK a named pipe would be waited for.
FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class SpoolError(Exception):
    """There is no archive, and why."""


@dataclass
class Changed:
    """Files that moved on while they were read."""

    gone: int = 0
    shorter: int = 0


def room(folder: str) -> tuple[int, int]:
    """Return how many bytes may be written into a folder, and how many stay for others."""
    disk = os.statvfs(folder)
    reserve = max(disk.f_blocks * disk.f_frsize // RESERVE_SHARE, RESERVE_BYTES)
    return disk.f_bavail * disk.f_frsize - reserve, reserve


def demand_room(folder: str, need: int) -> None:
    """Make sure that an archive fits, and that the disk is not full afterwards.

    Args:
        folder: where it goes.
        need: bytes that it may take.

    Raises:
        SpoolError: it does not.

    """
    usable, reserve = room(folder)
    if usable < need:
        raise SpoolError(
            f"the archive needs up to {need >> 20} MB in {folder}, {max(usable, 0) >> 20} MB may "
            f"be used there ({reserve >> 20} MB stay free for the spaces): make room, or name a "
            "folder on another disk with -e export_spool=/elsewhere"
        )


class Sink(io.RawIOBase):
    """A file that is hashed as it is written, and that never takes the last room of a disk."""

    def __init__(self, file: t.BinaryIO, folder: str) -> None:
        super().__init__()
        self.file, self.folder = file, folder
        self.digest, self.length = hashlib.sha256(), 0
        self._looked = 0

    def writable(self) -> bool:
        """Tell that it can be written to."""
        return True

    def write(self, data: t.Any) -> int:
        """Write a piece.

        Raises:
            SpoolError: too little room is left for others.

        """
        if self.length - self._looked >= LOOK:
            self._looked = self.length
            if room(self.folder)[0] < 0:
                raise SpoolError(
                    f"the disk of {self.folder} has filled up meanwhile: nothing was exported, and "
                    "what was written is removed. Make room, or name a folder on another disk "
                    "with -e export_spool=/elsewhere"
                )
        self.digest.update(data)
        self.file.write(data)
        self.length += len(data)
        return len(data)


def shrinks(block: bytes) -> bool:
    """Tell whether compressing a block would gain anything, from samples of it. Pure."""
    step = max(len(block) // PIECES, 1)
    size = SAMPLE // PIECES
    sample = b"".join(block[at : at + size] for at in range(0, len(block), step))
    return len(zlib.compress(sample, EFFORT)) < GAIN * len(sample)


class Packer(io.RawIOBase):
    """A gzip file of members, which any reader takes for one: each compressed, or stored as it is.

    Compressing what does not shrink costs ten times the processor time of all the rest.
    """

    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self.sink, self.level = sink, -1
        self._member: t.Any = None

    def writable(self) -> bool:
        """Tell that it can be written to."""
        return True

    def write(self, data: t.Any) -> int:
        """Write a block."""
        level = EFFORT if shrinks(bytes(data)) else NONE
        if level != self.level:
            self.end()
            self.level, self._member = level, zlib.compressobj(level, zlib.DEFLATED, GZIP)
        self.sink.write(self._member.compress(data))
        return len(data)

    def end(self) -> None:
        """End the member that is open."""
        if self._member is not None:
            self.sink.write(self._member.flush())
            self._member = None


class Exactly(io.RawIOBase):
    """A file's content as long as it was when it was opened: longer is cut, shorter is filled."""

    def __init__(self, descriptor: int, size: int) -> None:
        super().__init__()
        self.descriptor, self.left, self.short = descriptor, size, False

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return the next piece: all that is asked for, or all that is left."""
        wanted = self.left if size < 0 else min(size, self.left)
        pieces, missing = [], wanted
        while missing and not self.short:
            data = os.read(self.descriptor, missing)
            self.short = not data
            pieces.append(data)
            missing -= len(data)
        self.left -= wanted
        return b"".join(pieces) + bytes(missing)


@dataclass
class Archive:
    """An archive being written."""

    tar: tarfile.TarFile
    sink: Sink
    changed: Changed = field(default_factory=Changed)

    def add(self, name: str, content: t.Any, size: int, mtime: float = 0) -> None:
        """Add a file; nothing is kept of it in memory."""
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = size, 0o644, int(mtime)
        self.tar.addfile(info, content)
        # What tarfile remembers of each member would grow with their number.
        t.cast("t.Any", self.tar).members = []

    def text(self, name: str, content: str) -> None:
        """Add a text."""
        data = content.encode()
        self.add(name, io.BytesIO(data), len(data))

    def folder(self, name: str, mtime: float) -> None:
        """Add a folder."""
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.mtime = tarfile.DIRTYPE, 0o755, int(mtime)
        self.tar.addfile(info)
        t.cast("t.Any", self.tar).members = []

    def file(self, name: str, parent: int, entry: str) -> bool:
        """Add a plain file of an open folder; tell whether it was there."""
        try:
            descriptor = os.open(entry, FILE_FLAGS, dir_fd=parent)
        except FileNotFoundError:
            self.changed.gone += 1
            return False
        except OSError as error:
            # It is a link or a socket by now.
            if error.errno in {errno.ELOOP, errno.ENXIO}:
                self.changed.gone += 1
                return False
            raise
        try:
            info = os.fstat(descriptor)
            if not stat.S_ISREG(info.st_mode):
                return False
            content = Exactly(descriptor, info.st_size)
            self.add(name, content, info.st_size, info.st_mtime)
            self.changed.shorter += content.short
            return True
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def writing(path: str) -> t.Iterator[Archive]:
    """Write an archive; it gets its name when it is whole, and nothing is left of it if not."""
    part = f"{path}.part"
    opened = os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(opened, "wb") as file:
            sink = Sink(file, os.path.dirname(path))
            packer = Packer(sink)
            options: t.Any = {"bufsize": BLOCK, "copybufsize": BLOCK}
            with tarfile.open(fileobj=t.cast("t.Any", packer), mode="w|", **options) as tar:
                yield Archive(tar, sink)
            packer.end()
            file.flush()
            os.fsync(file.fileno())
        os.rename(part, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
        raise


@contextlib.contextmanager
def opened(*parts: str) -> t.Iterator[int | None]:
    """Open a folder step by step, following no link; None if it is not there, or is a link."""
    descriptor = os.open(parts[0], FOLDER_FLAGS)
    try:
        for part in parts[1:]:
            try:
                below = os.open(part, FOLDER_FLAGS, dir_fd=descriptor)
            except (FileNotFoundError, NotADirectoryError):
                yield None
                return
            except OSError as error:
                if error.errno != errno.ELOOP:
                    raise
                yield None
                return
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def walk(descriptor: int) -> t.Iterator[tuple[str, int, list[str]]]:
    """Return each folder below an open one: its path, a descriptor, and its files' names."""
    for path, _folders, files, below in os.fwalk(".", dir_fd=descriptor):
        yield path[2:], below, files


def measure(descriptor: int) -> tuple[int, int]:
    """Return how many plain files are below an open folder, and their bytes."""
    number = size = 0
    for _path, below, files in walk(descriptor):
        for name in files:
            try:
                info = os.lstat(name, dir_fd=below)
            except FileNotFoundError:
                continue
            if stat.S_ISREG(info.st_mode):
                number, size = number + 1, size + info.st_size
    return number, size


def add_tree(archive: Archive, name: str, descriptor: int) -> int:
    """Add all plain files below an open folder; return how many."""
    number = 0
    for path, below, files in walk(descriptor):
        place = f"{name}/{path}" if path else name
        archive.folder(place, os.fstat(below).st_mtime)
        for entry in sorted(files):
            try:
                plain = stat.S_ISREG(os.lstat(entry, dir_fd=below).st_mode)
            except FileNotFoundError:
                archive.changed.gone += 1
                continue
            number += plain and archive.file(f"{place}/{entry}", below, entry)
    return number
