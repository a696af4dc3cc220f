# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What this host can do, asked from the host itself rather than assumed."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from tools.lab import LabError

# Spaces have unix ids from 70000 on; a rootless podman must be able to map them.
HIGHEST_ID = 79999
# What podman asks for when nothing is said.
PODMAN_DEFAULT_LIMIT = 1048576
# What it falls back to for itself; a container cannot have more than its parent.
PODMAN_OWN_PROCESSES = 32768


def run(command: Sequence[str | Path], *, stdin: str | None = None, timeout: float = 120) -> str:
    """Run a command, return what it printed, and fail with everything it said."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            input=stdin if stdin is not None else "",
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LabError(f"no answer in {timeout:.0f} s: {_shown(command)}") from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise LabError(f"exit code {done.returncode}: {_shown(command)}\n{said}")
    return done.stdout


def _shown(command: Sequence[str | Path]) -> str:
    return " ".join(str(part) for part in command)


def require(*programs: str) -> None:
    """Name every missing program at once, with the way to get them."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        raise LabError(
            f"missing on this host: {', '.join(missing)}. "
            "On Debian 'make host' installs them; elsewhere use the system's packages."
        )


@cache
def unified_cgroups() -> bool:
    """Tell whether the host runs cgroup v2 alone."""
    return Path("/sys/fs/cgroup/cgroup.controllers").exists()


def podman() -> list[str]:
    """Return podman with a runtime that works on this host.

    crun refuses systemd containers where cgroup v1 is mounted beside v2; runc does not.
    """
    if unified_cgroups():
        require("podman")
        return ["podman"]
    require("podman", "runc")
    return ["podman", "--runtime", "runc"]


def init_arguments() -> list[str]:
    """Return what systemd needs to hear to boot on this host's cgroups.

    From version 256 on systemd refuses cgroup v1 unless told so; older ones ignore the word.
    """
    return [] if unified_cgroups() else ["SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"]


def limit_options() -> list[str]:
    """Return explicit limits where this host refuses those that podman asks for."""
    options = []
    for name, limit, most in (
        ("nofile", resource.RLIMIT_NOFILE, PODMAN_DEFAULT_LIMIT),
        ("nproc", resource.RLIMIT_NPROC, PODMAN_OWN_PROCESSES),
    ):
        hard = resource.getrlimit(limit)[1]
        if hard != resource.RLIM_INFINITY and not _can_raise(limit):
            options += ["--ulimit", f"{name}={min(hard, most)}:{min(hard, most)}"]
    return options


def _can_raise(limit: int) -> bool:
    """Try in a child, so that this process keeps its own limits."""
    child = os.fork()
    if child == 0:
        try:
            resource.setrlimit(limit, (PODMAN_DEFAULT_LIMIT, PODMAN_DEFAULT_LIMIT))
        except (OSError, ValueError):
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def check_id_range() -> None:
    """Refuse a rootless podman that cannot map the ids of the spaces."""
    if os.geteuid() == 0:
        return
    require("podman")
    mapped = run(["podman", "unshare", "cat", "/proc/self/uid_map"])
    highest = max(int(inside) + int(count) - 1 for inside, _outside, count in _rows(mapped))
    if highest < HIGHEST_ID:
        raise LabError(
            f"rootless podman maps unix ids up to {highest} here; spaces need ids up to "
            f"{HIGHEST_ID}. Run as root (sudo make demo), or give this user at least "
            f"{HIGHEST_ID} subordinate ids in /etc/subuid and /etc/subgid and run "
            "'podman system migrate'."
        )


def _rows(table: str) -> list[list[str]]:
    return [line.split() for line in table.splitlines() if line.strip()]


def settled(seconds: float, name: str, state: Callable[[], str]) -> str:
    """Wait until systemd of a machine has started all it will, and return how it is then."""
    seen = [""]

    def booted() -> bool:
        seen[0] = state()
        return seen[0] in {"running", "degraded", "maintenance"}

    until(seconds, f"{name} to boot", booted)
    return seen[0]


def until(seconds: float, what: str, ready: Callable[[], bool]) -> None:
    """Wait for something, or say in vain for what."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise LabError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.3)
