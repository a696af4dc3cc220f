# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Small files: read without following links, compared, put in place whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
import time
import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import Json
    from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import Content

LARGEST = 1 << 20
# Beginning of the names of files that are being written; no service reads such names.
STAGED = ".archipel-"
# Seconds after which one was left behind by a run that was killed.
ABANDONED = 3600
# Whose the directories of a node are: user id 0.
ROOT = 0
# Further rights that somebody gave beside owner and mode (setfacl).
ACCESS_LISTS = ("system.posix_acl_access", "system.posix_acl_default")


@dataclass(frozen=True)
class State:
    """A file as it is; content is None where it could not be one of ours."""

    content: bytes | None
    uid: int
    gid: int
    mode: int
    access_list: bool = False


def list_access_lists(path: str | int, names: t.Sequence[str] = ACCESS_LISTS) -> list[str]:
    """Return which access lists a file or directory has; none where the file system knows none."""
    found = []
    for name in names:
        try:
            os.getxattr(path, name)
        except OSError:
            continue
        found.append(name)
    return found


def read_file(path: str) -> State | None:
    """Return a file's state, or None if there is none. Links are not followed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError:
        info = os.lstat(path)
        return State(None, info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode))
    try:
        info = os.fstat(descriptor)
        regular = stat.S_ISREG(info.st_mode) and info.st_size <= LARGEST
        content = os.read(descriptor, LARGEST + 1) if regular else None
        lists = list_access_lists(descriptor, ACCESS_LISTS[:1])
    finally:
        os.close(descriptor)
    return State(content, info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode), bool(lists))


def read_text(path: str) -> str:
    """Return a small file's text; empty if there is none, or none of ours."""
    state = read_file(path)
    content = None if state is None else state.content
    return (content or b"").decode("utf-8", "replace")


def find_differences(wanted: Content, state: State | None) -> list[str]:
    """Return in words what is wrong with a file; nothing if it is as wanted. Pure."""
    if state is None:
        return ["created"]
    found = []
    if state.content != wanted["content"].encode():
        found.append("content")
    if (state.uid, state.gid) != (wanted["uid"], wanted["gid"]):
        found.append(f"owner {state.uid}:{state.gid} → {wanted['uid']}:{wanted['gid']}")
    if state.mode != wanted["mode"]:
        found.append(f"mode {state.mode:04o} → {wanted['mode']:04o}")
    if state.access_list:
        found.append("access list removed")
    return found


def write_file(wanted: Content) -> None:
    """Put a file in place, whole or not at all.

    The new file is made under a fresh name and renamed: neither a reader nor a link
    planted under the final name ever meets a half-written file.

    Raises:
        OSError: it could not be.

    """
    put(stage(wanted), wanted["path"])


def stage(wanted: Json) -> str:
    """Write a file under a fresh name beside its place; return its path.

    Raises:
        OSError: it could not be; nothing is left of it.

    """
    folder = os.path.dirname(wanted["path"])
    descriptor, beside = tempfile.mkstemp(prefix=STAGED, dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(wanted["content"].encode())
            os.fchown(file.fileno(), wanted["uid"], wanted["gid"])
            os.fchmod(file.fileno(), wanted["mode"])
    except BaseException:
        os.unlink(beside)
        raise
    return beside


def put(beside: str, path: str) -> None:
    """Give a staged file its place.

    Raises:
        OSError: it could not be; nothing is left of it.

    """
    try:
        os.rename(beside, path)
    except BaseException:
        os.unlink(beside)
        raise


def sweep(folders: t.Iterable[str]) -> None:
    """Remove what runs that were killed have staged and never put in place."""
    for folder in folders:
        try:
            names = [name for name in os.listdir(folder) if name.startswith(STAGED)]
        except (FileNotFoundError, NotADirectoryError):
            continue
        for name in names:
            try:
                info = os.lstat(f"{folder}/{name}")
                # Whatever else somebody calls so is not ours.
                old = time.time() - info.st_mtime > ABANDONED
                if old and stat.S_ISREG(info.st_mode):
                    os.unlink(f"{folder}/{name}")
            except FileNotFoundError:
                continue


def list_names(folder: str, suffix: str) -> set[str]:
    """Return the names of a folder's files of one suffix, without it."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return set()
    return {n.removesuffix(suffix) for n in names if n.endswith(suffix) and not n.startswith(".")}


def sync_folder(folder: str) -> None:
    """Let what was made, renamed or removed in a folder survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def list_tree(folder: str) -> t.Iterator[os.DirEntry[str]]:
    """Yield all that is below a folder, however deep; links are not followed.

    os.walk calls itself for each level, on Python 3.11, and passes over what it cannot read.

    Raises:
        OSError: a folder could not be read.

    """
    left = [folder]
    while left:
        with os.scandir(left.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    left.append(entry.path)
                yield entry
