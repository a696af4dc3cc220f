# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is wrong with the registry, said to people."""

from __future__ import annotations

import difflib
import os
import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Problem:
    """One sentence with the place it speaks of."""

    file: str
    text: str
    line: int | None = None
    key: str = ''
    # The space that stays as it is with `on_invalid: skip`; empty: nobody can be skipped.
    slug: str = ''

    def __str__(self) -> str:
        place = display_path(self.file) + (f':{self.line}' if self.line else '')
        return ': '.join(part for part in (place, self.key, self.text) if part)


class RegistryError(Exception):
    """Everything that is wrong, in one run."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: (problem.file, problem.line or 0, problem.key))
        super().__init__('\n'.join(map(str, self.problems)))


def display_path(path: str) -> str:
    """A path as short as the reader can click on it."""
    relative = os.path.relpath(path) if os.path.isabs(path) else path
    return path if relative.startswith(os.pardir + os.sep) else relative


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """' Did you mean …?' or nothing."""
    close = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f' Did you mean "{close[0]}"?' if close else ''


def printable(value: object) -> str:
    """A found value in quotes, short, on one line, with nothing that could fool a terminal."""
    text = value if isinstance(value, str) else repr(value)
    text = ''.join(char if char.isprintable() else char.encode('unicode_escape').decode() for char in text)
    return f'"{text[:79]}…"' if len(text) > 80 else f'"{text}"'
