# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where each space lives: a pure planner, and the lock file that remembers.

The lock file has one line per space, sorted, so that git merges it line by line.
"""

from __future__ import annotations

import contextlib
import fcntl
import heapq
import json
import os
import re
import tempfile
import typing as t
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.module_utils._spaces import IDS
from ansible_collections.archipel.spaces.plugins.plugin_utils import _strict_yaml
from ansible_collections.archipel.spaces.plugins.plugin_utils._problem import (
    Problem,
    RegistryError,
    quoted,
    shown,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


_HEADER = """\
---
# Where each space lives. Written by Archipel, kept with the registry: commit it.
# Edit a line only to move a space, as docs/upgrades.md tells. An id is never given twice.
"""
# An office suite, as space.schema.json has it.
SUITE = re.compile(r"[a-z][a-z0-9]{1,31}")
# One of its servers. Part of the names of hosts, unix users, databases and units: what the role of
# every suite takes.
SHARD = re.compile(r"[a-z][a-z0-9-]{0,18}[a-z0-9]")
_PAIR = f"{SUITE.pattern}: {SHARD.pattern}"
_SPACE_LINE = re.compile(
    r'  ([a-z][a-z0-9-]*): \{id: ([0-9]{1,9}), web: ([^\s,{}"]+), db: ([^\s,{}"]+)'
    rf"(?:, office: \{{({_PAIR}(?:, {_PAIR})*)\}})?\}}"
)
# What becomes part of paths and names; how long one may be is the registry's rule.
_SLUG = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_HEAD_LINE = re.compile(r"environment: ([A-Za-z][A-Za-z0-9_.-]*)|next_id: ([0-9]{1,18})")
_MAX_BYTES = 64 * 1024 * 1024
_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_YAML_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


class Place(t.NamedTuple):
    """Where one space lives, and its number."""

    id: int
    web: str
    db: str
    # Office suite -> the shard that serves this space when it uses that suite.
    office: Mapping[str, str] = {}


class Shard(t.NamedTuple):
    """One server of an office suite, which any number of spaces share."""

    name: str
    suite: str


class Node(t.NamedTuple):
    """A machine that can take spaces; at most `capacity` of them, where that is set."""

    name: str
    capacity: int | None = None


@dataclass(frozen=True, slots=True)
class Lock:
    """The content of placement.yml. `next_id` only ever grows."""

    environment: str | None = None
    next_id: int = IDS.start
    spaces: Mapping[str, Place] = field(default_factory=dict)
    # Line of each space in the file it was read from.
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)


class NoRoomError(Exception):
    """Every web node is at its capacity."""


class NoIdError(Exception):
    """Every id was given once already."""


class ConflictError(Exception):
    """The lock file has changed since the placement was computed."""


# --- the planner ---------------------------------------------------------------------


def plan(
    lock: Lock,
    slugs: Iterable[str],
    web: Sequence[Node],
    db: Sequence[Node],
    shards: Sequence[Shard] = (),
) -> dict[str, Place]:
    """Place the spaces that the lock does not know. What it knows never moves.

    A space that is placed already is in the result where the lock names no shard for it yet.
    """
    slugs = sorted(set(slugs))
    placed = _homes(lock, slugs, web, db)
    places = {**{slug: lock.spaces[slug] for slug in slugs if slug in lock.spaces}, **placed}
    served = _shards(lock, places, shards)
    return {slug: place for slug, place in served.items() if lock.spaces.get(slug) != place}


def _homes(
    lock: Lock, slugs: Iterable[str], web: Sequence[Node], db: Sequence[Node]
) -> dict[str, Place]:
    new = sorted(set(slugs).difference(lock.spaces))
    if lock.next_id + len(new) > IDS.stop:
        raise NoIdError
    webs = _Loads(web, (place.web for place in lock.spaces.values()))
    databases = _Loads(
        [Node(node.name) for node in db], (place.db for place in lock.spaces.values())
    )
    beside = {node.name for node in db}
    placed = {}
    for number, slug in enumerate(new, start=lock.next_id):
        home = webs.take()
        placed[slug] = Place(
            number, home, databases.add(home) if home in beside else databases.take()
        )
    return placed


def _shards(lock: Lock, places: Mapping[str, Place], shards: Sequence[Shard]) -> dict[str, Place]:
    """Give each space a shard of each suite: the one with the fewest spaces, in order.

    Of every suite, not only of the one in use: a space's administrators switch at any time.
    """
    load = Counter(name for place in lock.spaces.values() for name in place.office.values())
    suites: dict[str, list[str]] = {}
    for shard in shards:
        suites.setdefault(shard.suite, []).append(shard.name)
    served = {}
    for slug, place in sorted(places.items()):
        office = dict(place.office)
        for suite, names in suites.items():
            if suite not in office:
                office[suite] = min(names, key=lambda name: load[name])
                load[office[suite]] += 1
        served[slug] = place._replace(office=office)
    return served


class _Loads:
    """The least loaded node first; equal loads in the order of the inventory.

    Load is the number of spaces, or its share of the capacity where nodes declare one.
    """

    def __init__(self, nodes: Sequence[Node], homes: Iterable[str]) -> None:
        self._nodes = {node.name: (index, node.capacity) for index, node in enumerate(nodes)}
        self._count = dict.fromkeys(self._nodes, 0)
        for home in homes:
            if home in self._count:
                self._count[home] += 1
        self._heap = [self._rank(name) for name in self._nodes]
        heapq.heapify(self._heap)

    def _rank(self, name: str) -> tuple[float, int, str]:
        index, capacity = self._nodes[name]
        return self._count[name] / (capacity or 1), index, name

    def take(self) -> str:
        """The least loaded node that has room; it is one space fuller afterwards."""
        while self._heap:
            rank = heapq.heappop(self._heap)
            name = rank[2]
            if rank != self._rank(name):
                continue  # an older rank of a node that add() has filled since
            capacity = self._nodes[name][1]
            if capacity is None or self._count[name] < capacity:
                return self.add(name)
        raise NoRoomError

    def add(self, name: str) -> str:
        self._count[name] += 1
        heapq.heappush(self._heap, self._rank(name))
        return name


# --- the lock file -------------------------------------------------------------------


def read_lock(path: Path) -> Lock:
    """Read placement.yml.

    Raises:
        RegistryError: it is broken, or not there: without it every space would be placed anew,
            under another number and on another machine.
    """
    try:
        return parse_lock(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        text = "missing; it remembers the machine and the number of each space"
        again = f"take its last version from git, `git checkout -- {shown(path)}`"
        fresh = f"`printf 'next_id: {IDS.start}\\nspaces: {{}}\\n' > {shown(path)}`"
        problem = Problem(str(path), f"{text}; {again}. Only for a new environment: {fresh}")
        raise RegistryError([problem]) from None
    except (OSError, UnicodeDecodeError) as error:
        text = f"cannot be read ({error}); make it readable, or take the last version from git"
        raise RegistryError([Problem(str(path), text)]) from error


def parse_lock(text: str, path: str) -> Lock:
    """Text to lock: our own format line by line, any other YAML through the parser."""
    if line := _strict_yaml.conflict(text):
        remedy = "keep the lines of both sides, each id once, and set next_id above all of them"
        raise RegistryError([Problem(path, f"found a merge conflict; {remedy}", line)])
    head, rows = _read_own_format(text) or _read_any_yaml(text, path)
    problems = [*_head_problems(head, path), *_row_problems(rows, head.get("next_id"), path)]
    if problems:
        raise RegistryError(problems)
    spaces = {row.slug: Place(row.id, row.web, row.db, row.office) for row in rows}
    lines = {row.slug: row.line for row in rows}
    return Lock(head.get("environment"), head["next_id"], spaces, lines)


class _Row(t.NamedTuple):
    slug: str
    id: int
    web: str
    db: str
    line: int
    office: Mapping[str, str] = {}


def _read_own_format(text: str) -> tuple[dict[str, t.Any], list[_Row]] | None:
    """Our own lines, some thirty times faster than YAML; None for anything else."""
    head: dict[str, t.Any] = {}
    rows = []
    for line, content in enumerate(text.splitlines(), start=1):
        if match := _SPACE_LINE.fullmatch(content):
            slug, number, web, db, office = match.groups()
            shards = dict(pair.split(": ") for pair in office.split(", ")) if office else {}
            rows.append(_Row(slug, int(number), web, db, line, shards))
        elif rows or not _read_head_line(content, head):
            return None
    return head, rows


def _read_head_line(content: str, head: dict[str, t.Any]) -> bool:
    if not content or content == "---" or content.startswith("#"):
        return True
    if match := _HEAD_LINE.fullmatch(content):
        environment, next_id = match.groups()
        head.update({"environment": environment} if environment else {"next_id": int(next_id)})
        return True
    return content in {"spaces:", "spaces: {}"}


def _read_any_yaml(text: str, path: str) -> tuple[dict[str, t.Any], list[_Row]]:
    lines: _strict_yaml.Lines = {}
    try:
        data = _strict_yaml.load(text.encode(), lines, max_bytes=_MAX_BYTES)
    except _strict_yaml.StrictYamlError as error:
        raise RegistryError([Problem(path, str(error), error.line)]) from error
    spaces = (data.get("spaces") or {}) if isinstance(data, dict) else None
    if not isinstance(spaces, dict):
        allowed = "allowed: a mapping of environment, next_id and spaces"
        raise RegistryError([Problem(path, f"{allowed}; take the last version from git")])
    wrong = {slug: place for slug, place in spaces.items() if not _is_place(place)}
    if wrong:
        raise RegistryError(
            Problem(
                path,
                f"found {quoted(place)}; allowed: {{id: number, web: node, db: node}}, and "
                "office: {suite: shard}",
                lines["spaces", slug],
                slug,
            )
            for slug, place in wrong.items()
        )
    rows = [_Row(slug, **place, line=lines["spaces", slug]) for slug, place in spaces.items()]
    return {key: value for key, value in data.items() if key != "spaces"}, rows


def _is_place(place: object) -> bool:
    return (
        isinstance(place, dict)
        and set(place) - {"office"} == {"id", "web", "db"}
        and type(place["id"]) is int
        and all(isinstance(place[role], str) and place[role] for role in ("web", "db"))
        and _is_office(place.get("office", {}))
    )


def _is_office(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(word, str) and rule.fullmatch(word)
        for pair in value.items()
        for rule, word in zip((SUITE, SHARD), pair, strict=True)
    )


def _head_problems(head: Mapping[str, t.Any], path: str) -> Iterator[Problem]:
    for key in sorted(set(head) - {"environment", "next_id"}):
        yield Problem(path, "unknown key; allowed: environment, next_id, spaces", key=key)
    environment, next_id = head.get("environment"), head.get("next_id")
    if environment is not None and not isinstance(environment, str):
        text = f"found {quoted(environment)}; allowed: the name of an environment"
        yield Problem(path, text, key="environment")
    if next_id is None:
        yield Problem(path, "missing; set it above every id that was ever given", key="next_id")
    elif type(next_id) is not int or not IDS.start <= next_id <= IDS.stop:
        text = f"found {quoted(next_id)}; allowed: a whole number from {IDS.start} to {IDS.stop}"
        yield Problem(path, text, key="next_id")


def _row_problems(rows: Iterable[_Row], next_id: object, path: str) -> Iterator[Problem]:
    slugs: dict[str, int] = {}
    ids: dict[int, _Row] = {}
    for row in rows:
        if not _SLUG.fullmatch(row.slug):
            text = f"found the slug {quoted(row.slug)}; allowed: the name of a space"
            yield Problem(path, f"{text}; take the line out, or from git", row.line)
        first, other = slugs.setdefault(row.slug, row.line), ids.setdefault(row.id, row)
        if first != row.line:
            text = f"the space is here twice (first on line {first}); keep the line it lives by"
            yield Problem(path, text, row.line, row.slug)
        elif other is not row:
            text = f"id {row.id} is that of {other.slug} on line {other.line} already"
            remedy = "give the space that was placed last a new id, and raise next_id"
            yield Problem(path, f"{text}; {remedy}", row.line, row.slug)
        if row.id < IDS.start or (type(next_id) is int and row.id >= next_id):
            allowed = f"from {IDS.start} and below next_id, {next_id}"
            yield Problem(path, f"found id {row.id}; allowed: {allowed}", row.line, row.slug)


def dump_lock(lock: Lock) -> str:
    """The lock as text."""
    lines = [f"  {slug}: {_line(place)}" for slug, place in sorted(lock.spaces.items())]
    head = f"environment: {_scalar(lock.environment or '')}\nnext_id: {lock.next_id}\n"
    return _HEADER + head + "\n".join(["spaces:", *lines] if lines else ["spaces: {}"]) + "\n"


def _line(place: Place) -> str:
    pairs = ", ".join(f"{suite}: {name}" for suite, name in sorted(place.office.items()))
    office = f", office: {{{pairs}}}" if pairs else ""
    return f"{{id: {place.id}, web: {_scalar(place.web)}, db: {_scalar(place.db)}{office}}}"


def _scalar(name: str) -> str:
    plain = _PLAIN_NAME.fullmatch(name) and name.lower() not in _YAML_WORDS
    return name if plain else json.dumps(name, ensure_ascii=False)


# --- recording -----------------------------------------------------------------------


def merge(lock: Lock, environment: str, pending: Mapping[str, Place]) -> Lock:
    """Add what was planned to a lock that may have moved on since."""
    if lock.environment not in {None, environment}:
        theirs = f'it belongs to the environment "{lock.environment}"'
        raise ConflictError(f'{theirs}, this run to "{environment}"')
    new = unrecorded(lock, pending)
    taken = {place.id: slug for slug, place in lock.spaces.items()}
    for slug, place in new.items():
        plan_ = f"id {place.id}, planned for {slug},"
        if known := lock.spaces.get(slug):
            _check_addition(slug, known, place)
            continue
        if place.id in taken:
            raise ConflictError(f"{plan_} is now that of {taken[place.id]}")
        if place.id < lock.next_id:
            raise ConflictError(f"{plan_} was given to another space before")
    next_id = max([lock.next_id, *(place.id + 1 for place in new.values())])
    spaces = {**lock.spaces, **new}
    return replace(lock, environment=environment, next_id=next_id, spaces=spaces)


def _check_addition(slug: str, known: Place, place: Place) -> None:
    """A placed space may be given shards of suites it has none of; nothing else of it changes."""
    if (known.id, known.web, known.db) != (place.id, place.web, place.db):
        raise ConflictError(f"{slug} is now on {known.web}")
    for suite, name in known.office.items():
        if place.office.get(suite) != name:
            raise ConflictError(f"{slug} is now served by {name}")


def unrecorded(lock: Lock, pending: Mapping[str, Place]) -> dict[str, Place]:
    """The part of a plan that the lock does not say yet."""
    return {
        slug: place for slug, place in sorted(pending.items()) if lock.spaces.get(slug) != place
    }


class Recorded(t.NamedTuple):
    """What recording did, or would do."""

    before: str
    after: str
    new: dict[str, Place]


def record(path: Path, environment: str, pending: Mapping[str, Place], *, write: bool) -> Recorded:
    """Add a plan to the lock file, alone and all at once."""
    path = path.resolve()
    with _one_operator(path.parent):
        lock = read_lock(path)
        before = path.read_text(encoding="utf-8")
        new = unrecorded(lock, pending)
        after = dump_lock(merge(lock, environment, pending)) if new else before
        if write and new:
            _replace(path, after)
    return Recorded(before, after, new)


def forget(path: Path, slug: str, number: int, *, write: bool) -> bool:
    """Take a purged space out of the lock file; tell whether it was in it. Its id stays taken."""
    path = path.resolve()
    with _one_operator(path.parent):
        lock = read_lock(path)
        place = lock.spaces.get(slug)
        if place is None:
            return False
        if place.id != number:
            raise ConflictError(f"{slug} has the id {place.id} now, not {number}")
        spaces = {name: other for name, other in lock.spaces.items() if name != slug}
        if write:
            _replace(path, dump_lock(replace(lock, spaces=spaces)))
    return True


@contextlib.contextmanager
def _one_operator(folder: Path) -> Iterator[None]:
    """Wait, for milliseconds, until nobody else records.

    The folder itself is locked: no lock file is left behind, and a rename does not lose it.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, text: str) -> None:
    """Write beside, flush to disk, rename: a reader sees the old file or the new one."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".placement.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(descriptor, _mode(path))
            os.fsync(descriptor)
        temporary.replace(path)
    except BaseException:
        temporary.unlink()
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _mode(path: Path) -> int:
    """The mode the file has, or that of any new file of this user."""
    try:
        return path.stat().st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
