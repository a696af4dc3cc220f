# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Placeholders such as {url} in values of the catalogue of office suites. Pure."""

from __future__ import annotations

import re
import typing as t

_WORD = re.compile(r"\{([a-z_]+)\}")


def fill(value: t.Any, words: t.Mapping[str, str]) -> t.Any:
    """Return a value with its words filled in; what was put in is not read again."""
    if isinstance(value, str):
        return _WORD.sub(lambda match: words[match[1]], value)
    if isinstance(value, t.Mapping):
        return {str(key): fill(one, words) for key, one in value.items()}
    if isinstance(value, list):
        return [fill(one, words) for one in value]
    return value


def find_unknown(value: t.Any, allowed: t.Container[str]) -> list[str]:
    """Return the words of a value that nobody fills in."""
    if isinstance(value, str):
        return [word for word in _WORD.findall(value) if word not in allowed]
    if isinstance(value, t.Mapping):
        return [word for one in value.values() for word in find_unknown(one, allowed)]
    if isinstance(value, list):
        return [word for one in value for word in find_unknown(one, allowed)]
    return []
