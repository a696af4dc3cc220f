# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Unix users and directories of spaces, made by systemd's own declarative tools."""

from __future__ import annotations

import os
import stat
import subprocess
import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._core import _files
from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import Report

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import (
        Content,
        Directory,
        User,
    )


def parse_ids(lines: t.Iterable[str]) -> dict[str, int]:
    """Return name → numeric id of the lines of a passwd or group file."""
    rows = (line.split(":") for line in lines if line.count(":") >= 3)
    return {row[0]: int(row[2]) for row in rows if row[2].isdigit()}


def read_ids(path: str) -> dict[str, int]:
    """Return name → numeric id of /etc/passwd or /etc/group."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return parse_ids(file)


def plan_users(
    wanted: t.Sequence[User],
    users: t.Mapping[str, int],
    groups: t.Mapping[str, int],
    report: Report,
) -> list[User]:
    """Return the users to make; clashes of name or id become failures. Pure but for the report."""
    owners = {number: name for name, number in users.items()}
    owners_of_groups = {number: name for name, number in groups.items()}
    missing = []
    for item in wanted:
        name, number = item["name"], item["id"]
        holder = owners.get(number, owners_of_groups.get(number, name))
        if users.get(name, number) != number or groups.get(name, number) != number:
            report.fail(
                item["space"], f"user {name} has id {users.get(name)}, placement.yml says {number}"
            )
        elif holder != name:
            report.fail(
                item["space"], f"id {number} belongs to {holder}; free it or change the space's id"
            )
        elif name not in users or name not in groups:
            missing.append(item)
    return missing


def declare(path: str, content: str, *, check: bool) -> bool:
    """Write a file of declarations if it differs; return whether it did."""
    item: Content = {"path": path, "content": content, "uid": 0, "gid": 0, "mode": 0o644}
    differs = bool(_files.find_differences(item, _files.read_file(path)))
    if differs and not check:
        _files.write_file(item)
    return differs


def run(command: t.Sequence[str]) -> tuple[int, str]:
    """Run one of systemd's tools; return its exit code and what it said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, (done.stderr or done.stdout).strip()


def converge_users(
    wanted: t.Sequence[User],
    path: str,
    header: str,
    declared: t.Mapping[str, str],
    *,
    check: bool,
) -> Report:
    """Make the missing users in one call of systemd-sysusers.

    A space that failed is not declared: systemd would give it another id instead.
    """
    report = Report()
    missing = plan_users(wanted, read_ids("/etc/passwd"), read_ids("/etc/group"), report)
    for item in missing:
        report.change(item["space"], f"user {item['name']} ({item['id']})")
    lines = [line for space, line in declared.items() if space not in report.failures]
    if declare(path, "\n".join([header, *lines]) + "\n", check=check):
        report.node_change(path)
    if missing and not check:
        code, said = run(["systemd-sysusers", path])
        users = read_ids("/etc/passwd")
        for item in missing:
            if users.get(item["name"]) != item["id"]:
                report.fail(item["space"], f"systemd-sysusers ({code}): {said}")
    return report


def compare_directory(item: Directory) -> list[str]:
    """Return in words what is wrong with a directory."""
    try:
        info = os.lstat(item["path"])
    except FileNotFoundError:
        return ["created"]
    except NotADirectoryError:
        return ["not a directory"]
    if not stat.S_ISDIR(info.st_mode):
        return ["not a directory"]
    found = []
    if (info.st_uid, info.st_gid) != (item["uid"], item["gid"]):
        found.append(f"owner {info.st_uid}:{info.st_gid} → {item['uid']}:{item['gid']}")
    if stat.S_IMODE(info.st_mode) != item["mode"]:
        found.append(f"mode {stat.S_IMODE(info.st_mode):04o} → {item['mode']:04o}")
    if _files.list_access_lists(item["path"]):
        found.append("access list removed")
    return found


def converge_directories(
    wanted: t.Sequence[Directory], path: str, content: str, *, check: bool
) -> Report:
    """Make or mend the directories in one call of systemd-tmpfiles."""
    report = Report()
    wrong = plan_directories(wanted, report)
    if declare(path, content, check=check):
        report.node_change(path)
    if wrong and not check:
        # First: while there is a list, the bits of the group are the list's mask.
        for item in wrong:
            remove_access_lists(item, report)
        code, said = run(["systemd-tmpfiles", "--create", path])
        for item in wrong:
            if compare_directory(item):
                report.fail(
                    item["space"], f"{item['path']}: systemd-tmpfiles ({code}): {said[-500:]}"
                )
    return report


def plan_directories(wanted: t.Sequence[Directory], report: Report) -> list[Directory]:
    """Return the directories to make or mend; note that, and what cannot be one, per space."""
    wrong = []
    for item in wanted:
        found = compare_directory(item)
        if found == ["not a directory"]:
            report.fail(
                item["space"], f"{item['path']} is not a directory: move it away and run again"
            )
        elif found:
            wrong.append(item)
            report.change(item["space"], f"{item['path']}: {', '.join(found)}")
    return wrong


def remove_access_lists(item: Directory, report: Report) -> None:
    """Take away the rights that somebody gave beside owner and mode."""
    try:
        for name in _files.list_access_lists(item["path"]):
            os.removexattr(item["path"], name)
    except OSError as error:
        report.fail(item["space"], f"{item['path']}: {error.strerror}")
