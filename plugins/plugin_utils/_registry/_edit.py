# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Change values of a registry file and leave everything else of it as people wrote it. Pure.

Comments, order, quotes and blank lines stay: only the characters of a value are exchanged, or lines
added and taken out. What came of it is read again with the strict reader; a file in which the
change cannot be made this way is refused, never rewritten.
"""

from __future__ import annotations

import copy
import json
import re
import typing as t
from dataclasses import dataclass, field

import yaml

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Draft
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _strict_yaml

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Place = tuple[str, ...]
# A value to write; None takes the key out.
Value = str | int | bool | Draft | list[str] | None

# What needs no quotes, as far as this is certain without looking further.
_PLAIN = re.compile(r"[A-Za-zÀ-ɏ][\w.@/+-]*(?: [\w.@/+'’-]+)*|[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INDENT = "  "
_BOM = "\ufeff"


class EditError(Exception):
    """The file cannot be changed without rewriting it."""


@dataclass(slots=True)
class _Node:
    """A value, the characters it takes, and what lies in it."""

    start: int
    end: int
    # Where the key of the value begins.
    key: int = 0
    flow: bool = False
    below: dict[str, _Node] | None = None
    # Characters before the first key of a mapping.
    indent: int = 0
    order: list[str] = field(default_factory=list)


def edit(data: bytes, changes: Mapping[Place, Value], order: Sequence[str] = ()) -> bytes:
    """Return a file with some values changed.

    Args:
        data: the file.
        changes: place → value; a mapping as a value is written as a block.
        order: keys of the top level, in the order in which new ones are put among them.

    Raises:
        EditError: it cannot be done without rewriting the file.
        StrictYamlError: the file is none that we read.

    """
    wanted = copy.deepcopy(_strict_yaml.load(data))
    text = data.decode("utf-8")
    for place, value in changes.items():
        _apply(wanted, place, value)
        text = _edit_one(text, place, value, order)
    written = text.encode("utf-8")
    try:
        same = _strict_yaml.load(written) == wanted
    except _strict_yaml.StrictYamlError:
        same = False
    if not same:
        text = _(
            "it is written in a way that cannot be edited by a program; change by hand: {keys}",
            keys=", ".join(".".join(place) for place in changes),
        )
        raise EditError(text)
    return written


def _apply(data: t.Any, place: Place, value: Value) -> None:
    """Do to the values what is done to the text.

    Raises:
        EditError: something on the way is no mapping.

    """
    for step in place[:-1]:
        if not isinstance(data, dict):
            raise EditError(_("{key} is in no mapping; change it by hand", key=step))
        if value is None and step not in data:
            return
        data = data.setdefault(step, {})
    if not isinstance(data, dict):
        key = ".".join(place[:-1])
        raise EditError(_("{key} is no mapping; change it by hand", key=key))
    if value is None:
        data.pop(place[-1], None)
    else:
        data[place[-1]] = value


def _edit_one(text: str, place: Place, value: Value, order: Sequence[str]) -> str:
    """Return the text with one value changed."""
    head = _BOM if text.startswith(_BOM) else ""
    text = text.removeprefix(_BOM)
    node, depth = _tree(text), 0
    while depth < len(place) - 1 and node.below is not None and place[depth] in node.below:
        node = node.below[place[depth]]
        depth += 1
    rest = place[depth:]
    found = (node.below or {}).get(rest[0]) if len(rest) == 1 else None
    if value is None:
        return head + (_remove(text, node, rest[0], found) if found else text)
    for step in reversed(rest[1:]):
        value = {step: value}
    if found is not None:
        return head + _replace(text, node, rest[0], found, value)
    return head + _add(text, node, rest[0], value, order if depth == 0 else ())


# --- reading -----------------------------------------------------------------------------


def _tree(text: str) -> _Node:
    """Return where everything stands.

    Raises:
        EditError: the parser that knows places does not read it.

    """
    try:
        events = yaml.parse(text, Loader=yaml.SafeLoader)
        for event in events:
            if isinstance(event, yaml.MappingStartEvent):
                return _mapping(event, events)
    except yaml.YAMLError as error:
        raise EditError(_("it is not readable as YAML; mend it first")) from error
    raise EditError(_("it is no mapping; mend it first"))


def _mapping(start: t.Any, events: Iterable[t.Any]) -> _Node:
    node = _Node(start.start_mark.index, 0, flow=bool(start.flow_style), below={})
    for event in events:
        if isinstance(event, yaml.MappingEndEvent):
            node.end = event.end_mark.index  # type: ignore[union-attr]
            break
        if not node.order:
            node.indent = event.start_mark.column
        value = _value(next(iter(events)), events)
        value.key = event.start_mark.index
        t.cast("dict[str, _Node]", node.below)[event.value] = value
        node.order.append(event.value)
    return node


def _value(event: t.Any, events: Iterable[t.Any]) -> _Node:
    if isinstance(event, yaml.MappingStartEvent):
        return _mapping(event, events)
    node = _Node(event.start_mark.index, event.end_mark.index)
    if isinstance(event, yaml.SequenceStartEvent):
        node.flow = bool(event.flow_style)
        depth = 1
        while depth:
            event = next(iter(events))
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
        node.end = event.end_mark.index
    return node


# --- writing -----------------------------------------------------------------------------


def _replace(text: str, outer: _Node, key: str, found: _Node, value: Value) -> str:
    if isinstance(value, dict | list) or found.below is not None:
        # Whole mappings are written anew where they stood.
        return _add(_remove(text, outer, key, found), _tree_at(text, outer, key), key, value, ())
    first = text[found.start : found.start + 1]
    end = _content_end(text, found) if first in {"|", ">"} else found.end
    # A comment behind a value would become part of a text of several lines.
    alone = not text[end : _line_end(text, end)].strip()
    new = _scalar(value, outer, quoted=first in {"'", '"'}, lines=alone)
    glue = " " if text[found.start - 1] == ":" else ""
    return text[: found.start] + glue + new + text[end:]


def _tree_at(text: str, outer: _Node, key: str) -> _Node:
    """Return the mapping around a key as it is once the key is gone.

    Raises:
        EditError: nothing else is in it.

    """
    if len(outer.order) == 1:
        raise EditError(_("{key} is alone in its mapping; change it by hand", key=key))
    after = _remove(text, outer, key, t.cast("dict[str, _Node]", outer.below)[key])
    root = _tree(after)
    return root if outer.start == _tree(text).start else _find(root, outer.start)


def _find(node: _Node, start: int) -> _Node:
    """Return the mapping that begins at a place.

    Raises:
        EditError: there is none.

    """
    for below in (node.below or {}).values():
        if below.below is not None:
            if below.start == start:
                return below
            if below.start < start < below.end:
                return _find(below, start)
    raise EditError(_("it is written in a way that cannot be edited by a program"))


def _content_end(text: str, node: _Node) -> int:
    """Where a value ends, without the blank lines and comments that a parser counts to it."""
    end = node.end
    if node.below:
        last = node.below[node.order[-1]]
        return end if node.flow else _content_end(text, last)
    if text[node.start : node.start + 1] in {"|", ">"} or not node.flow:
        return node.start + len(text[node.start : end].rstrip())
    return end


def _line_end(text: str, place: int) -> int:
    """Where the line of a place ends, its line break included."""
    found = text.find("\n", place)
    return len(text) if found < 0 else found + 1


def _remove(text: str, outer: _Node, key: str, found: _Node) -> str:
    """Take a key out with its lines; comments above and below it stay."""
    end = _content_end(text, found)
    if not outer.flow:
        begin = text.rfind("\n", 0, found.key) + 1
        return text[:begin] + text[_line_end(text, end) :]
    number = outer.order.index(key)
    below = t.cast("dict[str, _Node]", outer.below)
    if number + 1 < len(outer.order):
        return text[: found.key] + text[below[outer.order[number + 1]].key :]
    if number:
        return text[: below[outer.order[number - 1]].end] + text[end:]
    return text[: found.key] + text[end:]


def _add(text: str, outer: _Node, key: str, value: Value, order: Sequence[str]) -> str:
    """Add a key: after those that come before it, else at the end of the mapping.

    Raises:
        EditError: there is no mapping to add it to.

    """
    if outer.below is None:
        raise EditError(_("there is no mapping to add {key} to; change it by hand", key=key))
    if outer.flow:
        pair = f"{_quote(key)}: {_flow(value, quoted=True)}"
        at = _content_end(text, outer.below[outer.order[-1]]) if outer.order else outer.start + 1
        return text[:at] + (", " if outer.order else "") + pair + text[at:]
    before = [name for name in outer.order if name in order[: _index(order, key)]]
    last = outer.below[before[-1] if before else outer.order[-1]]
    at = _line_end(text, _content_end(text, last))
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = block({key: value}, outer.indent)
    glue = newline if not text[:at].endswith("\n") else ""
    return text[:at] + glue + lines.replace("\n", newline) + text[at:]


def _index(order: Sequence[str], key: str) -> int:
    return order.index(key) if key in order else 0


def block(values: Mapping[str, Value], indent: int = 0) -> str:
    """Return a mapping as lines of YAML, read by the strict reader as what was given."""
    lines = []
    margin = " " * indent
    for key, value in values.items():
        head = f"{margin}{_key(key)}:"
        if isinstance(value, dict) and value:
            lines.append(f"{head}\n{block(value, indent + len(_INDENT))}")
        elif isinstance(value, str) and _is_literal(value):
            inside = margin + _INDENT
            body = "\n".join(f"{inside}{line}" if line else "" for line in value.split("\n"))
            lines.append(f"{head} |-\n{body}\n")
        else:
            lines.append(f"{head} {_flow(value)}\n")
    return "".join(lines)


def _key(key: str) -> str:
    return key if _PLAIN.fullmatch(key) and " " not in key else _quote(key)


def _scalar(value: Value, outer: _Node, *, quoted: bool, lines: bool) -> str:
    """Return a value as it stands behind a key; who wrote quotes there goes on doing so."""
    if isinstance(value, str) and _is_literal(value) and lines and not outer.flow:
        head = f"{' ' * outer.indent}x: "
        return block({"x": value}, outer.indent).removeprefix(head).rstrip("\n")
    return _flow(value, quoted=quoted or outer.flow)


def _is_literal(text: str) -> bool:
    """Whether a text of several lines can stand as it is, and is read as the very same."""
    lines = text.split("\n")
    return (
        len(lines) > 1
        and bool(lines[0].strip())
        and bool(lines[-1].strip())
        and all(line == line.strip() and (line.isprintable() or not line) for line in lines)
    )


def _flow(value: Value, *, quoted: bool = False) -> str:
    """Return a value on one line; inside brackets every text is quoted."""
    if isinstance(value, dict):
        pairs = (f"{_quote(key)}: {_flow(below, quoted=True)}" for key, below in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_quote, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if value is None:
        return "null"
    return value if not quoted and _is_plain(value) else _quote(value)


def _is_plain(text: str) -> bool:
    """Whether a text without quotes is read as itself by us, and by other readers of YAML."""
    if not _PLAIN.fullmatch(text) or text.lower() in {"y", "n", "yes", "no", "on", "off"}:
        return False
    return _strict_yaml.load(f"x: {text}\n".encode()) == {"x": text}


def _quote(text: str) -> str:
    """Return a text in double quotes, with all that nobody sees written out."""
    inside = json.dumps(text, ensure_ascii=False)[1:-1]
    return '"' + "".join(c if c.isprintable() else _escape(c) for c in inside) + '"'


def _escape(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
