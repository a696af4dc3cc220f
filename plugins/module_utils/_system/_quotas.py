# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Bring the storage limits of all the spaces of a node to what the registry says.

What a space writes without bounds, its data and its temporary files, belongs to a project of
the file system, and the project has a limit. Two things make that hold: every file carries the
project's number (new ones inherit it), and the number has a limit. Both are read first; what
differs is planned by pure functions.

The trees of a space are marked one by one, and count together: its data first, which restores
exchange as a whole, then the others.
"""

from __future__ import annotations

import os
import typing as t
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from ansible_collections.archipel.spaces.plugins.module_utils._core import _files
from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import Report
from ansible_collections.archipel.spaces.plugins.module_utils._system import (
    _filesystem,
    _projects,
    _quotactl,
)

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import (
        Limit,
        Quotas,
    )

# Beside a space's trees while existing files get their project: a run that was cut short
# must not be taken for one that finished.
JOURNAL = ".tagging"
PROJECTS = "/etc/projects"
GIB = 1 << 30


class QuotaError(Exception):
    """One space's limit cannot be set; the text says why and what to do."""


@dataclass(frozen=True)
class State:
    """What is there of one space: the projects of its trees, and use and limits of the id."""

    # In the order of the space's paths.
    tags: tuple[_quotactl.Tag, ...]
    quota: _quotactl.Quota
    interrupted: bool = False
    # Paths that /etc/projects gives the same number to.
    claimed: tuple[str, ...] = ()
    # Files and folders that carry the number in trees beside data without it; 0 if data have it.
    counted: int = 0


@dataclass(frozen=True)
class Plan:
    """What one space needs."""

    # The trees to mark.
    tag: tuple[str, ...] = ()
    limit: bool = False


@dataclass(frozen=True)
class Run:
    """What is the same for all the spaces of a run."""

    root: int
    filesystem: _filesystem.Filesystem
    owners: t.Mapping[int, int]
    claimed: t.Mapping[int, list[str]]
    allow_over: bool
    verify: bool
    check: bool


def format_gib(number: int) -> str:
    """Return bytes in the unit of the registry. Pure."""
    return f"{number / GIB:.4g} GB" if number else "none"


def format_limits(wanted: Limit, quota: _quotactl.Quota) -> tuple[str, str]:
    """Return a limit before and after in words. Pure."""
    return (
        f"{format_gib(quota.limit_bytes)}, {quota.limit_files or 'any number of'} files",
        f"{format_gib(wanted['bytes'])}, {wanted['files']} files",
    )


def check_wanted(item: Limit, owners: t.Mapping[int, int]) -> None:
    """Refuse what can be no limit. Pure.

    Raises:
        QuotaError: the number is taken by two spaces, or the limit is not one.

    """
    if owners[item["id"]] > 1:
        raise QuotaError(
            f"id {item['id']} is given to {owners[item['id']]} spaces of this node: one limit "
            "would hold for all of them together. Mend placement.yml"
        )
    if item["id"] < 1 or item["bytes"] < 1 or item["files"] < 1:
        raise QuotaError(
            f"found id {item['id']}, {item['bytes']} bytes, {item['files']} files; allowed: whole "
            "numbers above 0. A limit of 0 would be none: correct limits.storage_gb in its file"
        )


def check_collision(item: Limit, state: State) -> None:
    """Refuse an id that something else on the file system carries already. Pure.

    Raises:
        QuotaError: it does.

    """
    number, paths = item["id"], item["paths"]
    foreign = [claim for claim in state.claimed if claim not in paths]
    if foreign:
        raise QuotaError(
            f"{PROJECTS} gives project {number} to {', '.join(foreign)}: remove that line, or the "
            "limit would count those files too"
        )
    for path, tag in zip(paths, state.tags, strict=True):
        if tag.project not in (0, number):
            raise QuotaError(
                f"{path} carries project {tag.project}, not {number}: somebody else limits it. "
                f"If nobody does, take it away: chattr -R -p 0 {path}"
            )
    elsewhere = state.quota.files - state.counted
    if not state.tags[0].project and not state.interrupted and elsewhere > 0:
        raise QuotaError(
            f"project {number} already holds {elsewhere} files outside {' and '.join(paths)}. Find "
            f"them: find {os.path.dirname(find_home(item))} -xdev -type d -exec lsattr -pd {{}} + "
            f"| grep '^ *{number} '; give them back with chattr -R -p 0 DIRECTORY, or remove them"
        )


def plan(item: Limit, state: State, *, verify: bool) -> Plan:
    """Return what one space needs. Pure.

    Raises:
        QuotaError: the id belongs to something else.

    """
    check_collision(item, state)
    quota = state.quota
    limits = (quota.limit_bytes, quota.limit_files, quota.soft)
    every, wanted = verify or state.interrupted, _quotactl.Tag(item["id"], inherit=True)
    tags = zip(item["paths"], state.tags, strict=True)
    return Plan(
        tag=tuple(path for path, tag in tags if every or tag != wanted),
        limit=limits != (item["bytes"], item["files"], False),
    )


def is_over(item: Limit, quota: _quotactl.Quota) -> bool:
    """Tell whether a space uses more than it shall have. Pure."""
    return quota.used_bytes > item["bytes"] or quota.files > item["files"]


def refuse_over(item: Limit, quota: _quotactl.Quota, *, allow_over: bool) -> None:
    """Refuse a limit that is below what the space uses. Pure.

    Raises:
        QuotaError: it is, and nobody said that this is meant.

    """
    if is_over(item, quota) and not allow_over:
        raise QuotaError(
            f"uses {format_gib(quota.used_bytes)} in {quota.files} files; its limit would be "
            f"{format_gib(item['bytes'])} and {item['files']} files, and it could store nothing "
            "more. Let it free some first, raise limits.storage_gb, or run with -e "
            "allow_over=true. Its "
            f"limit stays as it was: {format_gib(quota.limit_bytes)}"
        )


def parse_claims(text: str) -> dict[int, list[str]]:
    """Return project → paths of the lines of /etc/projects. Pure."""
    found: dict[int, list[str]] = {}
    for line in text.splitlines():
        number, colon, path = line.partition(":")
        if colon and number.strip().isdigit():
            found.setdefault(int(number), []).append(path.strip().rstrip("/"))
    return found


def read_claims() -> dict[int, list[str]]:
    """Return what /etc/projects says, if there is one."""
    return parse_claims(_files.read_text(PROJECTS))


def read_state(item: Limit, run: Run) -> State:
    """Read what is there of one space.

    Raises:
        QuotaError: its files are not where a limit would hold.

    """
    device = os.fstat(run.root).st_dev
    quota = _quotactl.read(run.root, item["id"])
    tags, counted = [], 0
    with ExitStack() as stack:
        for path in item["paths"]:
            _projects.refuse_mounts(path, run.filesystem.mounts_below)
            try:
                tree = _projects.open_tree(path, device, stack)
            except FileNotFoundError:
                tags.append(_quotactl.Tag(0, inherit=False))
                continue
            tags.append(_quotactl.tag(tree))
            if quota.files and not tags[0].project and tags[-1].project == item["id"]:
                counted += _projects.count_carrying(tree, item["id"])
    interrupted = os.path.lexists(find_journal(item))
    taken = tuple(run.claimed.get(item["id"], ()))
    return State(tuple(tags), quota, interrupted, taken, counted)


def find_home(item: Limit) -> str:
    """Return a space's folder, which holds its trees. Pure."""
    return os.path.dirname(item["paths"][0])


def find_place(error: OSError, item: Limit) -> str:
    """Return what an error is about: one of the space's trees, or its folder. Pure.

    Names of what people stored in there are theirs.
    """
    return str(error.filename) if error.filename in item["paths"] else find_home(item)


def find_journal(item: Limit) -> str:
    """Return the path of a space's journal: outside its trees, where its user cannot write."""
    return f"{find_home(item)}/{JOURNAL}"


def mark(item: Limit, paths: t.Sequence[str], run: Run, state: State, report: Report) -> int:
    """Mark trees of a space; return how many bytes a check run would have marked."""
    device = os.fstat(run.root).st_dev
    found = _projects.mark_trees(paths, item["id"], find_journal(item), device, check=run.check)
    if found.wrong or state.interrupted:
        report.change(
            item["space"], f"marked as project {item['id']}: {found.wrong} files and folders"
        )
    return found.bytes if run.check else 0


def converge_space(item: Limit, run: Run, report: Report) -> _quotactl.Quota:
    """Bring one space's limit to what it shall be; return its use and limit then.

    Raises:
        QuotaError: it cannot be.
        OSError: the file system refused.

    """
    check_wanted(item, run.owners)
    state = read_state(item, run)
    steps = plan(item, state, verify=run.verify)
    unmarked = mark(item, steps.tag, run, state, report) if steps.tag else 0
    marked = bool(steps.tag) and not run.check
    quota = _quotactl.read(run.root, item["id"]) if marked else state.quota
    quota = replace(quota, used_bytes=quota.used_bytes + unmarked)
    refuse_over(item, quota, allow_over=run.allow_over or not steps.limit)
    if not steps.limit:
        return quota
    before, after = format_limits(item, state.quota)
    report.change(item["space"], f"storage {before} → {after}")
    report.diff(f"storage of {item['space']}", f"{before}\n", f"{after}\n")
    if run.check:
        return quota
    _quotactl.limit(run.root, item["id"], item["bytes"], item["files"])
    return replace(quota, limit_bytes=item["bytes"], limit_files=item["files"])


def report_usage(quota: _quotactl.Quota) -> dict[str, int]:
    """Return a space's use and limits as the module reports them. Pure."""
    return {
        "used_bytes": quota.used_bytes,
        "limit_bytes": quota.limit_bytes,
        "files": quota.files,
        "limit_files": quota.limit_files,
    }


def converge(
    wanted: t.Sequence[Limit],
    ids: t.Iterable[int],
    root: str,
    backend: str,
    *,
    allow_over: bool,
    verify: bool,
    check: bool,
) -> Report:
    """Set the limits of all spaces; one that cannot be set does not stop the others.

    Raises:
        FilesystemError: no limit would hold on this node.

    """
    report = Report()
    report.facts |= {"usage": {}, "over": []}
    if backend == "none":
        return report
    filesystem = _filesystem.find(root)
    _filesystem.check(filesystem, backend)
    if not wanted:
        return report
    with open_root(_filesystem.find_existing(filesystem.path)) as descriptor:
        run = Run(descriptor, filesystem, Counter(ids), read_claims(), allow_over, verify, check)
        for item in wanted:
            try:
                quota = converge_space(item, run, report)
            except (QuotaError, _projects.ProjectError) as error:
                report.fail(item["space"], str(error))
                continue
            except OSError as error:
                report.fail(item["space"], f"{find_place(error, item)}: {error.strerror}")
                continue
            report.facts["usage"][item["space"]] = report_usage(quota)
            if is_over(item, quota):
                report.facts["over"].append(item["space"])
    return report


@contextmanager
def open_root(path: str) -> t.Iterator[int]:
    """Open the folder of the spaces.

    Raises:
        FilesystemError: it is a link or no folder.

    """
    with ExitStack() as stack:
        try:
            descriptor = stack.enter_context(_quotactl.opened(path))
        except OSError as error:
            raise _filesystem.FilesystemError(
                f"{path} must be a directory and no link ({error.strerror}): name the directory "
                "itself in spaces_root, quotas_directory and backup_spaces_directory"
            ) from error
        yield descriptor


def list_warnings(wanted: Quotas, report: Report) -> list[str]:
    """Return what people must read in each run. Pure."""
    if wanted["backend"] == "none":
        return [_filesystem.UNLIMITED.format(path=wanted["root"])]
    over = report.facts["over"]
    if not over:
        return []
    return [f"These spaces use more than their limit and can store nothing more: {', '.join(over)}"]
