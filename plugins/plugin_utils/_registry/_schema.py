# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A JSON Schema whose errors are sentences: what was found, what is allowed, what to do.

Each description in it completes the sentence "allowed: …", and is translated; the first example
shows what to write where something is missing; what is `writeOnly` is a secret, which is never
printed.
"""

from __future__ import annotations

import functools
import hashlib
import json
import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    did_you_mean,
    missing_package,
    quoted,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Draft

try:
    import jsonschema_rs
except ImportError:
    raise missing_package("jsonschema-rs") from None

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Place = tuple[str | int, ...]
# A schema, or a part of one.
Node = Draft


class Fault(t.NamedTuple):
    """A sentence, and the key or item it speaks of."""

    place: Place
    text: str
    # Nothing is there at all.
    missing: bool = False


class Context(t.NamedTuple):
    """What messages say beside the schema."""

    # Why something is asked for only now.
    condition: str = ""
    # What is said of a key whose schema is `false`.
    forbidden: str = ""
    # What there is at the top level, where that is too much for a message.
    known: str = ""


PLAIN = Context()
# What the longest whole number has that we read; Python refuses to read one of thousands.
_MOST_DIGITS = 18


class Schema:
    """A schema in a file, read once, when it is needed."""

    def __init__(self, path: Path, *, complete: bool = True) -> None:
        """Make it of a file; of what may be only a part of it, nothing is missing."""
        self._path = path
        self._complete = complete

    @functools.cached_property
    def text(self) -> str:
        """The schema as it is published."""
        return self._path.read_text(encoding="utf-8")

    @functools.cached_property
    def version(self) -> str:
        """Changes with the schema: what another one accepted must be checked again."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]

    @functools.cached_property
    def root(self) -> Node:
        """The schema as values."""
        root: Node = json.loads(self.text)
        if not self._complete:
            del root["required"]
        return root

    @functools.cached_property
    def _validator(self) -> jsonschema_rs.Validator:
        return jsonschema_rs.validator_for(self.root, validate_formats=True)

    def is_valid(self, value: t.Any) -> bool:
        """Whether nothing is wrong with a value."""
        return self._validator.is_valid(value)

    def faults(self, value: t.Any, context: Context = PLAIN) -> list[Fault]:
        """Everything that is wrong with a value."""
        if self._validator.is_valid(value):
            return []
        errors = self._validator.iter_errors(value)
        found = (fault for error in errors for fault in self._explain(error, context))
        return list(dict.fromkeys(found))

    def _explain(self, error: jsonschema_rs.ValidationError, context: Context) -> Iterator[Fault]:
        kind, place = error.kind.name, tuple(error.instance_path)
        if kind == "required":
            key = error.kind.value
            yield Fault((*place, key), self._missing(error, key, context), missing=True)
        elif kind == "additionalProperties":
            known = [key for key, node in self._at(error)["properties"].items() if node]
            for key in error.kind.value:
                hint = self._belongs(key, place) or did_you_mean(key, known)
                allowed = context.known if context.known and not place else ", ".join(known)
                text = _("unknown key; allowed: {allowed}.{hint}", allowed=allowed, hint=hint)
                yield Fault((*place, key), text)
        elif kind == "falseSchema":
            yield Fault(place, context.forbidden or _("not allowed; remove it"))
        else:
            yield Fault(place, self._wrong(error, kind))

    def _missing(self, error: jsonschema_rs.ValidationError, key: str, context: Context) -> str:
        node = self.root
        for step in (*error.instance_path, key):
            node = node.get("properties", {}).get(step) or node["additionalProperties"]
        example = json.dumps({key: node["examples"][0]}, ensure_ascii=False)[1:-1]
        words = {"allowed": _(node["description"]), "example": example.replace('"', "")}
        if context.condition and "then" in error.schema_path:
            words["condition"] = context.condition
            return _(
                "missing ({condition}); allowed: {allowed}. Add for instance `{example}`", **words
            )
        return _("missing; allowed: {allowed}. Add for instance `{example}`", **words)

    def _belongs(self, key: str, place: Place) -> str:
        """Where a key of the top level belongs that has lost its indentation."""
        nodes = self.root["properties"].items() if not place else ()
        owners = [name for name, node in nodes if node and key in node.get("properties", {})]
        if not owners:
            return ""
        return _(
            ' Begin the line with two spaces, below "{owner}:": it belongs there.', owner=owners[0]
        )

    def _wrong(self, error: jsonschema_rs.ValidationError, kind: str) -> str:
        node, value = self._at(error), error.instance
        found = _("nothing") if value is None else quoted(value)
        if _has_secret(node):
            found = _("a value that is not shown")
        elif kind == "uniqueItems":
            found = _("the same item twice")
        allowed = _(node["description"]) if "description" in node else error.message
        hint = _hint(node, value)
        return _(
            "found {found}; allowed: {allowed}.{hint}", found=found, allowed=allowed, hint=hint
        )

    def node(self, place: Place) -> Node:
        """What the schema says of a place; nothing, where it leaves it free."""
        node = self.root
        for step in place:
            below = node.get("items") if isinstance(step, int) else None
            below = (
                below or node.get("properties", {}).get(step) or node.get("additionalProperties")
            )
            if not isinstance(below, dict):
                return {}
            node = below
        return node

    def _at(self, error: jsonschema_rs.ValidationError) -> Node:
        node: t.Any = self.root
        for step in error.schema_path[:-1]:
            node = node[step]
        return t.cast("Node", node)


def _hint(node: Node, value: t.Any) -> str:
    kind = node.get("type")
    if kind == "string" and isinstance(value, int):
        return _(' Put it in quotes to make it a text: "{value}".', value=value)
    if not isinstance(value, str):
        return ""
    if kind == "integer" and value.isdecimal() and len(value) <= _MOST_DIGITS:
        return _(" Write {number}, without zeros before it and without quotes.", number=int(value))
    # Of other keys the examples are somebody else's.
    same = [one for one in node.get("examples", ()) if one == value.lower()]
    return did_you_mean(value, node.get("enum", same))


def _has_secret(node: Node) -> bool:
    """Whether a value of this kind holds what nobody may read."""
    parts = node.get("properties", {}).values()
    return bool(node.get("writeOnly")) or any(part and _has_secret(part) for part in parts)
