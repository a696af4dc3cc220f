# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What was unpacked from a backup, looked at before anything of a space is touched.

Who can write to the repository is not thereby root on this node: a link in place of a
folder would have root change files elsewhere, a device given to a space's user would open a
disk to it. Nothing that a space can make of itself is refused.
"""

from __future__ import annotations

import json
import os
import stat
import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._core import _files

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import JsonObject

KINDS: t.Mapping[str, tuple[t.Callable[[int], bool], str]] = {
    "config": (stat.S_ISDIR, "a folder"),
    "data": (stat.S_ISDIR, "a folder"),
    "release": (stat.S_ISLNK, "a link"),
    ".applied": (stat.S_ISREG, "a plain file"),
    "config/config.php": (stat.S_ISREG, "a plain file"),
}
# Without it there would be a database and no installation that it belongs to.
NEEDED = "config/config.php"


class ContentsError(Exception):
    """A backup holds what must not be put in a space's place, or lacks what it needs."""


def check(stage: str, home: str, dump: str) -> None:
    """Refuse what is no backup of a space.

    Args:
        stage: the folder that the backup was unpacked into.
        home: the space's folder in there.
        dump: the database in there, beside which lies the description.

    Raises:
        ContentsError: something in it is not what it must be.
        OSError: it cannot be read.

    """
    check_way(stage, os.path.dirname(dump))
    check_files(stage, home)
    if not stat.S_ISREG(mode_of(dump)):
        raise ContentsError("it holds no database")


def check_files(stage: str, home: str) -> None:
    """Refuse what are no files of a space.

    Args:
        stage: the folder that they were brought into.
        home: the space's folder in there.

    Raises:
        ContentsError: something in it is not what it must be.
        OSError: it cannot be read.

    """
    check_way(stage, home)
    for part, (fits, name) in KINDS.items():
        path = f"{home}/{part}"
        if os.path.lexists(path) and not fits(os.lstat(path).st_mode):
            raise ContentsError(f"{part} in it is not {name}")
    if not os.path.lexists(f"{home}/{NEEDED}"):
        raise ContentsError(f"it holds no {NEEDED}")
    for folder in ("config", "data"):
        if os.path.lexists(f"{home}/{folder}"):
            check_tree(f"{home}/{folder}", folder)


def mode_of(path: str) -> int:
    """Return a path's kind and permissions, no link followed; 0 if there is none."""
    try:
        return os.lstat(path).st_mode
    except FileNotFoundError:
        return 0


def check_way(stage: str, folder: str) -> None:
    """Refuse a folder that a link on the way leads to.

    Raises:
        ContentsError: there is one, or the folder is missing.

    """
    path = stage
    for name in os.path.relpath(folder, stage).split("/"):
        path = f"{path}/{name}"
        if not stat.S_ISDIR(mode_of(path)):
            raise ContentsError(f"{os.path.relpath(path, stage)} in it is not a folder")


def check_tree(base: str, name: str) -> None:
    """Refuse what only root can have made, below a folder.

    Raises:
        ContentsError: there is such a thing.
        OSError: a folder could not be read.

    """
    for entry in _files.list_tree(base):
        info = entry.stat(follow_symlinks=False)
        if reason := problem(info.st_mode, info.st_uid):
            below = os.path.relpath(entry.path, base)
            raise ContentsError(f"{name}/{below} in it is {reason}")


def problem(mode: int, user: int) -> str:
    """Return why a file must not come into a space; empty if it may. Pure."""
    if stat.S_ISBLK(mode) or stat.S_ISCHR(mode):
        return "a device"
    if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID) and user == 0:
        return "a program that runs as root"
    return ""


def description(path: str, slug: str) -> JsonObject:
    """Return what a backup says of itself.

    Args:
        path: of the description.
        slug: whose backup it is meant to be.

    Returns:
        See `understood`.

    Raises:
        ContentsError: it says nothing, or what cannot be understood.

    """
    if not stat.S_ISREG(mode_of(path)):
        raise ContentsError("it holds no description of the space: it is not one of ours")
    with open(path, "rb") as file:
        return understood(file.read(), slug)


def understood(text: bytes, slug: str) -> JsonObject:
    """Return what a description says. Pure.

    Returns:
        `tables` (name → rows) and `dump` (`sha256`), and what else was written down.

    Raises:
        ContentsError: it cannot be understood, or is of another space.

    """
    try:
        found = json.loads(text)
        found["tables"] = {str(name): int(rows) for name, rows in found["tables"].items()}
        found["dump"]["sha256"] = str(found["dump"]["sha256"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ContentsError("its description of itself is damaged") from error
    if found.get("slug", slug) != slug:
        raise ContentsError(f"it says that it is of {found['slug']!r}, not of {slug}")
    return dict(found)
