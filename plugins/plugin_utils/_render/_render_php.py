# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Values as PHP reads them: what people wrote is data, and comes out literally."""

from __future__ import annotations

import typing as t

# Keys of config.php, or of a mapping in it.
PhpValues = dict[str, object]


class Expression(str):
    """A piece of PHP that is written as it is. Never made from the registry's values."""

    __slots__ = ()


def format_literal(value: object, indent: int = 0) -> str:
    """Return the PHP literal of a value made of dicts, lists, strings, numbers and booleans.

    Raises:
        TypeError: the value holds something PHP has no literal for.

    """
    if isinstance(value, Expression):
        return str.__str__(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"
    pad, end = "  " * (indent + 1), "  " * indent
    if isinstance(value, t.Mapping):
        rows = [
            f"{pad}{format_key(k)} => {format_literal(v, indent + 1)},\n" for k, v in value.items()
        ]
        return "[\n" + "".join(rows) + end + "]"
    if isinstance(value, (list, tuple)):
        rows = [f"{pad}{format_literal(v, indent + 1)},\n" for v in value]
        return "[\n" + "".join(rows) + end + "]"
    raise TypeError(f"no PHP literal for a {type(value).__name__}")


def format_key(key: object) -> str:
    """Return a key of a PHP array: an expression as it is, anything else quoted."""
    # str() would make a plain string out of an expression.
    return format_literal(key if isinstance(key, str) else str(key))
