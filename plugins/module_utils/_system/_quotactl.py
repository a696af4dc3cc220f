# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Project quotas of ext4 and XFS, asked from the kernel itself.

Both file systems answer the same system calls: a limit or a use is one call and no
process, an error has a number, and nothing is parsed. Standard library alone: the program that
reports the use of all spaces is installed beside a copy of this file.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass

# quotactl_fd(2): the same number on every architecture since it came, in Linux 5.14.
SYS_QUOTACTL_FD = 443
PROJECT = 2
Q_GETQUOTA, Q_SETQUOTA, Q_GETNEXTQUOTA, Q_XGETQSTATV = 0x800007, 0x800008, 0x800009, 0x5808
# struct if_dqblk: limits of blocks in KiB, hard then soft; use in bytes; the same for files.
DQBLK = struct.Struct("=8QI4x")
# struct if_nextdqblk: the same, and in the last place whose it is.
NEXT_DQBLK = struct.Struct("=8QII")
BLOCK = 1024
# Which fields of it count: both kinds of limits.
QIF_LIMITS = 0b101
# struct fs_quota_statv: its version, and flags of what is counted and what is enforced.
STATV_SIZE, STATV_VERSION = 160, 1
STATV_HEAD = struct.Struct("=bBH")
COUNTED, ENFORCED = 0x10, 0x20

# struct fsxattr: flags, extent size, extents, project, copy-on-write extent size.
FSXATTR = struct.Struct("=5I8x")
FS_IOC_FSGETXATTR, FS_IOC_FSSETXATTR = 0x801C581F, 0x401C5820
INHERIT = 0x200


@dataclass(frozen=True)
class Quota:
    """What a project uses and what it may use; a limit of 0 is none."""

    used_bytes: int = 0
    files: int = 0
    limit_bytes: int = 0
    limit_files: int = 0
    soft: bool = False


@dataclass(frozen=True)
class Tag:
    """The project of a file or directory, and whether what is made in it gets the same."""

    project: int
    inherit: bool


@contextmanager
def opened(path: str) -> t.Iterator[int]:
    """Open a directory for the calls below; a link in its place is refused.

    Raises:
        OSError: there is none, or it is a link or something else.

    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.argtypes = [ctypes.c_long, *[ctypes.c_uint] * 3, ctypes.c_void_p]


def _call(descriptor: int, command: int, project: int, buffer: ctypes.Array[ctypes.c_char]) -> None:
    """Ask the kernel about a project of the file system that an open directory is on.

    Raises:
        OSError: the system says no.

    """
    if _LIBC.syscall(SYS_QUOTACTL_FD, descriptor, command << 8 | PROJECT, project, buffer):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def state(descriptor: int) -> tuple[bool, bool]:
    """Return whether the file system counts what projects use, and whether limits hold."""
    head = STATV_HEAD.pack(STATV_VERSION, 0, 0)
    buffer = ctypes.create_string_buffer(head, STATV_SIZE)
    try:
        _call(descriptor, Q_XGETQSTATV, 0, buffer)
    except OSError as error:
        if error.errno in {errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTBLK}:
            return False, False
        raise
    flags = STATV_HEAD.unpack_from(buffer)[2]
    return bool(flags & COUNTED), bool(flags & ENFORCED)


def read(descriptor: int, project: int) -> Quota:
    """Return a project's use and limits."""
    buffer = ctypes.create_string_buffer(DQBLK.size)
    try:
        _call(descriptor, Q_GETQUOTA, project, buffer)
    except OSError as error:
        # XFS knows nothing of a project that never had a file or a limit.
        if error.errno == errno.ENOENT:
            return Quota()
        raise
    hard, soft, used, files_hard, files_soft, files, *_ = DQBLK.unpack(buffer)
    return Quota(used, files, hard * BLOCK, files_hard, bool(soft or files_soft))


def limited(descriptor: int, projects: range) -> list[int]:
    """Return the projects of a range that have a limit or files: one call for each of them."""
    found, number = [], projects.start
    while number in projects:
        buffer = ctypes.create_string_buffer(NEXT_DQBLK.size)
        try:
            _call(descriptor, Q_GETNEXTQUOTA, number, buffer)
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.ESRCH}:
                break
            raise
        hard, _, used, files_hard, _, files, _, _, _, number = NEXT_DQBLK.unpack(buffer)
        if number in projects and any((hard, used, files_hard, files)):
            found.append(number)
        number += 1
    return found


def limit(descriptor: int, project: int, limit_bytes: int, limit_files: int) -> None:
    """Set a project's hard limits, and no soft ones: ext4 shows people the lower of the two.

    Args:
        descriptor: of an open directory of the file system.
        project: its number.
        limit_bytes: in bytes, rounded up to whole blocks; 0: none.
        limit_files: number of files and folders; 0: any.

    """
    blocks = -(-limit_bytes // BLOCK)
    buffer = ctypes.create_string_buffer(
        DQBLK.pack(blocks, 0, 0, limit_files, 0, 0, 0, 0, QIF_LIMITS), DQBLK.size
    )
    _call(descriptor, Q_SETQUOTA, project, buffer)


def tag(descriptor: int) -> Tag:
    """Return the project of an open file or directory."""
    flags, _, _, project, _ = FSXATTR.unpack(
        fcntl.ioctl(descriptor, FS_IOC_FSGETXATTR, bytes(FSXATTR.size))
    )
    return Tag(project, bool(flags & INHERIT))


def set_tag(descriptor: int, wanted: Tag) -> None:
    """Give an open file or directory its project; its other attributes stay."""
    old = fcntl.ioctl(descriptor, FS_IOC_FSGETXATTR, bytes(FSXATTR.size))
    flags, size, extents, _, cow = FSXATTR.unpack(old)
    flags = flags | INHERIT if wanted.inherit else flags & ~INHERIT
    new = FSXATTR.pack(flags, size, extents, wanted.project, cow)
    fcntl.ioctl(descriptor, FS_IOC_FSSETXATTR, new)
