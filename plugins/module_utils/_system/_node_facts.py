# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What roles must know of a node before they can say what it shall be. Nothing is changed."""

from __future__ import annotations

import os
import re
import subprocess
import typing as t

INIT_LIMITS = "/proc/1/limits"
MEMORY = "/proc/meminfo"
IPV6 = "/proc/net/if_inet6"
MOUNTS = "/proc/self/mounts"
FSTAB = "/etc/fstab"
DISKS = "/sys/block"
# Devices whose I/O is shared out by cost, whatever their scheduler: "8:0 enable=1 ctrl=auto …".
IO_COST = "/sys/fs/cgroup/io.cost.qos"
CONTAINER = ("systemd-detect-virt", "--container", "--quiet")
# Where nobody sees it: in a mount namespace of its own.
PROBE = ("unshare", "--mount", "mount", "-t", "proc", "-o", "hidepid=2", "proc", "/mnt")


class Node(t.TypedDict):
    """A node, as ansible_facts['archipel_node'] has it."""

    # Files that its first process may open: what it can give to a service. 0: without a limit.
    nofile: int
    # Mebibytes.
    memory_mb: int
    ipv6: bool
    # Its kernel is its host's.
    container: bool


class Proc(t.TypedDict):
    """How /proc is mounted."""

    # Whether it could hide the processes of others: a container may refuse such a mount.
    hideable: bool
    # Options of the mount, and those of the line of fstab; empty: there is none.
    mounted: str
    fstab: str


class Disk(t.TypedDict):
    """A disk, and how requests to it are ordered."""

    name: str
    scheduler: str
    # Whether that heeds the weights of control groups.
    weighed: bool


def read_text(path: str) -> str:
    """Return what a file of the kernel, or a table, says; empty if there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def read_node() -> Node:
    """Return what is as it is until the next boot."""
    return {
        "nofile": parse_nofile(read_text(INIT_LIMITS)),
        "memory_mb": parse_memory(read_text(MEMORY)),
        "ipv6": os.path.exists(IPV6),
        "container": succeeds(CONTAINER),
    }


def succeeds(command: t.Sequence[str]) -> bool:
    """Tell whether a program is there and says yes."""
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def parse_nofile(text: str) -> int:
    """Return the hard limit of open files in a text of /proc/<pid>/limits; 0: none. Pure."""
    found = re.search(r"^Max open files\s+\S+\s+(\d+)", text, re.MULTILINE)
    return int(found[1]) if found else 0


def parse_memory(text: str) -> int:
    """Return the memory in /proc/meminfo, in mebibytes. Pure."""
    found = re.search(r"^MemTotal:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) // 1024 if found else 0


def read_proc() -> Proc:
    """Return how /proc is mounted, will be, and could be."""
    return {
        "hideable": succeeds(PROBE),
        "mounted": find_options(read_text(MOUNTS)),
        "fstab": find_options(read_text(FSTAB)),
    }


def find_options(table: str) -> str:
    """Return the options of /proc in a table of mounts: of the last, which lies above. Pure."""
    rows = [line.split() for line in table.splitlines() if not line.startswith("#")]
    found = [row[3] for row in rows if len(row) > 3 and row[1:3] == ["/proc", "proc"]]
    return found[-1] if found else ""


def read_disks() -> list[Disk]:
    """Return the disks of the node, by name; what only lies on top of disks is none."""
    costed = find_costed(read_text(IO_COST))
    names = sorted(os.listdir(DISKS)) if os.path.isdir(DISKS) else []
    found: list[Disk] = []
    for name in names:
        folder = f"{DISKS}/{name}"
        scheduler = parse_scheduler(read_text(f"{folder}/queue/scheduler"))
        if scheduler and os.path.exists(f"{folder}/device"):
            weighed = scheduler == "bfq" or read_text(f"{folder}/dev").strip() in costed
            found.append({"name": name, "scheduler": scheduler, "weighed": weighed})
    return found


def parse_scheduler(text: str) -> str:
    """Return the scheduler in force of those that a queue could have; empty: none said. Pure."""
    found = re.search(r"\[(\S+)\]", text)
    return found[1] if found else ""


def find_costed(text: str) -> set[str]:
    """Return the numbers of the devices that io.cost controls, as 8:0. Pure."""
    return set(re.findall(r"^(\d+:\d+) .*\benable=1\b", text, re.MULTILINE))
