# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The file system that holds the spaces: which it is, and whether it keeps limits."""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import asdict, dataclass

from ansible_collections.archipel.spaces.plugins.module_utils._system import _quotactl

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import Facts

MOUNTINFO = "/proc/self/mountinfo"
BACKENDS = ("auto", "ext4", "xfs", "none")
LIMITING = ("ext4", "xfs")
ESCAPED = re.compile(r"\\([0-7]{3})")
UNLIMITED = (
    "No storage limit holds on this node: archipel_quota_backend is none. Any space can fill "
    "the disk that all share. For more than a demonstration put {path} on ext4 or XFS with project "
    "quotas (docs/limits.md) and set auto."
)


class FilesystemError(Exception):
    """Limits would not hold here; the text says what to do."""


@dataclass(frozen=True)
class Mount:
    """One line of /proc/self/mountinfo."""

    point: str
    type: str
    source: str


@dataclass(frozen=True)
class Filesystem:
    """What a directory is on."""

    path: str
    point: str
    type: str
    source: str
    counted: bool
    enforced: bool
    # Mounts below the directory.
    mounts_below: tuple[str, ...] = ()

    def facts(self) -> Facts:
        """Return what a module hands to Ansible."""
        return asdict(self)


def unescape(text: str) -> str:
    """Return a field of mountinfo without its escapes. Pure."""
    return ESCAPED.sub(lambda match: chr(int(match[1], 8)), text)


def parse(text: str) -> list[Mount]:
    """Return the mounts of a mountinfo file, in its order: later ones lie on top. Pure."""
    mounts = []
    for line in text.splitlines():
        front, dash, back = line.partition(" - ")
        fields, rest = front.split(), back.split()
        if dash and len(fields) > 4 and len(rest) > 1:
            mounts.append(Mount(unescape(fields[4]), rest[0], unescape(rest[1])))
    return mounts


def find_mount(path: str, mounts: t.Iterable[Mount]) -> Mount:
    """Return the mount that a path is on. Pure."""
    around = [m for m in mounts if m.point == "/" or f"{path}/".startswith(f"{m.point}/")]
    longest = max((len(m.point) for m in around), default=0)
    return [m for m in around if len(m.point) == longest][-1]


def find_existing(path: str) -> str:
    """Return the path, or the nearest folder around it that is there."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def find(path: str) -> Filesystem:
    """Look at what a directory is on, or will be once it is made."""
    real = os.path.realpath(path)
    with open(MOUNTINFO, encoding="utf-8", errors="surrogateescape") as file:
        mounts = parse(file.read())
    mount = find_mount(real, mounts)
    counted = enforced = False
    if mount.type in LIMITING:
        with _quotactl.opened(find_existing(real)) as descriptor:
            counted, enforced = _quotactl.state(descriptor)
    below = tuple(sorted(m.point for m in mounts if m.point.startswith(f"{real}/")))
    return Filesystem(path, mount.point, mount.type, mount.source, counted, enforced, below)


def check(found: Filesystem, backend: str) -> None:
    """Refuse a file system on which limits would not hold. Pure.

    Raises:
        FilesystemError: it is one.

    """
    where = f"{found.path} is on {found.source}, {found.type}, mounted at {found.point}"
    if backend not in BACKENDS:
        raise FilesystemError(f"quota backend {backend!r}: allowed: {', '.join(BACKENDS)}")
    if found.type not in LIMITING:
        raise FilesystemError(
            f"{where}. Storage limits need project quotas that Nextcloud can see: found "
            f"{found.type}, allowed: ext4 or xfs. Mount one of them there, with the option "
            "prjquota. Without limits, for a demonstration only: archipel_quota_backend: none"
        )
    if backend not in ("auto", found.type):
        raise FilesystemError(
            f"{where}; archipel_quota_backend says {backend}. Mend one of the two"
        )
    if not found.enforced:
        raise FilesystemError(f"{where}. {explain_remedy(found)}")


def explain_remedy(found: Filesystem) -> str:
    """Return what makes limits hold on a file system that could. Pure."""
    fstab = f"in /etc/fstab add prjquota to the options of {found.point}"
    root = found.point == "/"
    if found.type == "xfs":
        how = (
            "add rootflags=prjquota to GRUB_CMDLINE_LINUX in /etc/default/grub; update-grub; reboot"
            if root
            else f"{fstab}; umount {found.point}; mount {found.point} (a remount changes nothing)"
        )
        return f"It is mounted without project quotas. Enable them: {how}"
    if found.counted:
        return (
            "It counts what projects use, but no limit holds: the mount option prjquota is "
            f"missing. Enable it: {fstab}; then umount {found.point}; mount {found.point}, or "
            f"without a pause quotaon -P {found.point} (package quota)"
        )
    offline = "from a rescue system" if root else f"umount {found.point}"
    again = "boot again" if root else f"mount {found.point}"
    return (
        f"It has no project quotas. Enable them: {offline}; "
        f"tune2fs -O project,quota -Q prjquota {found.source}; {fstab}; {again}"
    )
