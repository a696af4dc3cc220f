# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Read the registry: one folder, one YAML file per association.

Nothing here trusts the files: they are small, plain text, inside the folder, and never templated.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import time
import typing as t
import unicodedata
from dataclasses import dataclass, field

from ansible_collections.archipel.spaces.plugins.plugin_utils import _strict_yaml
from ansible_collections.archipel.spaces.plugins.plugin_utils._problem import (
    Problem,
    RegistryError,
    display_path,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SUFFIX = ".yml"
SLUG = re.compile(r"(?=.{2,26}\Z)[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
SLUG_ALLOWED = "lower-case letters, digits and single inner hyphens, beginning with a letter, 2 to 26 characters"

# What editors, patch and version control leave behind, and what explains the folder.
_IGNORED = re.compile(r"\..*|.*~|#.*#|.*\.(swp|bak|orig|rej|tmp|md|txt)|README.*")
# A file younger than this may change again without its time stamp moving: it is not cached.
_RACY_NS = 2_000_000_000

Signature = tuple[int, int, int, int]
Check = t.Callable[["Record"], "list[Problem]"]


@dataclass(slots=True)
class Record:
    """One association's file: what it says, and where it says it."""

    slug: str
    path: str
    data: dict[str, t.Any]
    _lines: _strict_yaml.Lines | None = field(default=None, repr=False, compare=False)

    def problem(self, text: str, *place: str | int) -> Problem:
        """A problem of this file at the line of a key (or of the nearest key around it)."""
        key = ".".join(map(str, place))
        return Problem(self.path, text, self._line(place), key, self.slug)

    def _line(self, place: _strict_yaml.Path) -> int | None:
        if self._lines is None:
            # Lines are only wanted for the few files that have problems.
            self._lines = _read_lines(self.path)
        while place and place not in self._lines:
            place = place[:-1]
        return self._lines.get(place, 1)


@dataclass(slots=True)
class Registry:
    """What the folder holds: the readable files, and what is wrong with the others."""

    folder: str
    records: list[Record] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    files: int = 0


class Cache:
    """Checked records of an earlier run, good for as long as the file is the very same."""

    def __init__(self, version: str, text: str | None = None) -> None:
        self._version = version
        self._known: dict[str, tuple[Signature, dict[str, t.Any]]] = {}
        self._fresh: dict[str, tuple[Signature, dict[str, t.Any]]] = {}
        if text:
            self._known = self._loads(text)

    def _loads(self, text: str) -> dict[str, tuple[Signature, dict[str, t.Any]]]:
        try:
            stored = json.loads(text)
            if stored["version"] != self._version:
                return {}
            return {
                name: (tuple(signature), data)
                for name, (signature, data) in stored["files"].items()
            }
        except (ValueError, TypeError, KeyError, AttributeError):
            return {}  # somebody else's or an older format: read the files again

    def get(self, name: str, signature: Signature) -> dict[str, t.Any] | None:
        """The record of a file that has not changed."""
        known = self._known.get(name)
        if known is None or known[0] != signature:
            return None
        self._fresh[name] = known
        return known[1]

    def put(self, name: str, signature: Signature, data: dict[str, t.Any]) -> None:
        """Remember a record, unless its file is so young that a change could go unseen."""
        if time.time_ns() - max(signature[2:]) > _RACY_NS:
            self._fresh[name] = (signature, data)

    def dumps(self) -> str:
        """What the next run should be given: opaque to cache plugins, and fast to read."""
        return json.dumps(
            {"version": self._version, "files": self._fresh},
            ensure_ascii=False,
            separators=(",", ":"),
        )


def read(folder: str, cache: Cache, check: Check) -> Registry:
    """Read every file; `check` says what is wrong with the content of one."""
    registry = Registry(folder)
    for name, path in _list(folder):
        registry.files += 1
        slug, problem = _slug(name, path)
        if problem is None:
            record, problems = _read_one(name, slug, path, folder, cache, check)
            if record is not None:
                registry.records.append(record)
        else:
            problems = [problem]
        registry.problems += problems
    return registry


def _list(folder: str) -> Iterator[tuple[str, str]]:
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        remedy = "create it, with one file per association, or set `registry` in the inventory file"
        raise RegistryError(
            [Problem(folder, f"the registry folder cannot be read ({error.strerror}); {remedy}")]
        ) from error
    for name in names:
        if not _IGNORED.fullmatch(name):
            yield name, os.path.join(folder, name)


def _slug(name: str, path: str) -> tuple[str, Problem | None]:
    stem, suffix = os.path.splitext(name)
    proposal = suggest_slug(stem)
    if suffix != SUFFIX:
        remedy = (
            f"rename it to {proposal}{SUFFIX}"
            if suffix.lower() in {".yaml", SUFFIX}
            else "move it out of the registry"
        )
        return stem, Problem(path, f"the name does not end in {SUFFIX}; {remedy}", slug=stem)
    if not SLUG.fullmatch(stem):
        remedy = f"rename the file, for instance to {proposal}{SUFFIX}"
        return stem, Problem(
            path,
            f'found the slug "{printable_slug(stem)}"; allowed: {SLUG_ALLOWED}; {remedy}',
            slug=stem,
        )
    return stem, None


def printable_slug(stem: str) -> str:
    """A file name's stem that cannot disturb a terminal."""
    return stem.encode("unicode_escape").decode() if not stem.isprintable() else stem


def suggest_slug(text: str) -> str:
    """The nearest allowed slug: `Vélo_École` becomes `velo-ecole`."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", ascii_text).lstrip("-0123456789")
    slug = words[:26].strip("-")
    return slug if SLUG.fullmatch(slug) else "my-association"


def _read_one(
    name: str, slug: str, path: str, folder: str, cache: Cache, check: Check
) -> tuple[Record | None, list[Problem]]:
    try:
        signature = _signature(path, folder)
        data = cache.get(name, signature)
        if data is not None:
            return Record(slug, path, data), []
        content = _strict_yaml.load(_bytes(path))
    except _UnreadableError as error:
        return None, [Problem(path, str(error), slug=slug)]
    except _strict_yaml.StrictYamlError as error:
        return None, [Problem(path, str(error), error.line, slug=slug)]
    record = Record(slug, path, content)
    problems = check(record)
    if problems:
        return None, problems
    cache.put(name, signature, content)
    return record, []


class _UnreadableError(Exception):
    """The file is there, but it cannot or may not be read."""


def _signature(path: str, folder: str) -> Signature:
    try:
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            _check_link(path, folder)
            status = os.stat(path)
    except OSError as error:
        raise _UnreadableError(_cannot_be_read(error)) from error
    if not stat.S_ISREG(status.st_mode):
        raise _UnreadableError(
            "not a plain file; allowed: one YAML file per association, no folders; move it out of the registry"
        )
    if status.st_size > _strict_yaml.MAX_BYTES:
        raise _UnreadableError(
            f"{status.st_size} bytes; allowed: at most {_strict_yaml.MAX_BYTES}, a space needs a few hundred"
        )
    # The change time moves even when somebody sets the modification time back.
    return status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns


def _check_link(path: str, folder: str) -> None:
    target, inside = os.path.realpath(path), os.path.realpath(folder)
    if os.path.dirname(target) != inside and not target.startswith(inside + os.sep):
        raise _UnreadableError(
            f"a link to {display_path(target)}, outside the registry; allowed: plain files; put the content here"
        )


def _bytes(path: str) -> bytes:
    try:
        # Never wait for a pipe that took the file's place.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            return file.read(_strict_yaml.MAX_BYTES + 1)
    except OSError as error:
        raise _UnreadableError(_cannot_be_read(error)) from error


def _cannot_be_read(error: OSError) -> str:
    remedy = (
        "make it readable for the user who runs Ansible"
        if error.errno == errno.EACCES
        else "restore the file or remove it"
    )
    return f"cannot be read ({error.strerror}); {remedy}"


def _read_lines(path: str) -> _strict_yaml.Lines:
    lines: _strict_yaml.Lines = {}
    try:
        _strict_yaml.load(_bytes(path), lines)
    except (_UnreadableError, _strict_yaml.StrictYamlError):
        return {}  # it changed under our feet: the problem is told without a line
    return lines
