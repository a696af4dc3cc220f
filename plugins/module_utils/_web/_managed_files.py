# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Bring many small files to their wanted content, owner and mode, in one pass."""

from __future__ import annotations

import grp
import os
import pwd
import stat
import typing as t
from dataclasses import dataclass

from ansible_collections.archipel.spaces.plugins.module_utils._core import _files
from ansible_collections.archipel.spaces.plugins.module_utils._core._masking import mask_secrets
from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import Report
from ansible_collections.archipel.spaces.plugins.module_utils._web import _nginx

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import (
        File,
        NodeDirectory,
        NodeFiles,
    )


# Kind of files that no difference is shown of.
SECRET = "secret"


class FilesError(Exception):
    """Files of the node itself, or all those of one kind, could not be written."""


@dataclass(frozen=True)
class Change:
    """A file as it shall be, as it is, and in words what differs."""

    item: File
    state: _files.State | None
    found: list[str]


def show(report: Report, wanted: File, state: _files.State | None) -> None:
    """Add the difference of one file, without secrets."""
    before = (
        "" if state is None or state.content is None else state.content.decode("utf-8", "replace")
    )
    report.diff(wanted["path"], mask_secrets(before), mask_secrets(wanted["content"]))


def compare(item: File, report: Report) -> Change | None:
    """Return what is wrong with one file; nothing if it is as wanted, or cannot be read."""
    try:
        state = _files.read_file(item["path"])
    except OSError as error:
        report.fail(item["space"], f"{item['path']}: {error.strerror}")
        return None
    found = _files.find_differences(item, state)
    return Change(item, state, found) if found else None


def write_all(changes: t.Sequence[Change], report: Report) -> list[Change]:
    """Put files in place; return those that are. What nginx reads comes when it has taken it all.

    Raises:
        FilesError: nginx would refuse the whole.

    """
    ours = {c.item["path"]: c for c in changes if _nginx.is_ours(c.item["path"])}
    contents = {path: change.item["content"] for path, change in ours.items()}
    try:
        # Vhosts never need each other; _vhosts sees to it that they do not contradict each other.
        stepwise = any(change.item["kind"] != "vhost" for change in ours.values())
        order = [ours[path] for path in _nginx.find_order(contents, stepwise=stepwise)]
    except _nginx.NginxError as error:
        # Not the fault of one of them: said once, for all.
        raise FilesError(str(error)) from error
    return put_all([*(c for c in changes if c.item["path"] not in ours), *order], report)


def put_all(changes: t.Sequence[Change], report: Report) -> list[Change]:
    """Put files in place, in their order; return those that are.

    All are on the disk before the first gets its place: a node that loses power keeps files as
    they were, or has them as they shall be, and none of them empty. Once for all: flushing
    each of thousands of files takes six times as long.
    """
    _files.sweep({os.path.dirname(change.item["path"]) for change in changes})
    staged = [(change, stage(change, report)) for change in changes]
    if any(beside for _, beside in staged):
        os.sync()
    done = []
    for change, beside in staged:
        if not beside:
            continue
        try:
            _files.put(beside, change.item["path"])
        except OSError as error:
            report.fail(change.item["space"], f"{change.item['path']}: {error.strerror}")
        else:
            done.append(change)
    return done


def stage(change: Change, report: Report) -> str:
    """Write a file beside its place; return its path, empty if it could not be."""
    try:
        return _files.stage(change.item)
    except OSError as error:
        report.fail(change.item["space"], f"{change.item['path']}: {error.strerror}")
        return ""


def converge(wanted: t.Sequence[File], *, check: bool, diff: bool) -> Report:
    """Bring all files to their wanted state; one that fails does not stop the others.

    Returns:
        A report whose fact `kinds` maps each kind of file to the spaces changed.

    Raises:
        FilesError: nginx would refuse what it shall read.

    """
    report = Report()
    kinds: dict[str, list[str]] = {}
    changes = [change for item in wanted if (change := compare(item, report))]
    for change in changes if check else write_all(changes, report):
        item = change.item
        report.change(item["space"], f"{item['path']}: {', '.join(change.found)}")
        kinds.setdefault(item["kind"], []).append(item["space"])
        if diff and item["kind"] != SECRET:
            show(report, item, change.state)
    report.facts["kinds"] = kinds
    return report


def converge_directories(wanted: t.Sequence[NodeDirectory], *, check: bool) -> dict[str, list[str]]:
    """Make directories of the node exist with owner, group and mode; return what changed, by path.

    Raises:
        FilesError: there is no such user or group, or something else in its place.

    """
    changes: dict[str, list[str]] = {}
    for item in wanted:
        path, expected = item["path"], (*find_owner(item), item["mode"])
        try:
            info = os.stat(path)
            right = (info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)) == expected
        except FileNotFoundError:
            info, right = None, False
        if right:
            continue
        changes[path] = ["created" if info is None else "owner or mode"]
        if not check:
            make_directory(item, info)
    return changes


def make_directory(item: NodeDirectory, info: os.stat_result | None) -> None:
    """Make one directory, or give it its owner and mode.

    Args:
        item: the directory.
        info: what is there; None: nothing.

    Raises:
        FilesError: there is no such user or group, or something else in its place.

    """
    path, (uid, gid) = item["path"], find_owner(item)
    if uid is None:
        raise FilesError(f"{path}: there is no user {item['owner']} on this node")
    if gid is None:
        raise FilesError(f"{path}: there is no group {item['group']} on this node")
    if info is not None and not stat.S_ISDIR(info.st_mode):
        raise FilesError(f"{path} is not a directory: move it away and run again")
    os.makedirs(path, exist_ok=True)
    os.chown(path, uid, gid)
    os.chmod(path, item["mode"])


def find_owner(item: NodeDirectory) -> tuple[int | None, int | None]:
    """Return the numbers of a user and a group; none where check mode finds one not made yet."""
    try:
        uid = pwd.getpwnam(item["owner"]).pw_uid
    except KeyError:
        uid = None
    try:
        gid = grp.getgrnam(item["group"]).gr_gid
    except KeyError:
        gid = None
    return uid, gid


def converge_node(wanted: NodeFiles, *, check: bool, diff: bool) -> Report:
    """Bring directories, then files of the node itself to their wanted state.

    Returns:
        A report of changes by path.

    Raises:
        FilesError: a file could not be written.

    """
    report = Report()
    report.changes |= converge_directories(wanted["directories"], check=check)
    report.add(converge(wanted["files"], check=check, diff=diff))
    if report.failures:
        raise FilesError("; ".join(sorted(set(report.failures.values()))))
    return report
