# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The files of an environment as they were at a commit, in a folder of their own.

Every path keeps its place below that folder, so that an inventory finds its registry and its links
lead where they led. What lies in another repository than the registry is taken as it is now.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    escaped,
    quoted,
    shown,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# No option of git's, and nothing that only a shell would make something of.
_REFERENCE = re.compile(r"[A-Za-z0-9_][\w./@{}^~+-]*")
_GIT_SECONDS = 300
# Links that lead to links, as deep as anybody nests them.
_DEPTH = 8


class SnapshotError(Exception):
    """The base cannot be had."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A git repository with the commit that is compared with."""

    top: Path
    commit: str


def run_git(folder: Path, *arguments: str, **options: t.Any) -> bytes:
    """Run git and return what it says.

    Raises:
        SnapshotError: it is not there, fails or does not end.

    """
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, check=False, timeout=_GIT_SECONDS, **options
        )
    except FileNotFoundError:
        raise SnapshotError(_("git is not installed, and base=… needs it; install it")) from None
    except subprocess.TimeoutExpired:
        text = _(
            "{command} did not end in {seconds} s; look at {folder}",
            command=f"`git {arguments[0]}`",
            seconds=_GIT_SECONDS,
            folder=shown(folder),
        )
        raise SnapshotError(text) from None
    if done.returncode:
        said = escaped(done.stderr.decode(errors="replace").strip())
        command_ = f"`git {arguments[0]}`"
        text = _("{command} in {folder}: {said}", command=command_, folder=shown(folder), said=said)
        raise SnapshotError(text)
    return done.stdout


def find_base(registry: Path, reference: str) -> Repository:
    """Return the commit that a proposal began with: the last one that both have.

    Raises:
        SnapshotError: there is no such commit, or no repository.

    """
    if not _REFERENCE.fullmatch(reference):
        text = _(
            "base={found}: allowed: a branch, a tag or a commit, such as origin/main",
            found=quoted(reference),
        )
        raise SnapshotError(text)
    top = Path(os.fsdecode(run_git(registry, "rev-parse", "--show-toplevel")).rstrip("\n"))
    try:
        run_git(top, "rev-parse", "--verify", "--quiet", f"{reference}^{{commit}}")
    except SnapshotError:
        text = _(
            "base={found}: no such commit; fetch it (in CI: the whole history, depth 0), or name "
            "another",
            found=quoted(reference),
        )
        raise SnapshotError(text) from None
    try:
        commit = run_git(top, "merge-base", reference, "HEAD").decode().strip()
    except SnapshotError:
        text = _(
            "base={found} and what is checked out have no commit in common; fetch the whole "
            "history (in CI: depth 0)",
            found=quoted(reference),
        )
        raise SnapshotError(text) from None
    return Repository(top, commit)


def take(repository: Repository, roots: Iterable[Path], target: Path) -> None:
    """Put the folders `roots` as they were into `target`, each at its own place below it.

    Raises:
        SnapshotError: git fails.
        OSError: they cannot be written.

    """
    inside = [root for root in roots if root.is_relative_to(repository.top)]
    for root in roots:
        if root not in inside and root.is_dir():
            _copy(root, below(target, root))
    _check_out(repository, inside, target)
    for root in roots:
        _mend_links(repository, below(target, root), target, _DEPTH)


def below(target: Path, path: Path) -> Path:
    """The place of a path in a snapshot."""
    return target / path.relative_to("/")


def _copy(root: Path, place: Path) -> None:
    """Copy what is in no repository of ours, but for keys, whose names begin with a dot."""
    ignore = shutil.ignore_patterns(".*")
    shutil.copytree(root, place, symlinks=True, ignore=ignore, dirs_exist_ok=True)


def _check_out(repository: Repository, folders: Sequence[Path], target: Path) -> None:
    """Write the files of folders with an index of our own: what is checked out stays as it is."""
    if not folders:
        return
    names = [str(folder.relative_to(repository.top)) for folder in folders]
    index = {**os.environ, "GIT_INDEX_FILE": str(target / ".index")}
    top = repository.top
    run_git(top, "read-tree", repository.commit, env=index)
    files = run_git(top, "--literal-pathspecs", "ls-files", "-z", "--", *names, env=index)
    place = below(target, top)
    place.mkdir(parents=True, exist_ok=True)
    run_git(
        top,
        *("checkout-index", "--force", "--quiet", f"--prefix={place}/", "-z", "--stdin"),
        env=index,
        input=files,
    )


def _mend_links(repository: Repository, folder: Path, target: Path, depth: int) -> None:
    """Fetch what links lead to, or let them lead to where it lies outside the repository."""
    wanted: dict[Path, None] = {}
    for path in _links(folder):
        written = path.readlink()
        there = Path(os.path.normpath(path.parent / written))
        real = (
            Path("/", *there.relative_to(target).parts) if there.is_relative_to(target) else there
        )
        if real.is_relative_to(repository.top):
            path.unlink()
            path.symlink_to(below(target, real))
            if not below(target, real).exists():
                wanted[real] = None
        elif real.exists():
            path.unlink()
            path.symlink_to(real)
    if wanted and depth:
        _check_out(repository, list(wanted), target)
        for real in wanted:
            _mend_links(repository, below(target, real), target, depth - 1)


def _links(folder: Path) -> list[Path]:
    found = [folder] if folder.is_symlink() else []
    for place, folders, files in os.walk(folder):
        found += [path for name in (*folders, *files) if (path := Path(place, name)).is_symlink()]
    return found


def list_outside(repository: Repository, roots: Iterable[Path]) -> tuple[str, ...]:
    """Return the files that differ from the base and lie in none of the folders.

    Raises:
        SnapshotError: git fails.

    """
    changed = run_git(
        repository.top, "diff", "--name-only", "-z", "--no-renames", repository.commit
    )
    new = run_git(repository.top, "ls-files", "-z", "--others", "--exclude-standard")
    names = {os.fsdecode(name) for name in (changed + new).split(b"\0") if name}
    return tuple(
        sorted(
            name
            for name in names
            if not any((repository.top / name).is_relative_to(root) for root in roots)
        )
    )
