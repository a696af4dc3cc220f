# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Secrets of tenants, one small folder each, and what nginx knows of them."""

from __future__ import annotations

import grp
import os
import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils import _files
from ansible_collections.archipel.spaces.plugins.module_utils._spaces import Report

SECRET_FILE = "secret.key"
FOLDER_MODE = 0o755


def converge(wanted: dict[str, t.Any], *, check: bool, diff: bool) -> Report:
    """Bring secrets and names to their wanted state.

    A new name is answered only once its secret is there, and an old secret goes only once
    nobody is led to it.
    """
    report = Report()
    found = {name: present(folder(wanted, name)) for name in wanted["secrets"]}
    files = [item for name in wanted["secrets"] for item in secret_files(wanted, name)]
    if not check:
        make_folders([item["path"] for item in files])
    report.add(_files.converge(files, check=check, diff=False))
    report.facts = {"rotated": rotated(report.changes)}
    if not report.failures:
        report.add(nginx(wanted, check=check, diff=diff))
    if not report.failures:
        for name, hosts in found.items():
            remove(report, wanted, name, hosts - wanted["secrets"][name].keys(), check=check)
    report.facts.pop("kinds", None)
    return report


def folder(wanted: t.Mapping[str, t.Any], shard: str) -> str:
    """Return where the tenants of a shard are. Pure."""
    return os.path.join(wanted["directory"], shard, "tenants")


def present(path: str) -> set[str]:
    """Return the tenants that a shard has."""
    try:
        with os.scandir(path) as entries:
            return {entry.name for entry in entries if entry.is_dir(follow_symlinks=False)}
    except FileNotFoundError:
        return set()


def secret_files(wanted: t.Mapping[str, t.Any], shard: str) -> list[dict[str, t.Any]]:
    """Return the secrets of one shard as files. No line end: the server would warn of it."""
    gid = group_id(wanted["groups"][shard])
    return [
        {
            "space": f"{shard}/{host}",
            "kind": "secret",
            "path": os.path.join(folder(wanted, shard), host, SECRET_FILE),
            "content": secret,
            "uid": 0,
            "gid": gid,
            "mode": 0o640,
        }
        for host, secret in sorted(wanted["secrets"][shard].items())
    ]


def group_id(name: str) -> int:
    """Return a group's number; none that exists where check mode comes before the group."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return -1


def make_folders(paths: t.Iterable[str]) -> None:
    """Make the folder of each secret. Which tenants there are is seen by its shard only."""
    for path in paths:
        place = os.path.dirname(path)
        if not os.path.isdir(place):
            os.mkdir(place)
            os.chmod(place, FOLDER_MODE)


def rotated(changes: t.Mapping[str, list[str]]) -> list[str]:
    """Return the tenants whose secret was another one before. Pure."""
    return sorted(name for name, said in changes.items() if any("content" in s for s in said))


def nginx(wanted: t.Mapping[str, t.Any], *, check: bool, diff: bool) -> Report:
    """Write what nginx includes; report it as a change of the node."""
    files = [
        {
            "space": name,
            "kind": "nginx",
            "path": os.path.join(wanted["nginx_directory"], name),
            "content": wanted[key],
            "uid": 0,
            "gid": 0,
            "mode": 0o644,
        }
        for name, key in (("tenants.map", "map"), ("names.conf", "names"))
    ]
    report = _files.converge(files, check=check, diff=diff)
    report.node_changes = [said for changes in report.changes.values() for said in changes]
    report.changes = {}
    return report


def remove(
    report: Report, wanted: t.Mapping[str, t.Any], shard: str, hosts: set[str], *, check: bool
) -> None:
    """Take tenants out of a shard; one that holds something of somebody else's is named."""
    for host in sorted(hosts):
        place = os.path.join(folder(wanted, shard), host)
        try:
            others = sorted(set(os.listdir(place)) - {SECRET_FILE})
            if others:
                report.fail(host, f"{place} holds {', '.join(others)}: move it, then run again")
                continue
            if not check:
                if os.path.lexists(os.path.join(place, SECRET_FILE)):
                    os.unlink(os.path.join(place, SECRET_FILE))
                os.rmdir(place)
        except OSError as error:
            report.fail(host, f"{place}: {error.strerror}")
            continue
        report.change(f"{shard}/{host}", "removed")
