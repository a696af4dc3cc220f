# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Secrets of tenants, one small folder each, and what nginx knows of them."""

from __future__ import annotations

import grp
import json
import os
import typing as t
import urllib.request

from ansible_collections.archipel.spaces.plugins.module_utils._core import _files
from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import Report
from ansible_collections.archipel.spaces.plugins.module_utils._web import _managed_files

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._nextcloud_payloads import (
        OnlyofficeTenants,
    )
    from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import File

SECRET_FILE = "secret.key"
FOLDER_MODE = 0o755
INFO_PATH = "/info/info.json"
INFO_SECONDS = 5
HELD_BACK = (
    "the old secret stays, for what is open could not be saved with a new one. Run again when they "
    "are done, or go on anyway with -e onlyoffice_rotate_while_open=true"
)


def converge(wanted: OnlyofficeTenants, *, check: bool, diff: bool) -> Report:
    """Bring secrets and names to their wanted state.

    A new name is answered only once its secret is there, and an old secret goes only once
    nobody is led to it.
    """
    report = Report()
    found = {name: list_present(find_folder(wanted, name)) for name in wanted["secrets"]}
    files = [item for name in wanted["secrets"] for item in plan_secrets(wanted, name)]
    refused = {} if wanted["rotate_while_open"] else find_open(wanted, filter(replaces, files))
    files = [item for item in files if item["space"] not in refused]
    if not check:
        make_folders([item["path"] for item in files])
    report.add(_managed_files.converge(files, check=check, diff=False))
    slugs = {f"{shard}/{host}": slug for shard, host, slug in wanted["slugs"]}
    report.facts = {
        "rotated": list_rotated(report.changes),
        "refused": {slugs[name]: reason for name, reason in refused.items()},
    }
    if not report.failures:
        try:
            report.add(write_nginx(wanted, check=check, diff=diff))
        except _managed_files.FilesError as error:
            report.fail(wanted["nginx_directory"], str(error))
    if not report.failures:
        for name, hosts in found.items():
            remove(report, wanted, name, hosts - wanted["secrets"][name].keys(), check=check)
    report.facts.pop("kinds", None)
    return report


def find_folder(wanted: OnlyofficeTenants, shard: str) -> str:
    """Return where the tenants of a shard are. Pure."""
    return os.path.join(wanted["directory"], shard, "tenants")


def list_present(path: str) -> set[str]:
    """Return the tenants that a shard has."""
    try:
        with os.scandir(path) as entries:
            return {entry.name for entry in entries if entry.is_dir(follow_symlinks=False)}
    except FileNotFoundError:
        return set()


def plan_secrets(wanted: OnlyofficeTenants, shard: str) -> list[File]:
    """Return the secrets of one shard as files. No line end: the server would warn of it."""
    gid = find_group(wanted["groups"][shard])
    return [
        {
            "space": f"{shard}/{host}",
            "kind": "secret",
            "path": os.path.join(find_folder(wanted, shard), host, SECRET_FILE),
            "content": secret,
            "uid": 0,
            "gid": gid,
            "mode": 0o640,
        }
        for host, secret in sorted(wanted["secrets"][shard].items())
    ]


def find_group(name: str) -> int:
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


def list_rotated(changes: t.Mapping[str, list[str]]) -> list[str]:
    """Return the tenants whose secret was another one before. Pure."""
    return sorted(name for name, said in changes.items() if any("content" in s for s in said))


def replaces(item: File) -> bool:
    """Tell whether a secret would take another one's place."""
    state = _files.read_file(item["path"])
    return state is not None and state.content not in (None, item["content"].encode())


def find_open(wanted: OnlyofficeTenants, files: t.Iterable[File]) -> dict[str, str]:
    """Return why secrets cannot be replaced now: somebody would lose what they type."""
    found = {}
    for item in files:
        shard, _, host = item["space"].partition("/")
        try:
            people = count_editing(wanted["ports"][shard], host)
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = f"the shard {shard} does not say whether documents are open ({error})"
            found[item["space"]] = f"{reason}; {HELD_BACK}"
        else:
            if people:
                reason = f"people have documents open in it ({people} of them)"
                found[item["space"]] = f"{reason}; {HELD_BACK}"
    return found


def count_editing(port: int, host: str) -> int:
    """Ask a shard, past nginx, how many people are editing in a tenant."""
    address = f"http://127.0.0.1:{port}{INFO_PATH}"
    request = urllib.request.Request(address, headers={"Host": host})
    with urllib.request.urlopen(request, timeout=INFO_SECONDS) as answer:
        return int(json.load(answer)["quota"]["edit"]["connectionsCount"])


def write_nginx(wanted: OnlyofficeTenants, *, check: bool, diff: bool) -> Report:
    """Write what nginx includes; report it as a change of the node."""
    files: list[File] = [
        {
            "space": name,
            "kind": "nginx",
            "path": os.path.join(wanted["nginx_directory"], name),
            "content": content,
            "uid": 0,
            "gid": 0,
            "mode": 0o644,
        }
        for name, content in (("tenants.map", wanted["map"]), ("names.conf", wanted["names"]))
    ]
    report = _managed_files.converge(files, check=check, diff=diff)
    report.node_changes = [said for changes in report.changes.values() for said in changes]
    report.changes = {}
    return report


def remove(
    report: Report, wanted: OnlyofficeTenants, shard: str, hosts: set[str], *, check: bool
) -> None:
    """Take tenants out of a shard; one that holds something of somebody else's is named."""
    for host in sorted(hosts):
        place = os.path.join(find_folder(wanted, shard), host)
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
