# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Submissions that wait in a folder of a node: read many at a time, removed by their names.

The folder belongs to a program that strangers talk to. What is no plain file of the right name is
never opened, followed or removed.
"""

from __future__ import annotations

import os
import re
import stat
import typing as t

# What the receiver calls them; no name leads anywhere else.
NAME = re.compile(r"[0-9a-f]{32}\.json")
# Bytes of one, and of all that are handed over at a time.
LARGEST, MOST = 256 * 1024, 8 << 20


class Found(t.NamedTuple):
    """Some of the files of a folder."""

    # Name → bytes.
    files: dict[str, bytes]
    # Name → what is wrong with it.
    refused: dict[str, str]
    # The name after which the next ones come; empty: these are all.
    last: str

    def texts(self) -> dict[str, str]:
        """Return the files as JSON takes them: strangers' bytes need not be text."""
        return {name: data.decode("latin-1") for name, data in self.files.items()}


NONE = Found({}, {}, "")


def read(folder: str, after: str = "", most: int = MOST) -> Found:
    """Return the files of a folder, by name, as many as are handed over at a time.

    Args:
        folder: where they are; it need not be there.
        after: the name after which to begin.
        most: bytes that are enough.

    Raises:
        OSError: it is no folder, or cannot be read.

    """
    files: dict[str, bytes] = {}
    refused: dict[str, str] = {}
    try:
        place = _open(folder)
    except FileNotFoundError:
        return Found(files, refused, "")
    try:
        size = 0
        for name in sorted(one for one in os.listdir(place) if NAME.fullmatch(one) and one > after):
            data, wrong = _read(place, name)
            if wrong:
                refused[name] = wrong
            else:
                files[name] = data
            size += len(data)
            if size >= most:
                return Found(files, refused, name)
    finally:
        os.close(place)
    return Found(files, refused, "")


def _open(folder: str) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _read(place: int, name: str) -> tuple[bytes, str]:
    """Return a file, or what is wrong with it."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(name, flags, dir_fd=place)
    except OSError as error:
        return b"", f"cannot be read ({error.strerror}); a link is never followed"
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return b"", "is no plain file"
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(LARGEST + 1)
    finally:
        os.close(descriptor)
    return (data, "") if len(data) <= LARGEST else (b"", f"has more than {LARGEST} bytes")


def remove(folder: str, names: t.Iterable[str], *, check: bool) -> list[str]:
    """Remove files by name, for good also over a power cut; return those that were there.

    Raises:
        ValueError: a name is none of a submission.
        OSError: one cannot be removed.

    """
    wanted = sorted(set(names))
    if wrong := [name for name in wanted if not NAME.fullmatch(name)]:
        raise ValueError(f"{wrong[0]!r} is no name of a submission")
    try:
        place = _open(folder)
    except FileNotFoundError:
        return []
    try:
        present = set(os.listdir(place))
        found = [name for name in wanted if name in present]
        for name in [] if check else found:
            os.unlink(name, dir_fd=place)
        os.fsync(place)
    finally:
        os.close(place)
    return found
