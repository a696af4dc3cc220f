# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What a node and its spaces have on disk, one part after the other in one process."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import Report
from ansible_collections.archipel.spaces.plugins.module_utils._system import _accounts, _quotas
from ansible_collections.archipel.spaces.plugins.module_utils._web import _managed_files, _vhosts

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import (
        Directories,
        File,
        KnownNames,
        OfSpace,
        Quotas,
        SpacesFiles,
    )

Of = t.TypeVar("Of", bound="OfSpace")
VHOST = "vhost"


def leave_out_failed(items: t.Iterable[Of], report: Report) -> list[Of]:
    """Return the items of the spaces that have not failed. Pure."""
    return [item for item in items if item["space"] not in report.failures]


def select_vhosts(items: t.Iterable[File]) -> list[File]:
    """Return those of the files that are vhosts. Pure."""
    return [item for item in items if item["kind"] == VHOST]


def read_node(wanted: SpacesFiles) -> tuple[dict[str, str], dict[str, KnownNames]]:
    """Return the vhosts that are there, and what the registry knows of their names."""
    return _vhosts.read(wanted["names"]["directory"]), wanted["names"]["known"]


def refuse(plan: _vhosts.Plan, report: Report) -> None:
    """Note which spaces cannot have their names."""
    for slug, reason in plan.refused.items():
        report.fail(slug, reason)


def converge_names(wanted: SpacesFiles, report: Report, *, check: bool, diff: bool) -> None:
    """Bring the vhosts to what they shall be: names that change hands are free in between.

    Raises:
        FilesError: nginx would refuse them.

    """
    plan = _vhosts.plan(
        select_vhosts(leave_out_failed(wanted["files"], report)), *read_node(wanted)
    )
    refuse(plan, report)
    first = _managed_files.converge(plan.first, check=check, diff=diff)
    add_files(report, first)
    for slug, reason in _vhosts.explain_failures(plan, first.failures).items():
        report.fail(slug, reason)
    add_files(
        report, _managed_files.converge(leave_out_failed(plan.then, report), check=check, diff=diff)
    )
    if check:
        report.facts["vhosts"] = list_expected([*plan.first, *plan.then], report)


def list_expected(items: t.Iterable[File], report: Report) -> dict[str, str]:
    """Return what changed vhosts would hold, by slug: check mode's later tasks read it. Pure."""
    changed = set(report.facts["kinds"].get(VHOST, ()))
    return {item["space"]: item["content"] for item in items if item["space"] in changed}


def converge_server_names(wanted: SpacesFiles, *, check: bool, diff: bool) -> Report:
    """Let nginx answer for the own domains that are on the node, in a file of the registry or not.

    Raises:
        FilesError: nginx would refuse it.

    """
    names = wanted["names"]
    found = _vhosts.list_uncovered(_vhosts.read(names["directory"]), names["served"])
    item = _vhosts.plan_own_domains(names, found)
    report = _managed_files.converge([item], check=check, diff=diff)
    for said in report.changes.pop(item["space"], ()):
        report.node_change(said)
    report.facts.clear()
    return report


def add_files(report: Report, files: Report) -> None:
    """Take over what a report of files says; which kinds there are in both."""
    kinds = dict(report.facts.get("kinds", {}))
    for kind, slugs in files.facts["kinds"].items():
        kinds[kind] = sorted({*kinds.get(kind, ()), *slugs})
    report.add(files)
    report.facts["kinds"] = kinds


def converge(wanted: SpacesFiles, *, check: bool, diff: bool) -> Report:
    """Bring the node's own files, then users, directories, files and limits to what they shall be.

    In one process: starting a module costs a node a third of a second, changed or not,
    and comparing the users of a thousand spaces a hundredth.

    Raises:
        FilesError: files of the node itself could not be written.
        FilesystemError: no storage limit would hold on this node.

    """
    report = Report()
    node = _managed_files.converge_node(wanted["node"], check=check, diff=diff)
    report.diffs += node.diffs
    for path, changes in node.changes.items():
        report.node_change(f"{path}: {', '.join(changes)}")
    # Before anything is made for a space that cannot have its name.
    refuse(_vhosts.plan(select_vhosts(wanted["files"]), *read_node(wanted)), report)
    report.add(_accounts.converge_users(**wanted["users"], check=check))
    declared = wanted["directories"]
    folders: Directories = {**declared, "wanted": leave_out_failed(declared["wanted"], report)}
    report.add(_accounts.converge_directories(**folders, check=check))
    converge_names(wanted, report, check=check, diff=diff)
    report.add(converge_server_names(wanted, check=check, diff=diff))
    files = [item for item in leave_out_failed(wanted["files"], report) if item["kind"] != VHOST]
    add_files(report, _managed_files.converge(files, check=check, diff=diff))
    # Before Nextcloud writes the first file there.
    quotas = wanted["quotas"]
    limits: Quotas = {**quotas, "wanted": leave_out_failed(quotas["wanted"], report)}
    report.add(_quotas.converge(**limits, check=check))
    return report
