# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Which file system holds the spaces, and what is said where no limit would hold."""

from __future__ import annotations

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._system import _filesystem
from ansible_collections.archipel.spaces.plugins.module_utils._system._filesystem import (
    Filesystem,
    FilesystemError,
    Mount,
)

MOUNTINFO = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 254:16 / /srv rw,relatime shared:2 master:1 - xfs /dev/mapper/big\\040disk rw,prjquota
31 30 254:32 / /srv/spaces\\011x rw - ext4 /dev/vdc rw
32 22 0:25 / /srv rw - tmpfs tmpfs rw
a line that is none
"""


def test_mounts_are_read_with_their_escapes():
    assert _filesystem.parse(MOUNTINFO) == [
        Mount("/", "ext4", "/dev/vda"),
        Mount("/srv", "xfs", "/dev/mapper/big disk"),
        Mount("/srv/spaces\tx", "ext4", "/dev/vdc"),
        Mount("/srv", "tmpfs", "tmpfs"),
    ]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/home", "ext4"),
        ("/srvother", "ext4"),
        # What was mounted later lies on top.
        ("/srv", "tmpfs"),
        ("/srv/spaces", "tmpfs"),
    ],
)
def test_a_path_is_on_the_nearest_mount_above_it(path, kind):
    assert _filesystem.find_mount(path, _filesystem.parse(MOUNTINFO)).type == kind


def test_a_directory_that_is_still_to_be_made_is_where_its_parent_is(tmp_path):
    assert _filesystem.find_existing(str(tmp_path / "a/b/c")) == str(tmp_path)


def test_this_very_machine_can_be_read(tmp_path):
    found = _filesystem.find(str(tmp_path / "spaces"))
    assert str(tmp_path).startswith(found.point)
    assert found.enforced <= found.counted


def found(kind="ext4", counted=False, enforced=False, point="/srv"):
    return Filesystem("/srv/spaces", point, kind, "/dev/vdb", counted, enforced)


@pytest.mark.parametrize("backend", ["auto", "ext4"])
def test_enforced_limits_are_fine(backend):
    _filesystem.check(found(counted=True, enforced=True), backend)


@pytest.mark.parametrize(
    ("machine", "backend", "words"),
    [
        (
            found(),
            "auto",
            [
                "It has no project quotas",
                "umount /srv; tune2fs -O project,quota -Q prjquota /dev/vdb; "
                "in /etc/fstab add prjquota to the options of /srv; mount /srv",
            ],
        ),
        (
            found(point="/"),
            "auto",
            ["from a rescue system; tune2fs -O project,quota", "boot again"],
        ),
        (
            found(counted=True),
            "auto",
            [
                "It counts what projects use, but no limit holds",
                "add prjquota to the options of /srv",
                "umount /srv; mount /srv",
                "quotaon -P /srv",
            ],
        ),
        (
            found("xfs"),
            "auto",
            [
                "mounted without project quotas",
                "in /etc/fstab add prjquota",
                "umount /srv; mount /srv",
                "a remount changes nothing",
            ],
        ),
        (found("xfs", counted=True), "xfs", ["mounted without project quotas"]),
        (found("xfs", point="/"), "auto", ["rootflags=prjquota"]),
        (
            found("btrfs"),
            "auto",
            ["found btrfs, allowed: ext4 or xfs", "archipel_quota_backend: none"],
        ),
        (found("overlay"), "ext4", ["found overlay, allowed: ext4 or xfs"]),
        (found(counted=True, enforced=True), "xfs", ["archipel_quota_backend says xfs"]),
        (found(counted=True, enforced=True), "zfs", ["'zfs': allowed: auto, ext4, xfs, none"]),
    ],
)
def test_a_machine_without_limits_is_refused_with_its_remedy(machine, backend, words):
    with pytest.raises(FilesystemError) as refused:
        _filesystem.check(machine, backend)
    assert [word for word in words if word not in str(refused.value)] == []
