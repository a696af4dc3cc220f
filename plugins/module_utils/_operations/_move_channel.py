# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The way from one node to another while spaces move: an sshd of its own, rsync, and keys.

The node that a space leaves listens at a port of its own for as long as something moves; what
people log in with is not touched. Each space has a key of its own, made by the node that it comes
to, good from that node's address alone, and for nothing but reading that space's folder (rrsync).
"""

from __future__ import annotations

import glob
import os
import shlex
import subprocess
import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._core import _files, _journal, _layout
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _move_job,
    _restore_job,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations._move_job import (
    Job,
    MoveError,
)
from ansible_collections.archipel.spaces.plugins.module_utils._system import _systemd

FOLDER = "/run/archipel/move"
GRANT = "grant"
UNIT = "archipel-move.service"
LOCK = "move-channel"
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
RRSYNC, SSHD_PROGRAM = "/usr/bin/rrsync", "/usr/sbin/sshd"
# Whoever holds it, waits: others add their keys in no time.
PATIENCE = 60
# After which it ends by itself, whatever became of the run that began it.
LIFETIME = "2d"
SSHD = """\
# Written by Archipel, there while spaces move.
ListenAddress {address}:{port}
HostKey {host_key}
AuthorizedKeysFile {folder}/authorized_keys
AuthenticationMethods publickey
PermitRootLogin forced-commands-only
AllowUsers root
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM yes
DisableForwarding yes
PermitTTY no
PidFile none
MaxStartups 50
ClientAliveInterval 30
ClientAliveCountMax 4
"""
# Parts of a space's folder that go along; its sessions, logs and temporary files do not. Nor does
# what closes it, and what the other node writes itself.
FILTERS = (
    "--exclude=/config/closed.config.php",
    "--exclude=/config/managed.config.php",
    "--include=/config/***",
    "--include=/data/***",
    "--include=/release",
    "--include=/.applied",
    "--include=/.move/***",
    "--exclude=*",
)
# Files that went while they were read: before the space is closed, nothing is wrong with that.
VANISHED = 24


def grant(job: Job) -> str:
    """Return the line with which the other node's key may fetch a space. Pure."""
    command = f"{RRSYNC} -ro {job.layout.home}"
    sources = ",".join(job.peer.sources or (job.peer.address,))
    return f'restrict,from="{sources}",command="{command}" {job.public}\n'


def open_for(job: Job) -> None:
    """Let the other node fetch a space. Can be repeated."""
    with _journal.exclusive(LOCK, patience=PATIENCE):
        _write(f"{job.layout.move}/{GRANT}", grant(job))
        _assemble()


def close_for(job: Job) -> None:
    """Let nobody fetch a space any more; whoever was the last one ends the service."""
    with _journal.exclusive(LOCK, patience=PATIENCE):
        _restore_job.remove(f"{job.layout.move}/{GRANT}")
        if not _assemble():
            _stop()


def _assemble() -> int:
    """Write down all keys that are good now; return how many."""
    paths = sorted(glob.glob(f"{_layout.Places.move}/*/{GRANT}"))
    _write(f"{FOLDER}/authorized_keys", "".join(map(_files.read_text, paths)))
    return len(paths)


def _write(path: str, content: str) -> None:
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    _files.write_file({"path": path, "content": content, "uid": 0, "gid": 0, "mode": 0o600})


def listen(address: str, port: int) -> None:
    """Have an sshd run for as long as spaces move. Can be repeated.

    Raises:
        MoveError: it does not start.

    """
    with _journal.exclusive(LOCK, patience=PATIENCE):
        host = _move_job.bracketed(address)
        text = SSHD.format(address=host, port=port, host_key=HOST_KEY, folder=FOLDER)
        if _is_up() and _files.read_text(f"{FOLDER}/sshd_config") == text:
            return
        _write(f"{FOLDER}/sshd_config", text)
        _assemble()
        _stop()
        run([SSHD_PROGRAM, "-t", "-f", f"{FOLDER}/sshd_config"], "sshd for moves does not start")
        options = ("RuntimeDirectory=sshd", "RuntimeDirectoryPreserve=yes")
        properties = [f"--property={one}" for one in (*options, f"RuntimeMaxSec={LIFETIME}")]
        command = ["systemd-run", "--quiet", "--collect", f"--unit={UNIT}", *properties]
        daemon = [SSHD_PROGRAM, "-D", "-e", "-f", f"{FOLDER}/sshd_config"]
        run([*command, *daemon], "sshd for moves does not start")


def _stop() -> None:
    """End the service; systemd forgets one that has ended, and would not know its name."""
    if _is_up():
        _systemd.systemctl("stop", UNIT)


def _is_up() -> bool:
    shown = _systemd.read_properties([UNIT], "ActiveState")
    return shown.get(UNIT, {}).get("ActiveState") == "active"


def make_key(job: Job) -> str:
    """Return the public half of the key with which this node fetches a space; make it first."""
    folder = job.layout.move
    os.makedirs(folder, mode=0o700, exist_ok=True)
    key = f"{folder}/key"
    if not os.path.exists(f"{key}.pub"):
        _restore_job.remove(key)
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"move-{job.slug}"]
        run([*words, "-f", key], "no key was made")
    return _files.read_text(f"{key}.pub").strip()


def fetch(job: Job, *options: str, live: bool) -> list[str]:
    """Fetch a space from the other node, as far as it is not here yet; return what it lists.

    Args:
        job: the space.
        options: further ones of rsync.
        live: whether people work meanwhile, and files may go.

    Raises:
        MoveError: not all of it came.

    """
    os.makedirs(job.layout.arriving, mode=0o700, exist_ok=True)
    _write(f"{job.layout.move}/known_hosts", f"{job.peer.name} {job.peer.host_key}\n")
    done = subprocess.run(
        [
            *("rsync", "--archive", "--hard-links", "--sparse", "--numeric-ids"),
            *("--delete", "--partial", f"--rsh={shlex.join(ssh(job))}", *options, *FILTERS),
            *(f"root@{job.peer.host}:/", f"{job.layout.arriving}/"),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode and not (live and done.returncode == VANISHED):
        said = " ".join(done.stderr.split())[-500:]
        raise MoveError(f"not all of it came from {job.peer.name} ({done.returncode}): {said}")
    return done.stdout.splitlines()


def ssh(job: Job) -> list[str]:
    """Return how the other node is reached. Pure."""
    options = {
        "IdentityFile": f"{job.layout.move}/key",
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": f"{job.layout.move}/known_hosts",
        "GlobalKnownHostsFile": "/dev/null",
        "HostKeyAlias": job.peer.name,
        "StrictHostKeyChecking": "yes",
        "BatchMode": "yes",
        "ConnectTimeout": "20",
        "ServerAliveInterval": "30",
    }
    words = [f"-o{name}={value}" for name, value in options.items()]
    return ["ssh", "-F", "/dev/null", f"-p{job.peer.port}", *words]


def run(command: t.Sequence[str], what: str) -> str:
    """Run a program that must succeed; return what it printed.

    Raises:
        MoveError: it does not.

    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MoveError(f"{what}: {' '.join(done.stderr.split())[-500:]}")
    return done.stdout
