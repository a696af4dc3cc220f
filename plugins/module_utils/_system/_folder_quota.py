# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A folder of the node, of no space, whose content has a limit of its own.

What strangers send is kept somewhere before anybody knows who they are. With a project quota a
full one refuses what comes next, and leaves the disk to the others.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from ansible_collections.archipel.spaces.plugins.module_utils._system import (
    _filesystem,
    _projects,
    _quotactl,
    _quotas,
)


class FolderError(Exception):
    """The limit would not hold, or not for this folder alone; the text says what to do."""


@dataclass(frozen=True)
class Folder:
    """What a folder shall be limited to."""

    path: str
    # Of the file system; a number that no space has.
    project: int
    bytes: int


@dataclass(frozen=True)
class State:
    """What is there of it."""

    tag: _quotactl.Tag
    quota: _quotactl.Quota
    # Other paths that /etc/projects gives the same number to.
    claimed: tuple[str, ...] = ()


def check_free(folder: Folder, state: State) -> None:
    """Refuse a number or a folder that something else has already. Pure.

    Raises:
        FolderError: it is taken.

    """
    if state.claimed:
        raise FolderError(
            f"{_quotas.PROJECTS} gives project {folder.project} to {', '.join(state.claimed)}: "
            "remove that line, or the limit would count those files too"
        )
    if state.tag.project not in (0, folder.project):
        raise FolderError(
            f"{folder.path} carries project {state.tag.project}, not {folder.project}: somebody "
            f"else limits it. Name another folder; or, if nobody does, take it away: "
            f"chattr -R -p 0 {folder.path}"
        )


def plan(folder: Folder, state: State) -> tuple[bool, bool]:
    """Return whether the folder lacks its project, and whether its limit differs. Pure."""
    marked = state.tag == _quotactl.Tag(folder.project, inherit=True)
    limits = (state.quota.limit_bytes, state.quota.limit_files, state.quota.soft)
    return not marked, limits != (folder.bytes, 0, False)


def converge(folder: Folder, backend: str, *, check: bool) -> list[str]:
    """Give a folder its limit; return what was changed, or would be.

    Raises:
        FolderError: the folder is not there, is no folder, or has another's limit.
        FilesystemError: no limit would hold where it is.

    """
    if backend == "none":
        return []
    _filesystem.check(_filesystem.find(folder.path), backend)
    said = f"{folder.path}: at most {_quotas.format_gib(folder.bytes)}"
    if not os.path.lexists(folder.path) and check:
        return [said]
    if not os.path.lexists(folder.path) or not stat.S_ISDIR(os.lstat(folder.path).st_mode):
        raise FolderError(f"{folder.path}: found no directory; allowed: one that is no link")
    claims = _quotas.read_claims().get(folder.project, [])
    others = tuple(path for path in claims if path != folder.path)
    with _quotactl.opened(folder.path) as descriptor:
        quota = _quotactl.read(descriptor, folder.project)
        state = State(_quotactl.tag(descriptor), quota, others)
        check_free(folder, state)
        unmarked, differs = plan(folder, state)
        if unmarked and not check:
            _projects.walk(descriptor, folder.project, _projects.Walk(), check=False)
        if differs and not check:
            _quotactl.limit(descriptor, folder.project, folder.bytes, 0)
    return [said] if unmarked or differs else []
