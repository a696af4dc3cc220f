# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether a value has the shape that a typed dictionary says, however deep."""

from __future__ import annotations

import collections.abc
import types
import typing as t


def differences(value: object, kind: t.Any, where: str = "") -> list[str]:
    """Return where a value is not of a type: typed dictionaries, lists, unions and plain types."""
    if t.is_typeddict(kind):
        return _of_mapping(value, kind, where)
    origin, parts = t.get_origin(kind), t.get_args(kind)
    if origin in {t.Required, t.NotRequired}:
        return differences(value, parts[0], where)
    if origin in {t.Union, types.UnionType}:
        return min((differences(value, part, where) for part in parts), key=len)
    inside = _inside(value, origin, parts, where)
    if inside is not None:
        return [one for item, part, place in inside for one in differences(item, part, place)]
    return [] if _is_plain(value, origin or kind, parts) else [f"{where}: {value!r} is no {kind}"]


def _inside(
    value: object, origin: t.Any, parts: tuple[t.Any, ...], where: str
) -> list[tuple[object, t.Any, str]] | None:
    """Return the items of a value with the type and the place of each; None: it has none."""
    items = value if isinstance(value, list | tuple) else None
    if origin in {list, collections.abc.Sequence} and items is not None:
        return [(item, parts[0], f"{where}[{number}]") for number, item in enumerate(items)]
    if origin in {dict, collections.abc.Mapping} and isinstance(value, dict):
        return [(item, parts[1], f"{where}.{key}") for key, item in value.items()]
    if origin is tuple and items is not None and len(items) == len(parts):
        return [(item, part, where) for item, part in zip(items, parts, strict=True)]
    return None


def _is_plain(value: object, kind: t.Any, parts: tuple[t.Any, ...]) -> bool:
    if kind in {t.Any, object}:
        return True
    if kind is t.Literal:
        return value in parts
    if isinstance(value, bool):
        return kind is bool
    # A whole number will do where any number does.
    return isinstance(value, (int, float) if kind is float else kind)


def _of_mapping(value: object, kind: t.Any, where: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{where}: {type(value).__name__} is no {kind.__name__}"]
    hints = t.get_type_hints(kind, include_extras=True)
    # Python itself does not see NotRequired in annotations that are texts.
    optional = {key for key, hint in hints.items() if t.get_origin(hint) is t.NotRequired}
    lacking = kind.__required_keys__ - optional - value.keys()
    found = [f"{where}.{key}: missing" for key in sorted(lacking)]
    for key, item in value.items():
        if key in hints:
            found += differences(item, hints[key], f"{where}.{key}")
        else:
            found.append(f"{where}.{key}: unknown")
    return found
