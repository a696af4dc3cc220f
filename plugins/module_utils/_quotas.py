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
import stat
import typing as t
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace

from ansible_collections.archipel.spaces.plugins.module_utils import (
    _files,
    _filesystem,
    _quotactl,
)
from ansible_collections.archipel.spaces.plugins.module_utils._spaces import Report

# Beside a space's trees while existing files get their project: a run that was cut short
# must not be taken for one that finished.
JOURNAL = ".tagging"
PROJECTS = "/etc/projects"
GIB = 1 << 30
Item = t.Mapping[str, t.Any]


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


def gib(number: int) -> str:
    """Return bytes in the unit of the registry. Pure."""
    return f"{number / GIB:.4g} GB" if number else "none"


def shown(wanted: Item, quota: _quotactl.Quota) -> tuple[str, str]:
    """Return a limit before and after in words. Pure."""
    return (
        f"{gib(quota.limit_bytes)}, {quota.limit_files or 'any number of'} files",
        f"{gib(wanted['bytes'])}, {wanted['files']} files",
    )


def check_wanted(item: Item, owners: t.Mapping[int, int]) -> None:
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


def check_collision(item: Item, state: State) -> None:
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
            f"them: find {os.path.dirname(home_of(item))} -xdev -type d -exec lsattr -pd {{}} + "
            f"| grep '^ *{number} '; give them back with chattr -R -p 0 DIRECTORY, or remove them"
        )


def plan(item: Item, state: State, *, verify: bool) -> Plan:
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


def is_over(item: Item, quota: _quotactl.Quota) -> bool:
    """Tell whether a space uses more than it shall have. Pure."""
    return quota.used_bytes > item["bytes"] or quota.files > item["files"]


def refuse_over(item: Item, quota: _quotactl.Quota, *, allow_over: bool) -> None:
    """Refuse a limit that is below what the space uses. Pure.

    Raises:
        QuotaError: it is, and nobody said that this is meant.

    """
    if is_over(item, quota) and not allow_over:
        raise QuotaError(
            f"uses {gib(quota.used_bytes)} in {quota.files} files; its limit would be "
            f"{gib(item['bytes'])} and {item['files']} files, and it could store nothing more. Let "
            "it free some first, raise limits.storage_gb, or run with -e allow_over=true. Its "
            f"limit stays as it was: {gib(quota.limit_bytes)}"
        )


def claims(text: str) -> dict[int, list[str]]:
    """Return project → paths of the lines of /etc/projects. Pure."""
    found: dict[int, list[str]] = {}
    for line in text.splitlines():
        number, colon, path = line.partition(":")
        if colon and number.strip().isdigit():
            found.setdefault(int(number), []).append(path.strip().rstrip("/"))
    return found


def read_claims() -> dict[int, list[str]]:
    """Return what /etc/projects says, if there is one."""
    return claims(_files.read_text(PROJECTS))


def refuse_mounts(path: str, mounts: t.Iterable[str]) -> None:
    """Refuse mounts on or below a space's tree: what is written there does not count. Pure.

    Raises:
        QuotaError: there is one.

    """
    inside = [mount for mount in mounts if f"{mount}/".startswith(f"{path}/")]
    if inside:
        raise QuotaError(
            f"{', '.join(inside)}: another file system is mounted there, outside the limit. "
            f"Unmount it; {path} must be a plain directory of the spaces' own file system"
        )


def open_tree(path: str, device: int, stack: ExitStack) -> int:
    """Open a tree of a space; neither it nor the space's folder may be a link.

    Raises:
        QuotaError: it is a link, something else, or on another file system.
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
        raise QuotaError(
            f"{path} or its folder is a link or no directory ({error.strerror}): files behind a "
            "link are outside the limit. Move them to where the link is, and run again"
        ) from error
    if os.fstat(tree).st_dev != device:
        raise QuotaError(
            f"{path} is on another file system than the spaces: its limit would hold nothing. Move "
            "its files back"
        )
    return tree


def read_state(item: Item, run: Run) -> State:
    """Read what is there of one space.

    Raises:
        QuotaError: its files are not where a limit would hold.

    """
    device = os.fstat(run.root).st_dev
    quota = _quotactl.read(run.root, item["id"])
    tags, counted = [], 0
    with ExitStack() as stack:
        for path in item["paths"]:
            refuse_mounts(path, run.filesystem.mounts_below)
            try:
                tree = open_tree(path, device, stack)
            except FileNotFoundError:
                tags.append(_quotactl.Tag(0, inherit=False))
                continue
            tags.append(_quotactl.tag(tree))
            if quota.files and not tags[0].project and tags[-1].project == item["id"]:
                counted += carrying(tree, item["id"])
    interrupted = os.path.lexists(journal_of(item))
    taken = tuple(run.claimed.get(item["id"], ()))
    return State(tuple(tags), quota, interrupted, taken, counted)


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
    moved in from outside.
    """
    visit(directory, _quotactl.Tag(project, inherit=bool(project)), found, check=check)
    device = os.fstat(directory).st_dev
    with os.scandir(directory) as entries:
        for entry in entries:
            folder = entry.is_dir(follow_symlinks=False)
            if not folder and not entry.is_file(follow_symlinks=False):
                # Links, sockets and pipes hold no data; the kernel gives no way to mark them.
                continue
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            try:
                inner = os.open(entry.name, flags, dir_fd=directory)
            except FileNotFoundError:
                continue
            try:
                visit_entry(inner, device, project, found, check=check)
            finally:
                os.close(inner)


def visit_entry(inner: int, device: int, project: int, found: Walk, *, check: bool) -> None:
    """Go on with one opened entry: it may have been exchanged since it was listed.

    Raises:
        QuotaError: it is on another file system.

    """
    info = os.fstat(inner)
    if info.st_dev != device:
        raise QuotaError("another file system was mounted inside while its files were marked")
    if stat.S_ISDIR(info.st_mode):
        walk(inner, project, found, check=check)
    elif stat.S_ISREG(info.st_mode):
        visit(inner, _quotactl.Tag(project, inherit=False), found, check=check)


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


def carrying(directory: int, project: int) -> int:
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


def tag_trees(item: Item, paths: t.Sequence[str], device: int, *, check: bool) -> Walk:
    """Mark trees of a space, with a journal that survives an interruption.

    Raises:
        QuotaError: they are not where a limit would hold.
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
                begin(journal_of(item))
            try:
                walk(tree, item["id"], found, check=check)
            except RecursionError as error:
                raise QuotaError(f"{path}: folders are nested too deeply to mark") from error
        if not check:
            with suppress(FileNotFoundError):
                os.unlink(journal_of(item))
    return found


def is_empty(directory: int) -> bool:
    """Tell whether there is nothing to lose sight of: a new space needs no journal."""
    with os.scandir(directory) as entries:
        return next(entries, None) is None


def home_of(item: Item) -> str:
    """Return a space's folder, which holds its trees. Pure."""
    return os.path.dirname(item["paths"][0])


def place_of(error: OSError, item: Item) -> str:
    """Return what an error is about: one of the space's trees, or its folder. Pure.

    Names of what people stored in there are theirs.
    """
    return str(error.filename) if error.filename in item["paths"] else home_of(item)


def journal_of(item: Item) -> str:
    """Return the path of a space's journal: outside its trees, where its user cannot write."""
    return f"{home_of(item)}/{JOURNAL}"


def begin(journal: str) -> None:
    """Write down, for good, that marking has begun."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(journal, flags, 0o600)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def mark(item: Item, paths: t.Sequence[str], run: Run, state: State, report: Report) -> int:
    """Mark trees of a space; return how many bytes a check run would have marked."""
    found = tag_trees(item, paths, os.fstat(run.root).st_dev, check=run.check)
    if found.wrong or state.interrupted:
        report.change(
            item["space"], f"marked as project {item['id']}: {found.wrong} files and folders"
        )
    return found.bytes if run.check else 0


def converge_space(item: Item, run: Run, report: Report) -> _quotactl.Quota:
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
    before, after = shown(item, state.quota)
    report.change(item["space"], f"storage {before} → {after}")
    report.diff(f"storage of {item['space']}", f"{before}\n", f"{after}\n")
    if run.check:
        return quota
    _quotactl.limit(run.root, item["id"], item["bytes"], item["files"])
    return replace(quota, limit_bytes=item["bytes"], limit_files=item["files"])


def usage(quota: _quotactl.Quota) -> dict[str, int]:
    """Return a space's use and limits as the module reports them. Pure."""
    return {
        "used_bytes": quota.used_bytes,
        "limit_bytes": quota.limit_bytes,
        "files": quota.files,
        "limit_files": quota.limit_files,
    }


def converge(
    wanted: t.Sequence[Item],
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
        FilesystemError: no limit would hold on this machine.

    """
    report = Report()
    report.facts |= {"usage": {}, "over": []}
    if backend == "none":
        return report
    filesystem = _filesystem.find(root)
    _filesystem.check(filesystem, backend)
    if not wanted:
        return report
    with _quotactl.opened(_filesystem.existing(filesystem.path)) as descriptor:
        run = Run(descriptor, filesystem, Counter(ids), read_claims(), allow_over, verify, check)
        for item in wanted:
            try:
                quota = converge_space(item, run, report)
            except QuotaError as error:
                report.fail(item["space"], str(error))
                continue
            except OSError as error:
                report.fail(item["space"], f"{place_of(error, item)}: {error.strerror}")
                continue
            report.facts["usage"][item["space"]] = usage(quota)
            if is_over(item, quota):
                report.facts["over"].append(item["space"])
    return report


def warnings(wanted: t.Mapping[str, t.Any], report: Report) -> list[str]:
    """Return what people must read in each run. Pure."""
    if wanted["backend"] == "none":
        return [_filesystem.UNLIMITED.format(path=wanted["root"])]
    over = report.facts["over"]
    if not over:
        return []
    return [f"These spaces use more than their limit and can store nothing more: {', '.join(over)}"]
