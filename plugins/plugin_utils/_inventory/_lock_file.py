# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""placement.yml, the lock file that remembers where each space lives: its text, read and written.

It has one line per space, sorted, so that git merges it line by line.
"""

from __future__ import annotations

import json
import re
import typing as t
from collections.abc import Mapping

from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import IDS
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    Problem,
    RegistryError,
    quoted,
    shown,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import (
    Draft,
    Unchecked,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._placement import (
    SHARD,
    SUITE,
    Lock,
    Place,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _strict_yaml

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_HEADER = """\
---
# Where each space lives. Written by Archipel, kept with the registry: commit it.
# Edit a line only to move a space, as docs/upgrades.md says. An id is never given twice.
"""
_PAIR = f"{SUITE.pattern}: {SHARD.pattern}"
_SPACE_LINE = re.compile(
    r'  ([a-z][a-z0-9-]*): \{id: ([0-9]{1,9}), web: ([^\s,{}"]+), db: ([^\s,{}"]+)'
    rf"(?:, office: \{{({_PAIR}(?:, {_PAIR})*)\}})?"
    r'(?:, lost: ([^\s,{}"]+))?\}'
)
# What becomes part of paths and names; how long one may be is the registry's rule.
_SLUG = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_HEAD_LINE = re.compile(r"environment: ([A-Za-z][A-Za-z0-9_.-]*)|next_id: ([0-9]{1,18})")
_MAX_BYTES = 64 * 1024 * 1024
_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_YAML_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def read_lock(path: Path) -> Lock:
    """Read placement.yml.

    Raises:
        RegistryError: it is broken, or not there: without it every space would be placed anew,
            under another number and on another node.
    """
    try:
        return parse_lock(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        text = _(
            "missing; it remembers the node and the number of each space; take its last version "
            "from git, `{again}`. Only for a new environment: `{fresh}`",
            again=f"git checkout -- {shown(path)}",
            fresh=f"printf 'next_id: {IDS.start}\\nspaces: {{}}\\n' > {shown(path)}",
        )
        raise RegistryError([Problem(str(path), text)]) from None
    except (OSError, UnicodeDecodeError) as error:
        text = _(
            "cannot be read ({error}); make it readable, or take the last version from git",
            error=error,
        )
        raise RegistryError([Problem(str(path), text)]) from error


def parse_lock(text: str, path: str) -> Lock:
    """Text to lock: our own format line by line, any other YAML through the parser.

    Raises:
        RegistryError: a line is wrong, with all that are.

    """
    if line := _strict_yaml.find_conflict(text):
        reason = _(
            "found a merge conflict; keep the lines of both sides, each id once, and set next_id "
            "above all of them"
        )
        raise RegistryError([Problem(path, reason, line)])
    head, rows = _read_own_format(text) or _read_any_yaml(text, path)
    problems = [*_head_problems(head, path), *_row_problems(rows, head.get("next_id"), path)]
    if problems:
        raise RegistryError(problems)
    spaces = {row.slug: Place(row.id, row.web, row.db, row.office, row.lost) for row in rows}
    lines = {row.slug: row.line for row in rows}
    return Lock(head.get("environment"), head["next_id"], spaces, lines)


class _Row(t.NamedTuple):
    slug: str
    id: int
    web: str
    db: str
    line: int
    office: Mapping[str, str] = {}
    lost: str = ""


def _read_own_format(text: str) -> tuple[Draft, list[_Row]] | None:
    """Our own lines, some thirty times faster than YAML; None for anything else."""
    head: Draft = {}
    rows = []
    for line, content in enumerate(text.splitlines(), start=1):
        if match := _SPACE_LINE.fullmatch(content):
            slug, number, web, db, office, lost = match.groups()
            shards = dict(pair.split(": ") for pair in office.split(", ")) if office else {}
            rows.append(_Row(slug, int(number), web, db, line, shards, lost or ""))
        elif rows or not _read_head_line(content, head):
            return None
    return head, rows


def _read_head_line(content: str, head: Draft) -> bool:
    if not content or content == "---" or content.startswith("#"):
        return True
    if match := _HEAD_LINE.fullmatch(content):
        environment, next_id = match.groups()
        key = "environment" if environment else "next_id"
        if key in head:
            return False  # twice, as a merge without a conflict may leave it: YAML refuses that
        head[key] = environment or int(next_id)
        return True
    return content in {"spaces:", "spaces: {}"}


def _read_any_yaml(text: str, path: str) -> tuple[Draft, list[_Row]]:
    """Read a lock file that people have written otherwise, as any YAML.

    Raises:
        RegistryError: it is no YAML, or of another shape.

    """
    lines: _strict_yaml.Lines = {}
    try:
        data = _strict_yaml.load(text.encode(), lines, max_bytes=_MAX_BYTES)
    except _strict_yaml.StrictYamlError as error:
        raise RegistryError([Problem(path, str(error), error.line)]) from error
    spaces = (data.get("spaces") or {}) if isinstance(data, dict) else None
    if not isinstance(spaces, dict):
        reason = _(
            "allowed: a mapping of environment, next_id and spaces; take the last version from git"
        )
        raise RegistryError([Problem(path, reason)])
    wrong = {slug: place for slug, place in spaces.items() if not _is_place(place)}
    if wrong:
        raise RegistryError(
            Problem(
                path,
                _(
                    "found {found}; allowed: {allowed}",
                    found=quoted(place),
                    allowed=_("{id: number, web: node, db: node}, and office: {suite: shard}"),
                ),
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
        and set(place) - {"office", "lost"} == {"id", "web", "db"}
        and type(place["id"]) is int
        and all(isinstance(place[role], str) and place[role] for role in ("web", "db"))
        and _is_office(place.get("office", {}))
        and isinstance(place.get("lost", ""), str)
    )


def _is_office(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(word, str) and rule.fullmatch(word)
        for pair in value.items()
        for rule, word in zip((SUITE, SHARD), pair, strict=True)
    )


def _head_problems(head: Unchecked, path: str) -> Iterator[Problem]:
    for key in sorted(set(head) - {"environment", "next_id"}):
        text = _("unknown key; allowed: {allowed}", allowed="environment, next_id, spaces")
        yield Problem(path, text, key=key)
    environment, next_id = head.get("environment"), head.get("next_id")
    if environment is not None and not isinstance(environment, str):
        text = _(
            "found {found}; allowed: {allowed}",
            found=quoted(environment),
            allowed=_("the name of an environment"),
        )
        yield Problem(path, text, key="environment")
    if next_id is None:
        text = _("missing; set it above every id that was ever given")
        yield Problem(path, text, key="next_id")
    elif type(next_id) is not int or not IDS.start <= next_id <= IDS.stop:
        text = _(
            "found {found}; allowed: a whole number from {first} to {last}",
            found=quoted(next_id),
            first=IDS.start,
            last=IDS.stop,
        )
        yield Problem(path, text, key="next_id")


def _row_problems(rows: Iterable[_Row], next_id: object, path: str) -> Iterator[Problem]:
    slugs: dict[str, int] = {}
    ids: dict[int, _Row] = {}
    for row in rows:
        if not _SLUG.fullmatch(row.slug):
            text = _(
                "found the slug {found}; allowed: the name of a space; take the line out, or from "
                "git",
                found=quoted(row.slug),
            )
            yield Problem(path, text, row.line)
        first, other = slugs.setdefault(row.slug, row.line), ids.setdefault(row.id, row)
        if first != row.line:
            text = _(
                "the space is here twice (first on line {line}); keep the line it lives by",
                line=first,
            )
            yield Problem(path, text, row.line, row.slug)
        elif other is not row:
            text = _(
                "id {id} is that of {slug} on line {line} already; give the space that was placed "
                "last a new id, and raise next_id",
                id=row.id,
                slug=other.slug,
                line=other.line,
            )
            yield Problem(path, text, row.line, row.slug)
        if row.id < IDS.start or (type(next_id) is int and row.id >= next_id):
            text = _(
                "found id {id}; allowed: from {first} and below next_id, {next_id}",
                id=row.id,
                first=IDS.start,
                next_id=next_id,
            )
            yield Problem(path, text, row.line, row.slug)


def dump_lock(lock: Lock) -> str:
    """The lock as text."""
    lines = [f"  {slug}: {_line(place)}" for slug, place in sorted(lock.spaces.items())]
    head = f"environment: {_scalar(lock.environment or '')}\nnext_id: {lock.next_id}\n"
    return _HEADER + head + "\n".join(["spaces:", *lines] if lines else ["spaces: {}"]) + "\n"


def _line(place: Place) -> str:
    pairs = ", ".join(f"{suite}: {name}" for suite, name in sorted(place.office.items()))
    office = f", office: {{{pairs}}}" if pairs else ""
    lost = f", lost: {_scalar(place.lost)}" if place.lost else ""
    return f"{{id: {place.id}, web: {_scalar(place.web)}, db: {_scalar(place.db)}{office}{lost}}}"


def _scalar(name: str) -> str:
    plain = _PLAIN_NAME.fullmatch(name) and name.lower() not in _YAML_WORDS
    return name if plain else json.dumps(name, ensure_ascii=False)
