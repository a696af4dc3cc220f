# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Trees whose files carry a number of the file system: its project.

A file counts for the project that it carries; new ones inherit it from their folder. Existing
ones are marked one by one, which may be cut short: a journal beside the trees says so.
"""

from __future__ import annotations

import os
import resource
import stat
import typing as t
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from ansible_collections.archipel.spaces.plugins.module_utils._system import _quotactl


class ProjectError(Exception):
    """A tree cannot be marked, or no limit would hold for it; the text says what to do."""


def refuse_mounts(path: str, mounts: t.Iterable[str]) -> None:
    """Refuse mounts on or below a space's tree: what is written there does not count. Pure.

    Raises:
        ProjectError: there is one.

    """
    inside = [mount for mount in mounts if f"{mount}/".startswith(f"{path}/")]
    if inside:
        raise ProjectError(
            f"{', '.join(inside)}: another file system is mounted there, outside the limit. "
            f"Unmount it; {path} must be a plain directory of the spaces' own file system"
        )


def open_tree(path: str, device: int, stack: ExitStack) -> int:
    """Open a tree of a space; neither it nor the space's folder may be a link.

    Raises:
        ProjectError: it is a link, something else, or on another file system.
        FileNotFoundError: there is none.

    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        home = os.open(os.path.dirname(path), flags)
        stack.callback(os.close, home)
        tree = os.open(os.path.basename(path), flags, dir_fd=home)
        stack.callback(os.close, tree)
    except FileNotFoundError as error:
        raise FileNotFoundError(error.errno, error.strerror, path) from error
    except OSError as error:
        raise ProjectError(
            f"{path} or its folder is a link or no directory ({error.strerror}): files behind a "
            "link are outside the limit. Move them to where the link is, and run again"
        ) from error
    if os.fstat(tree).st_dev != device:
        raise ProjectError(
            f"{path} is on another file system than the spaces: its limit would hold nothing. Move "
            "its files back"
        )
    return tree


@dataclass
class Walk:
    """A walk through existing files: what was found, and what was done."""

    wrong: int = 0
    bytes: int = 0
    right: int = 0


def walk(directory: int, project: int, found: Walk, *, check: bool) -> None:
    """Give a directory and everything below it its project, or only count what lacks it.

    Project 0 is none, and is not handed down. Links are not followed. A directory gets its
    project before it is listed: what is made in it meanwhile inherits, and nothing can be
    moved in from outside. However deep people nest their folders, one open folder per level is
    all that it takes.

    Raises:
        ProjectError: another file system is mounted inside.
        OSError: the file system refused.

    """
    opened = [directory]
    try:
        with allow_many_files():
            below = [enter(directory, directory, project, found, check=check)]
            while below:
                if not below[-1]:
                    below.pop()
                    # The first is the caller's.
                    if below:
                        os.close(opened.pop())
                    continue
                inner = open_inside(below[-1].pop(), opened[-1])
                if inner is not None:
                    opened.append(inner)
                    below.append(enter(inner, directory, project, found, check=check))
    finally:
        for descriptor in opened[1:]:
            os.close(descriptor)


def enter(descriptor: int, top: int, project: int, found: Walk, *, check: bool) -> list[str]:
    """Mark an open entry and, if it is a folder, its files; return the names of its folders.

    It may have been exchanged since it was listed.
    """
    if not visit_entry(descriptor, top, project, found, check=check):
        return []
    folders = []
    with os.scandir(descriptor) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            elif entry.is_file(follow_symlinks=False):
                # Links, sockets and pipes hold no data; the kernel gives no way to mark them.
                inner = open_inside(entry.name, descriptor)
                if inner is None:
                    continue
                try:
                    visit_entry(inner, top, project, found, check=check)
                finally:
                    os.close(inner)
    return folders


def open_inside(name: str, folder: int) -> int | None:
    """Open an entry of an open folder; nothing if it is gone."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(name, flags, dir_fd=folder)
    except FileNotFoundError:
        return None


def visit_entry(inner: int, top: int, project: int, found: Walk, *, check: bool) -> bool:
    """Mend the project of one opened entry; tell whether it is a folder.

    Raises:
        ProjectError: it is on another file system.

    """
    info = os.fstat(inner)
    if info.st_dev != os.fstat(top).st_dev:
        raise ProjectError("another file system was mounted inside while its files were marked")
    folder = stat.S_ISDIR(info.st_mode)
    if folder or stat.S_ISREG(info.st_mode):
        visit(inner, _quotactl.Tag(project, inherit=folder and bool(project)), found, check=check)
    return folder


@contextmanager
def allow_many_files() -> t.Iterator[None]:
    """Let this process open as many files as it may, for as long as it needs them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def visit(descriptor: int, wanted: _quotactl.Tag, found: Walk, *, check: bool) -> None:
    """Mend the project of one open file or directory."""
    tag = _quotactl.tag(descriptor)
    if tag == wanted:
        found.right += 1
        return
    found.wrong += 1
    if tag.project != wanted.project:
        found.bytes += os.fstat(descriptor).st_blocks * 512
    if not check:
        _quotactl.set_tag(descriptor, wanted)


def count_carrying(directory: int, project: int) -> int:
    """Return how many files and folders of an open tree carry a project."""
    found = Walk()
    walk(directory, project, found, check=True)
    return found.right


def move(path: str, project: int) -> None:
    """Give a tree that was moved its project: 0 where data are only kept, outside any limit.

    For whoever puts data in the place of others. Where nothing is counted nothing is done.

    Raises:
        OSError: the file system refused.

    """
    with _quotactl.opened(path) as directory:
        if _quotactl.state(directory)[0]:
            walk(directory, project, Walk(), check=False)


def mark_trees(
    paths: t.Sequence[str], project: int, journal: str, device: int, *, check: bool
) -> Walk:
    """Give trees of a space their project, with a journal that survives an interruption.

    Raises:
        ProjectError: they are not where a limit would hold.
        OSError: the file system refused.

    """
    found = Walk()
    with ExitStack() as stack:
        for path in paths:
            try:
                tree = open_tree(path, device, stack)
            except FileNotFoundError:
                if not check:
                    raise
                found.wrong += 1
                continue
            if not check and not is_empty(tree):
                begin(journal)
            walk(tree, project, found, check=check)
        if not check:
            with suppress(FileNotFoundError):
                os.unlink(journal)
    return found


def is_empty(directory: int) -> bool:
    """Tell whether there is nothing to lose sight of: a new space needs no journal."""
    with os.scandir(directory) as entries:
        return next(entries, None) is None


def begin(journal: str) -> None:
    """Write down, for good, that marking has begun."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(journal, flags, 0o600)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
