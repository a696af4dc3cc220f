# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The file systems of the scenario `quota`, and which of them holds the spaces.

Usage: ``python -m tests.support.disks``, once the machine is there.
"""

from __future__ import annotations

from tools import scenario

ROOT = "/srv/spaces"
# An association that stored files before there were limits, a link among them.
EARLIER = "fanfare-des-lilas"
FORMAT = {
    "ext4": "mkfs.ext4 -q -F -O project,quota -E quotatype=prjquota",
    "xfs": "mkfs.xfs -q -f",
}
# Both at every boot; ext4 holds the spaces, XFS waits beside.
PLACES = {"ext4": ROOT, "xfs": "/srv/beside"}
# The sandbox shows folders that other roles make, and names a group of theirs.
OTHERS = """
groupadd --force --system archipel-db
mkdir -p /etc/nginx/conf.d /srv/nextcloud/releases
echo 'd /run/mysqld 0755' >/etc/tmpfiles.d/lab.conf
systemd-tmpfiles --create /etc/tmpfiles.d/lab.conf
"""


def device(name: str) -> str:
    """Return the device of one of the machine's disks."""
    return f"/dev/disk/by-id/virtio-{name}"


def prepare() -> str:
    """Return the shell that makes and mounts both file systems, with files of earlier days."""
    lines = ["set -eu", OTHERS]
    for kind, place in PLACES.items():
        data = f"{place}/{EARLIER}/data/old"
        lines += [
            f"{FORMAT[kind]} {device(kind)}",
            f"mkdir -p {place}",
            f"echo '{device(kind)} {place} {kind} prjquota,nofail 0 0' >>/etc/fstab",
            f"mount -t {kind} -o prjquota {device(kind)} {place}",
            f"mkdir -p {data}",
            f"fallocate -l 20M {data}/film",
            # PHP was ended while it kept an upload.
            f"mkdir -p {place}/{EARLIER}/tmp",
            f"fallocate -l 5M {place}/{EARLIER}/tmp/phpUpload",
            f"ln -s /etc/passwd {data}/link",
            f"ln -s /etc {data}/folder",
            f"mkfifo {data}/pipe",
        ]
    return "\n".join(lines)


def exchange() -> str:
    """Return the shell that lets XFS hold the spaces instead of ext4."""
    return f"""
    set -eu
    umount {ROOT}
    umount {PLACES["xfs"]}
    mount -t xfs -o prjquota {device("xfs")} {ROOT}
    """


if __name__ == "__main__":
    scenario.machine("quota").execute("sh", stdin=prepare())
