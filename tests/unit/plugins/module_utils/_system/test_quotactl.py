# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The system calls of project quotas: their shapes, and what this machine answers."""

from __future__ import annotations

import ctypes
import errno
import os

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._system import _quotactl


def test_structures_have_the_kernels_sizes():
    """As <linux/quota.h>, <linux/dqblk_xfs.h> and <linux/fs.h> lay them out."""
    assert (_quotactl.DQBLK.size, _quotactl.FSXATTR.size, _quotactl.STATV_HEAD.size) == (72, 28, 4)
    # Direction, size, 'X' and number: what _IOR and _IOW make of them.
    size, group = 28 << 16, ord("X") << 8
    numbers = (_quotactl.FS_IOC_FSGETXATTR, _quotactl.FS_IOC_FSSETXATTR)
    assert numbers == (2 << 30 | size | group | 31, 1 << 30 | size | group | 32)


@pytest.fixture
def calls(monkeypatch):
    """What is asked of the kernel; answers are put into the buffer."""
    seen = []

    def call(_descriptor, command, project, buffer):
        seen.append((command, project, bytes(buffer)))

    monkeypatch.setattr(_quotactl, "_call", call)
    return seen


@pytest.mark.parametrize(("limit", "blocks"), [(42949672960, 41943040), (1025, 2), (1, 1)])
def test_limits_are_hard_and_in_whole_blocks(calls, limit, blocks):
    _quotactl.limit(3, 70003, limit, 100)
    ((command, project, data),) = calls
    assert (command, project) == (_quotactl.Q_SETQUOTA, 70003)
    assert _quotactl.DQBLK.unpack(data) == (blocks, 0, 0, 100, 0, 0, 0, 0, 0b101)


def answering(monkeypatch, data: bytes):
    def call(_descriptor, _command, _project, buffer):
        ctypes.memmove(buffer, data, len(data))

    monkeypatch.setattr(_quotactl, "_call", call)


def failing(monkeypatch, number):
    def call(*_arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(_quotactl, "_call", call)


def test_use_and_limits_are_read_in_bytes(monkeypatch):
    answering(monkeypatch, _quotactl.DQBLK.pack(1024, 0, 8192, 100, 0, 7, 0, 0, 0))
    assert _quotactl.read(3, 70003) == _quotactl.Quota(8192, 7, 1048576, 100, soft=False)


def test_soft_limits_are_seen(monkeypatch):
    answering(monkeypatch, _quotactl.DQBLK.pack(1024, 512, 0, 0, 0, 0, 0, 0, 0))
    assert _quotactl.read(3, 70003).soft


def test_a_project_that_xfs_never_saw_uses_nothing(monkeypatch):
    failing(monkeypatch, errno.ENOENT)
    assert _quotactl.read(3, 70003) == _quotactl.Quota()


def test_other_errors_of_reading_are_not_hidden(monkeypatch):
    failing(monkeypatch, errno.EPERM)
    with pytest.raises(PermissionError):
        _quotactl.read(3, 70003)
    with pytest.raises(PermissionError):
        _quotactl.state(3)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [(0x3F, (True, True)), (0x10, (True, False)), (0x0F, (False, False)), (0, (False, False))],
)
def test_to_be_counted_is_not_to_be_limited(monkeypatch, flags, expected):
    answering(monkeypatch, _quotactl.STATV_HEAD.pack(1, 0, flags))
    assert _quotactl.state(3) == expected


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EINVAL])
def test_a_file_system_without_quotas_keeps_no_limit(monkeypatch, number):
    failing(monkeypatch, number)
    assert _quotactl.state(3) == (False, False)


def test_a_link_is_not_opened(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    with (
        pytest.raises(OSError, match="Not a directory"),
        _quotactl.opened(str(tmp_path / "link")),
    ):
        pass


def test_a_memory_file_system_says_that_it_has_none():
    """A real call: /proc never had quotas."""
    with _quotactl.opened("/proc") as descriptor:
        assert _quotactl.state(descriptor) == (False, False)
