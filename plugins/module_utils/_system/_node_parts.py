# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Small parts of a node: groups, links, files that shall not be there, settings of the kernel."""

from __future__ import annotations

import grp
import os
import re
import stat
import subprocess
import tempfile
import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._core import _files

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import Link

PROC_SYS = "/proc/sys"

# What systemd-sysusers says when it makes something, and when it would.
MADE = re.compile(r"Creating (user|group) '?([\w-]+)")

# What was changed, in words, by what it is.
Changes = dict[str, list[str]]


class PartError(Exception):
    """A part of the node could not be brought to its wanted state."""


def converge_groups(names: t.Sequence[str], changes: Changes, *, check: bool) -> dict[str, int]:
    """Make system groups exist.

    Returns:
        Name → number; one that check mode would make has none.

    Raises:
        PartError: one could not be made.

    """
    numbers = {}
    for name in names:
        try:
            numbers[name] = grp.getgrnam(name).gr_gid
        except KeyError:
            changes[f"group {name}"] = ["created"]
            if not check:
                run(["groupadd", "--system", "--", name])
                numbers[name] = grp.getgrnam(name).gr_gid
    return numbers


def run(command: t.Sequence[str]) -> str:
    """Run a program and return what it printed.

    Raises:
        PartError: it failed; the text is its own.

    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise PartError(f"{command[0]} is not on this node") from error
    if done.returncode != 0:
        raise PartError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()[-1500:]}")
    return done.stdout


def converge_absent(paths: t.Sequence[str], changes: Changes, *, check: bool) -> None:
    """Remove files and links.

    Raises:
        PartError: there is a directory of that name.

    """
    for path in paths:
        try:
            info = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        if stat.S_ISDIR(info.st_mode):
            raise PartError(f"{path} is a directory, a file was meant: move it away and run again")
        changes[path] = ["removed"]
        if not check:
            os.unlink(path)


def converge_links(links: t.Sequence[Link], changes: Changes, *, check: bool) -> None:
    """Make symbolic links lead where they shall; a file in their place goes.

    Raises:
        PartError: there is a directory in the place of one.

    """
    for link in links:
        path, target = link["path"], link["target"]
        try:
            info = os.lstat(path)
        except FileNotFoundError:
            info = None
        if info is not None and stat.S_ISDIR(info.st_mode):
            raise PartError(f"{path} is a directory, a link was meant: move it away and run again")
        found = os.readlink(path) if info is not None and stat.S_ISLNK(info.st_mode) else None
        if found == target:
            continue
        changes[path] = ["created" if info is None else f"{found or 'a file'} → {target}"]
        if not check:
            put_link(path, target)


def put_link(path: str, target: str) -> None:
    """Give a link its place, in one step."""
    # A folder of its own: a name that nobody else takes in between.
    with tempfile.TemporaryDirectory(prefix=_files.STAGED, dir=os.path.dirname(path)) as beside:
        os.symlink(target, f"{beside}/link")
        os.rename(f"{beside}/link", path)


def converge_users(declarations: t.Sequence[str], changes: Changes, *, check: bool) -> None:
    """Make the users that files of sysusers.d declare. Asked each time: it costs nothing.

    Raises:
        PartError: one could not be made.

    """
    for path in declarations:
        # In check mode the file may not be there yet: that it comes is said of the file.
        if check and not os.path.exists(path):
            continue
        command = ["systemd-sysusers", *(["--dry-run"] if check else []), "--", path]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise PartError(f"systemd-sysusers {path}: {done.stderr.strip()[-1500:]}")
        if made := MADE.findall(done.stderr):
            changes[f"users of {path}"] = [f"{kind} {name} created" for kind, name in made]


def converge_sysctls(wanted: t.Mapping[str, str], changes: Changes, *, check: bool) -> list[str]:
    """Set what the running kernel has otherwise.

    Returns:
        The settings that this node does not have, or does not let us set.

    Raises:
        PartError: the kernel refuses a value.

    """
    unavailable = []
    for name, value in wanted.items():
        path = f"{PROC_SYS}/{name.replace('.', '/')}"
        if not os.access(path, os.W_OK):
            unavailable.append(name)
            continue
        with open(path, encoding="ascii") as file:
            found = " ".join(file.read().split())
        if found == " ".join(value.split()):
            continue
        changes[f"sysctl {name}"] = [f"{found} → {value}"]
        if not check:
            write_sysctl(name, path, value)
    return sorted(unavailable)


def write_sysctl(name: str, path: str, value: str) -> None:
    """Set one setting of the running kernel.

    Raises:
        PartError: the kernel refuses the value.

    """
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(f"{value}\n")
    except OSError as error:
        raise PartError(f"sysctl {name}: the kernel refuses {value}: {error.strerror}") from error
