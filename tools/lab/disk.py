# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What a virtual machine boots: a kernel, a first file system in memory, a disk.

All of it is made from Debian packages, once. A virtual machine is slow where its processor
is emulated, so it gets nothing to do at boot that nobody needs.
"""

from __future__ import annotations

import hashlib
import lzma
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tools import ROOT
from tools.lab import LabError, image
from tools.lab.host import require, run

FOLDER = ROOT / "build/lab/disks"
SIZE = "4G"
BUILD_SECONDS = 900
# Beside those of every machine: a kernel, and what a server with disks of its own has.
PACKAGES = (
    *image.PACKAGES,
    "busybox-static",
    "e2fsprogs",
    "kmod",
    "linux-image-cloud-amd64",
    "nftables",
    "udev",
    "xfsprogs",
)
# What the kernel needs to find its disk; built in or a module, as Debian likes.
DRIVERS = ("virtio_pci", "virtio_blk", "ext4")
# The address that qemu's own network gives to its one machine.
NETWORK = """\
[Match]
Type=ether
[Network]
Address=10.0.2.15/24
Gateway=10.0.2.2
"""
RESOLVER = "nameserver 10.0.2.3\n"
# Nobody sits before this machine, and nothing is plugged in.
MASKED_UNITS = (
    "console-getty.service",
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "e2scrub_reap.service",
    "getty@.service",
    "modprobe@.service",
    "serial-getty@.service",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-binfmt.service",
    "systemd-logind.service",
    "systemd-modules-load.service",
    "systemd-network-generator.service",
    "systemd-networkd-persistent-storage.service",
    "systemd-networkd-wait-online.service",
    "systemd-pstore.service",
    "systemd-random-seed.service",
    "systemd-udev-load-credentials.service",
)
# Says a word and ends where only the processor is on trial, else goes on to the disk.
PROBE = "lab.probe"
INIT = f"""\
#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
if /bin/busybox grep -q {PROBE} /proc/cmdline; then
    echo {PROBE}: it works
    /bin/busybox reboot -f
fi
/bin/busybox mount -t devtmpfs dev /dev
for module in $(/bin/busybox cat /modules/order); do /bin/busybox insmod /modules/$module; done
/bin/busybox mount -t ext4 /dev/vda /root || /bin/busybox reboot -f
/bin/busybox umount /proc
exec /bin/busybox switch_root /root /sbin/init
"""


@dataclass(frozen=True)
class Disk:
    """The three files."""

    folder: Path

    @property
    def kernel(self) -> Path:
        """What qemu starts."""
        return self.folder / "vmlinuz"

    @property
    def initrd(self) -> Path:
        """The first file system, with the drivers of the disk."""
        return self.folder / "initrd"

    @property
    def root(self) -> Path:
        """The disk: copied for each machine."""
        return self.folder / "root.img"


def ensure(suite: str) -> Disk:
    """Return the files for a Debian suite; make them when they are not there."""
    sources = image.apt_sources(suite)
    parts = [sources, INIT, SIZE, *_bootstrap_command(suite, Path("tree"))]
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
    disk = Disk(FOLDER / f"{suite}-{digest}")
    if not disk.root.exists():
        require("mmdebstrap", "mkfs.ext4")
        # Not among the answers: what is printed there is JSON.
        print(f"Building the Debian {suite} disk; this is done once.", file=sys.stderr, flush=True)
        _build(suite, sources, disk)
    return disk


def _build(suite: str, sources: str, disk: Disk) -> None:
    """Make the tree, take kernel and drivers out of it, and make a disk of the rest."""
    tree = disk.folder / "tree"
    shutil.rmtree(disk.folder, ignore_errors=True)
    disk.folder.mkdir(parents=True)
    try:
        run(_bootstrap_command(suite, tree), stdin=sources, timeout=BUILD_SECONDS)
        kernel = next((tree / "boot").glob("vmlinuz-*"))
        shutil.copyfile(kernel, disk.kernel)
        disk.initrd.write_bytes(archive(_first_files(tree, kernel.name.split("-", 1)[1])))
        beside = disk.root.with_suffix(".part")
        run(["truncate", f"--size={SIZE}", beside])
        run(["mkfs.ext4", "-q", "-F", "-d", tree, beside], timeout=BUILD_SECONDS)
        # Last: a disk that is there is complete.
        beside.rename(disk.root)
    except LabError as error:
        raise LabError(
            f"the Debian {suite} disk could not be made. It used these apt sources:\n{sources}"
            f"Making it takes root's rights, for the owners of its files.\n{error}"
        ) from error
    finally:
        shutil.rmtree(tree, ignore_errors=True)


def _bootstrap_command(suite: str, tree: Path) -> list[str]:
    """Return mmdebstrap's command line; it reads the sources from standard input."""
    network = "$1/etc/systemd/network/10-lab.network"
    hooks = [
        *image.hooks(),
        f"cat > \"{network}\" <<'NETWORK'\n{NETWORK}NETWORK",
        f'rm -f "$1/etc/resolv.conf"; printf %b {RESOLVER!r} > "$1/etc/resolv.conf"',
        'chroot "$1" systemctl enable systemd-networkd.service',
        f'chroot "$1" systemctl mask {" ".join(MASKED_UNITS)}',
        # Caches of the libraries and the journal are as new as the packages.
        'touch "$1/etc/.updated" "$1/var/.updated"',
    ]
    return [
        # The initial file system is made here, from less.
        *("env", "INITRD=No", "mmdebstrap", "--quiet", "--variant=minbase", "--format=directory"),
        f"--include={','.join(PACKAGES)}",
        *("--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*"),
        *image.apt_options(),
        *(f"--customize-hook={hook}" for hook in hooks),
        suite,
        str(tree),
        "-",
    ]


def _first_files(tree: Path, version: str) -> Iterator[tuple[str, bytes, int]]:
    """Yield name, content and mode of everything in the first file system."""
    for folder in ("bin", "dev", "modules", "proc", "root"):
        yield folder, b"", 0o040755
    yield "bin/busybox", (tree / "bin/busybox").read_bytes(), 0o100755
    yield "init", INIT.encode(), 0o100755
    modules = tree / "lib/modules" / version
    paths = drivers((modules / "modules.dep").read_text(encoding="utf-8"))
    names = [Path(path).name.removesuffix(".xz") for path in paths]
    yield "modules/order", "\n".join(names).encode(), 0o100644
    for path, name in zip(paths, names, strict=True):
        data = (modules / path).read_bytes()
        yield f"modules/{name}", lzma.decompress(data) if path.endswith(".xz") else data, 0o100644


def drivers(dependencies: str) -> list[str]:
    """Return the modules to load, in order, from the text of modules.dep."""
    needs = dict(line.split(":", 1) for line in dependencies.splitlines() if ":" in line)
    found: list[str] = []
    for path, rest in needs.items():
        if Path(path).name.split(".")[0] in DRIVERS:
            # What a module needs is listed from the nearest to the deepest.
            found += [*reversed(rest.split()), path]
    return list(dict.fromkeys(found))


def archive(files: Iterable[tuple[str, bytes, int]]) -> bytes:
    """Return files as the kernel reads them at boot: cpio, "newc" format."""
    parts: list[bytes] = []
    for number, (name, data, mode) in enumerate([*files, ("TRAILER!!!", b"", 0)], start=1):
        encoded = name.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
        parts += [_padded(head), _padded(data)]
    return b"".join(parts)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def remove_all() -> list[str]:
    """Remove every disk that was made for virtual machines."""
    found = [path.name for path in FOLDER.iterdir()] if FOLDER.is_dir() else []
    shutil.rmtree(FOLDER, ignore_errors=True)
    return found


def place(disk: Path, files: Iterable[tuple[str, Path, int]]) -> None:
    """Put files of this host into a copy of the disk: path, source and mode; root's."""
    require("debugfs")
    lines: list[str] = []
    for path, source, mode in files:
        lines += [
            f"rm {path}",
            f"write {source} {path}",
            f"set_inode_field {path} mode 0{0o100000 | mode:o}",
            f"set_inode_field {path} uid 0",
            f"set_inode_field {path} gid 0",
        ]
    run(["debugfs", "-w", "-f", "-", disk], stdin="\n".join([*lines, ""]))
