# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Read the registry: one folder, one YAML file per association.

Nothing here trusts the files: small, plain text, inside the folder, never templated.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import json
import os
import re
import stat
import time
import typing as t
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _, mark
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    Problem,
    RegistryError,
    escaped,
    shown,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Unchecked
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _logo, _strict_yaml

SUFFIX = ".yml"
SLUG = re.compile(r"(?=.{2,26}\Z)[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
SLUG_ALLOWED = mark(
    "2 to 26 lower-case letters, digits and single inner hyphens, beginning with a letter"
)

# Pictures that files name as their logo.
_LOGOS = tuple(f".{suffix}" for suffix in _logo.SUFFIXES)
# What editors, patch and version control leave behind.
_LEFTOVERS = re.compile(r"\..*|.*~|#.*#|.*\.(swp|bak|orig|rej|tmp)")
# What explains the folder.
_NOTES = re.compile(r".*\.(md|txt)|README", re.IGNORECASE)
# An association's file under a name that a program of somebody's made of it: velo.yml.txt.
_MISNAMED = re.compile(r"(.+?)[ _.-]*\.ya?ml\b.*", re.IGNORECASE | re.DOTALL)
# A file younger than this may change again without its time stamp moving: it is not cached.
_RACY_NS = 2_000_000_000
EXECUTABLE = 0o111

Signature = tuple[int, int, int, int]


@dataclass(slots=True)
class Record:
    """One association's file: what it says, and where it says it."""

    slug: str
    path: str
    data: Unchecked
    _lines: _strict_yaml.Lines | None = field(default=None, repr=False, compare=False)

    def problem(self, text: str, *place: str | int) -> Problem:
        """A problem of this file, at the line of a key or of the nearest key around it."""
        return Problem(self.path, text, self._line(place), ".".join(map(str, place)), self.slug)

    def _line(self, place: _strict_yaml.Place) -> int:
        if self._lines is None:
            # Lines are only wanted for the few files that have problems.
            self._lines = _read_lines(self.path)
        while place and place not in self._lines:
            place = place[:-1]
        return self._lines.get(place, 1)


Check = Callable[[Record], list[Problem]]


@dataclass(slots=True)
class Registry:
    """What the folder holds: the good files, and what is wrong with the others."""

    records: list[Record] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    files: int = 0
    # What is still known of wrong files: their content, or that of an earlier run's cache.
    rejected: list[Record] = field(default_factory=list)
    # Passed over, and for people to know: notes, leftovers, pictures that no file names.
    ignored: list[str] = field(default_factory=list)


class Cache:
    """Checked records of an earlier run, good for as long as the file is the very same."""

    def __init__(self, version: str, text: str | None = None) -> None:
        # What is read otherwise by another release of ours is read again.
        self._version = f"{version} {_code_version()}"
        self._fresh: dict[str, tuple[Signature, Unchecked]] = {}
        self._known = self._loads(text) if text else {}

    def _loads(self, text: str) -> dict[str, tuple[Signature, Unchecked]]:
        try:
            head, _end, body = text.partition("\n")
            stored = json.loads(head)
            if stored != {"version": self._version, "sha256": _digest(body)}:
                return {}
            files = json.loads(body).items()
            return {name: (tuple(signature), data) for name, (signature, data) in files}
        except (ValueError, TypeError, KeyError, AttributeError):
            return {}  # somebody else's or an older format: read the files again

    def get(self, name: str, signature: Signature) -> Unchecked | None:
        """The record of a file that has not changed."""
        known = self._known.get(name)
        if known is None or known[0] != signature:
            return None
        self._fresh[name] = known
        return known[1]

    def last(self, name: str) -> Unchecked | None:
        """What a file said when it was right for the last time, as far as anybody remembers."""
        known = self._known.get(name)
        if known is None:
            return None
        self._fresh[name] = known
        return known[1]

    def put(self, name: str, signature: Signature, data: Unchecked) -> None:
        """Remember a record, unless its file is so young that a change could go unseen."""
        if time.time_ns() - max(signature[2:]) > _RACY_NS:
            self._fresh[name] = (signature, data)

    def dumps(self) -> str:
        """What the next run should be given: opaque to cache plugins, and fast to read."""
        body = json.dumps(self._fresh, ensure_ascii=False, separators=(",", ":"))
        return f"{json.dumps({'version': self._version, 'sha256': _digest(body)})}\n{body}"


def _digest(text: str) -> str:
    """Return what tells whether a text is damaged: a disk may change a name and leave it JSON."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@functools.cache
def _code_version() -> str:
    """Return what tells whether files are read as they were by whoever filled the cache."""
    sources = (__file__, _strict_yaml.__file__)
    return hashlib.sha256(b"".join(Path(source).read_bytes() for source in sources)).hexdigest()


def read(folder: Path, cache: Cache, check: Check) -> Registry:
    """Read every file; `check` says what is wrong with the content of one."""
    entries = _list(folder)
    registry = Registry(problems=_executables(folder, entries))
    runs = {problem.file for problem in registry.problems}
    for entry in entries:
        if _is_passed_over(entry.name):
            continue
        registry.files += 1
        slug, _dot, suffix = entry.name.rpartition(".")
        if entry.path in runs:
            registry.rejected += _remembered(entry, slug, cache)
            continue
        problem = _name_problem(entry, slug, suffix)
        if problem:
            registry.problems.append(problem)
            continue
        record, problems = _read_one(entry, slug, cache, check)
        registry.problems += problems
        if record and not problems:
            registry.records.append(record)
        else:
            registry.rejected += [record] if record else []
            registry.rejected += _remembered(entry, slug, cache)
    registry.ignored = _ignored(entries, registry.records)
    return registry


def _remembered(entry: os.DirEntry[str], slug: str, cache: Cache) -> list[Record]:
    known = cache.last(entry.name)
    return [Record(slug, entry.path, known)] if known is not None else []


def _ignored(entries: t.Iterable[os.DirEntry[str]], records: t.Iterable[Record]) -> list[str]:
    logos = {record.data.get("theme", {}).get("logo") for record in records}
    quiet = re.compile(r"\..*|README(\.md|\.txt)?", re.IGNORECASE)
    names = (entry.name for entry in entries if _is_passed_over(entry.name))
    return [name for name in names if name not in logos and not quiet.fullmatch(name)]


def _list(folder: Path) -> list[os.DirEntry[str]]:
    """Return what lies in the folder of the registry, by name.

    Raises:
        RegistryError: it cannot be read.

    """
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        text = _(
            "the registry folder cannot be read ({error}); create it, with one file "
            "per association, or set `registry` in the inventory file",
            error=error.strerror,
        )
        raise RegistryError([Problem(str(folder), text)]) from error


def _is_passed_over(name: str) -> bool:
    if _LEFTOVERS.fullmatch(name) or name.endswith(_LOGOS):
        return True
    return bool(_NOTES.fullmatch(name)) and not _MISNAMED.fullmatch(name)


def _executables(folder: Path, entries: t.Sequence[os.DirEntry[str]]) -> list[Problem]:
    """Programs: a registry is data. Whoever lists the wrong folder with -i would run them.

    Raises:
        RegistryError: all are executable, which is no matter of one file.
    """
    modes = {entry: _mode(entry) for entry in entries}
    plain = [entry for entry, mode in modes.items() if stat.S_ISREG(mode)]
    found = [entry for entry in plain if modes[entry] & EXECUTABLE]
    if len(found) == len(plain) > 1:
        text = _(
            "all its files are executable, as on a file system without permissions; keep the "
            "project where Linux keeps its own (in WSL: not below /mnt), or chmod a-x"
        )
        raise RegistryError([Problem(str(folder), text)])
    return [
        Problem(entry.path, _executable(entry.path), slug=entry.name.removesuffix(SUFFIX))
        for entry in found
    ]


def _executable(path: str) -> str:
    return _("executable, and a registry is data; run `chmod a-x {path}`", path=shown(path))


def _mode(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_mode
    except OSError:
        return 0  # whoever reads it says why


def _name_problem(entry: os.DirEntry[str], slug: str, suffix: str) -> Problem | None:
    if f".{suffix}" != SUFFIX:
        text = _("the name does not end in {suffix}; move it out of the registry", suffix=SUFFIX)
        if meant := _MISNAMED.fullmatch(entry.name):
            name = f"{suggest_slug(meant[1])}{SUFFIX}"
            text = _(
                "the name does not end in {suffix}; rename it to {name}", suffix=SUFFIX, name=name
            )
        return Problem(entry.path, text, slug=slug)
    if not SLUG.fullmatch(slug):
        text = _(
            'found the slug "{slug}"; allowed: {allowed}; rename the file, for instance to {name}',
            slug=escaped(slug),
            allowed=_(SLUG_ALLOWED),
            name=f"{suggest_slug(slug or entry.name)}{SUFFIX}",
        )
        return Problem(entry.path, text, slug=slug)
    return None


def suggest_slug(text: str) -> str:
    """The nearest allowed slug: `Vélo_École` becomes `velo-ecole`."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).lstrip("-0123456789")
    slug = words[:26].strip("-")
    return slug if SLUG.fullmatch(slug) else "my-association"


def _read_one(
    entry: os.DirEntry[str], slug: str, cache: Cache, check: Check
) -> tuple[Record | None, list[Problem]]:
    try:
        signature = _signature(entry)
        known = cache.get(entry.name, signature)
        if known is not None:
            return Record(slug, entry.path, known), []
        content = _bytes(entry.path)
        if content.startswith(b"#!"):
            text = _(
                "begins with #!, like a program; write a blank after the #, or remove the line"
            )
            return None, [Problem(entry.path, text, 1, slug=slug)]
        record = Record(slug, entry.path, _strict_yaml.load(content))
    except _UnreadableError as error:
        return None, [Problem(entry.path, str(error), slug=slug)]
    except _strict_yaml.StrictYamlError as error:
        return None, [Problem(entry.path, str(error), error.line, slug=slug)]
    problems = check(record)
    if not problems:
        cache.put(entry.name, signature, record.data)
    return record, problems


class _UnreadableError(Exception):
    """The file is there, but it cannot or may not be read."""


def _signature(entry: os.DirEntry[str]) -> Signature:
    """Return what tells whether a file has changed since it was read.

    Raises:
        _UnreadableError: it is no plain file, or cannot be looked at.

    """
    try:
        if entry.is_symlink():
            _check_link(Path(entry.path))
        status = entry.stat()
    except OSError as error:
        raise _UnreadableError(_why(error)) from error
    if not stat.S_ISREG(status.st_mode):
        raise _UnreadableError(_("not a plain file; move it out of the registry"))
    if status.st_mode & EXECUTABLE:
        raise _UnreadableError(_executable(entry.path))
    if status.st_size > _strict_yaml.MAX_BYTES:
        text = _(
            "found {size} bytes; allowed: at most {most}; a space needs a few hundred",
            size=status.st_size,
            most=_strict_yaml.MAX_BYTES,
        )
        raise _UnreadableError(text)
    # The change time moves even when somebody sets the modification time back.
    return status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns


def _check_link(path: Path) -> None:
    """Look where a link of the registry leads.

    Raises:
        OSError: it leads nowhere, or in a circle.
        _UnreadableError: it leads out of the folder.

    """
    try:
        target = path.resolve(strict=True)
    except RuntimeError as error:  # before Python 3.13, of links that lead to each other
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from error
    if not target.is_relative_to(path.parent.resolve()):
        text = _(
            "a link to {target}, outside the registry; put the content here instead",
            target=shown(target),
        )
        raise _UnreadableError(text)


def _bytes(path: str) -> bytes:
    """Return a file's bytes, one more than allowed at most.

    Raises:
        _UnreadableError: the system says no.

    """
    try:
        # Never wait for a pipe that took the file's place.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            return file.read(_strict_yaml.MAX_BYTES + 1)
    except OSError as error:
        raise _UnreadableError(_why(error)) from error


def _why(error: OSError) -> str:
    if error.errno == errno.EACCES:
        return _(
            "cannot be read ({error}); let the user who runs Ansible read it", error=error.strerror
        )
    return _("cannot be read ({error}); restore the file or remove it", error=error.strerror)


def _read_lines(path: str) -> _strict_yaml.Lines:
    lines: _strict_yaml.Lines = {}
    try:
        _strict_yaml.load(_bytes(path), lines)
    except (_UnreadableError, _strict_yaml.StrictYamlError):
        return {}  # it changed under our feet: the problem is reported without a line
    return lines
