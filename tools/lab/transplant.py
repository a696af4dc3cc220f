# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Disks of a virtual machine, made of a container.

An emulated processor takes an hour to install what a container has in minutes, and only what the
kernel keeps differs between them: so a node is installed in a container, and boots here.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tools.lab import LabError, disk
from tools.lab.host import podman, require, run
from tools.lab.machine import Machine

# A container needs neither: its devices are its host's.
PACKAGES = ("e2fsprogs", "kmod", "udev")
EXPORT_SECONDS = 900


def make(
    machine: Machine, suite: str, folder: Path, disks: Mapping[str, tuple[str, str]]
) -> disk.Disk:
    """Make what a virtual machine boots of a container, which is stopped.

    Args:
        machine: the container.
        suite: Debian's name of its release.
        folder: where the files are made; what is there goes.
        disks: further disks by name: the folder of the container that each has, an ext4 with
            project quotas mounted there, and its size.

    Returns:
        What `VirtualMachine.up` takes.

    """
    require("debugfs", "mkfs.ext4", "tar")
    boot, made = disk.ensure(suite), disk.Disk(folder)
    tree = folder / "tree"
    shutil.rmtree(folder, ignore_errors=True)
    tree.mkdir(parents=True)
    machine.execute(
        "sh", "-c", f"apt-get -qq update && apt-get -qq install -y {' '.join(PACKAGES)} >/dev/null"
    )
    run([*podman(), "stop", "--time", "60", machine.container], timeout=120)
    try:
        _unpack(machine, tree)
        _adapt(tree, machine.name, boot)
        with (tree / "etc/fstab").open("a", encoding="utf-8") as fstab:
            for name, (place, _size) in disks.items():
                fstab.write(f"/dev/disk/by-id/virtio-{name} {place} ext4 prjquota,nofail 0 0\n")
        for name, (place, size) in disks.items():
            _format(made.folder / f"{name}.img", size, tree / place.lstrip("/"), quotas=True)
            shutil.rmtree(tree / place.lstrip("/"))
            (tree / place.lstrip("/")).mkdir()
        for file in (boot.kernel, boot.initrd):
            shutil.copyfile(file, folder / file.name)
        _format(made.root, disk.SIZE, tree)
    finally:
        shutil.rmtree(tree, ignore_errors=True)
    return made


def _unpack(machine: Machine, tree: Path) -> None:
    """Copy all files of a container that is stopped."""
    export = [*podman(), "export", machine.container]
    with subprocess.Popen(export, stdout=subprocess.PIPE) as exporting:
        unpacked = subprocess.run(
            ["tar", "--extract", "--numeric-owner", "--xattrs", f"--directory={tree}"],
            stdin=exporting.stdout,
            timeout=EXPORT_SECONDS,
            check=False,
        )
    if exporting.returncode or unpacked.returncode:
        raise LabError(f"{machine.container} could not be copied to {tree} (see above)")


def _adapt(tree: Path, name: str, boot: disk.Disk) -> None:
    """Give a tree what a container has from outside: modules, a network, names."""
    modules = tree / "usr/lib/modules"
    shutil.rmtree(modules, ignore_errors=True)
    run(["debugfs", "-R", f"rdump /usr/lib/modules {modules.parent}", boot.root], timeout=300)
    if not any(modules.glob("*/modules.dep")):
        raise LabError(f"{boot.root} has no modules of its kernel in /usr/lib/modules")
    network = tree / "etc/systemd/network"
    network.mkdir(parents=True, exist_ok=True)
    (network / "10-lab.network").write_text(disk.NETWORK, encoding="utf-8")
    for file, text in (
        ("resolv.conf", disk.RESOLVER),
        ("hostname", f"{name}\n"),
        ("hosts", f"127.0.0.1 localhost\n127.0.1.1 {name}\n"),
    ):
        path = tree / "etc" / file
        path.unlink(missing_ok=True)
        path.write_text(text, encoding="utf-8")
    system = [f"--root={tree}"]
    run(["systemctl", *system, "enable", "systemd-networkd.service"])
    run(["systemctl", *system, "mask", *disk.MASKED_UNITS])


def _format(path: Path, size: str, tree: Path, *, quotas: bool = False) -> None:
    """Make an ext4 of a tree."""
    run(["truncate", f"--size={size}", path])
    options = ["-O", "project,quota", "-E", "quotatype=prjquota"] if quotas else []
    run(["mkfs.ext4", "-q", "-F", *options, "-d", tree, path], timeout=disk.BUILD_SECONDS)
