# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Bring one large file from a node: bounded memory, resumable, known by its checksum.

It grows as `<name>.part`, beside a note that says what it will be. Whoever was interrupted goes on
at the length of the part, where the note says that it is the same file. The final name is given
once the checksum is right.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import typing as t
from dataclasses import dataclass
from pathlib import Path

BLOCK = 1 << 20
# Bytes that stay free on the disk of the controller.
RESERVE = 256 << 20
# How often in a row the connection may break without having brought anything.
PATIENCE = 3


class TransferError(Exception):
    """The file is not here; what has come of it is kept for the next run."""


class Broken(Exception):  # noqa: N818
    """The connection ended early; it may be tried again."""


@dataclass(frozen=True)
class Wanted:
    """A file of a node."""

    path: str
    size: int
    sha256: str


# Offset in bytes → the rest of the file from there on, in pieces.
Source = t.Callable[[int], t.Iterable[bytes]]


def part_of(target: Path) -> Path:
    """Return where a file grows. Pure."""
    return target.with_name(f"{target.name}.part")


def note_of(target: Path) -> Path:
    """Return where it is noted which file that is. Pure."""
    return target.with_name(f"{target.name}.part.json")


def begin(target: Path, wanted: Wanted) -> int:
    """Return how much of the file is here already, having noted which file it is."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part, note = part_of(target), note_of(target)
    try:
        same = json.loads(note.read_text(encoding="utf-8")) == vars(wanted)
    except (FileNotFoundError, ValueError):
        same = False
    if same and part.exists() and part.stat().st_size <= wanted.size:
        return part.stat().st_size
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    note.write_text(json.dumps(vars(wanted)), encoding="utf-8")
    return 0


def demand_room(target: Path, missing: int) -> None:
    """Make sure that the rest of a file fits.

    Raises:
        TransferError: it does not.

    """
    free = shutil.disk_usage(target.parent).free
    if free - RESERVE < missing:
        raise TransferError(
            f"{missing >> 20} MB are still to come to {target.parent}, {free >> 20} MB are free "
            f"there, of which {RESERVE >> 20} stay so: make room, or name another folder with "
            "-e export_folder=/elsewhere, and run again: the archive waits on the node"
        )


def append(part: Path, pieces: t.Iterable[bytes]) -> None:
    """Write pieces at the end of a part.

    Raises:
        TransferError: the disk is full.
        Broken: the connection has ended early.

    """
    with part.open("ab") as file:
        try:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        except OSError as error:
            # What cannot be written any more must not be tried again while the file is closed.
            with contextlib.suppress(OSError):
                file.flush()
            raise TransferError(
                f"{part}: {error.strerror}. Make room, and run again: it goes on from here"
            ) from error


def digest(path: Path) -> str:
    """Return the checksum of a file."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            found.update(block)
    return found.hexdigest()


def bring(source: Source, target: Path, wanted: Wanted) -> int:
    """Bring a file; return how many bytes of it were here already.

    Raises:
        TransferError: it is not here, and why; nothing stands under its final name.

    """
    had = length = begin(target, wanted)
    demand_room(target, wanted.size - length)
    part, fruitless, reason = part_of(target), 0, ""
    while length < wanted.size:
        before = length
        try:
            append(part, source(length))
        except Broken as error:
            reason = str(error)
        length = part.stat().st_size
        fruitless = fruitless + 1 if length == before else 0
        if fruitless >= PATIENCE:
            raise TransferError(
                f"the connection broke {fruitless} times in a row at {length >> 20} of "
                f"{wanted.size >> 20} MB ({reason or 'nothing came'}): run again, it goes on from "
                "here"
            )
    settle(target, wanted)
    return had


def settle(target: Path, wanted: Wanted) -> None:
    """Give a file that has come its final name, once its checksum is right.

    Raises:
        TransferError: it is another one; what has come is removed.

    """
    part, note = part_of(target), note_of(target)
    if part.stat().st_size != wanted.size or digest(part) != wanted.sha256:
        part.unlink()
        note.unlink()
        raise TransferError(
            "the checksum of what has come is another one than the node's: it was removed. Run "
            "again; if it happens twice, look at the disks of both nodes"
        )
    part.replace(target)
    note.unlink()
