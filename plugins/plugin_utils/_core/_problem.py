# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is wrong with the registry, said to people."""

from __future__ import annotations

import difflib
import re
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible.errors import AnsibleError

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import (
    BLANKS,
    _,
    ngettext,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST_SHOWN = 80
# How a line that CI prints gives it an order: `::error …` (GitHub, where a line begins, and a
# terminal may break ours anywhere), `##[error]` and `##vso[…]` (Azure, anywhere in it).
_ORDER = re.compile(r":(?=:[A-Za-z_-])|#(?=#[A-Za-z]*\[)")


@dataclass(frozen=True, slots=True)
class Problem:
    """One sentence with the place it speaks of."""

    file: str
    text: str
    line: int | None = None
    key: str = ""
    # The space that stays as it is with `on_invalid: skip`; empty: nobody can be skipped.
    slug: str = ""

    def __str__(self) -> str:
        place = shown(self.file) + (f":{self.line}" if self.line else "")
        # Keys and the words of parsers are strangers' text as well.
        parts = (place, brief(self.key), self.text)
        return sentence(": ".join(part for part in parts if part))


class RegistryError(Exception):
    """Everything that is wrong, in one run."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems, key=lambda p: (p.file, p.line or 0, p.key))
        super().__init__("\n".join(map(str, self.problems)))

    def title(self, path: str) -> str:
        """How many there are in the registry that an inventory file leads to, and what of it."""
        return ngettext(
            "{n} problem in the registry of {file}; nothing has been changed.",
            "{n} problems in the registry of {file}; nothing has been changed.",
            len(self.problems),
            file=shown(path),
        )


def missing_package(name: str) -> AnsibleError:
    """Return the error of a Python package that is not there: a sentence, and no traceback."""
    return AnsibleError(
        _(
            "the Python package {name} is missing; install it where Ansible runs: "
            "pip install -r requirements.txt",
            name=name,
        )
    )


def shown(path: str | Path) -> str:
    """A path as short as the reader can click on it, and harmless to a terminal."""
    try:
        path = Path(path).relative_to(Path.cwd())
    except ValueError:
        path = Path(path)  # it lies elsewhere
    return escaped(str(path))


def escaped(text: str, keep: str = "") -> str:
    """Text whose control, direction, invisible and broken characters are written out.

    So are signs that the program of a CI, which reads what we print, would take for an order.

    Args:
        text: of strangers.
        keep: characters that stay as they are.

    """
    text = _ORDER.sub(lambda sign: f"\\x{ord(sign[0]):02x}", text)
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in keep else char.encode("unicode_escape").decode()
        for char in text
    )


def sentence(text: str) -> str:
    """A text of ours with strangers' words in it, as harmless; blanks of typography stay."""
    return escaped(text, keep=BLANKS)


def brief(text: str) -> str:
    """A name or key of strangers on one line, not too long."""
    text = escaped(text)
    return f"{text[: LONGEST_SHOWN - 1]}…" if len(text) > LONGEST_SHOWN else text


def quoted(value: object) -> str:
    """A found value in quotes, on one line, not too long."""
    return _('"{text}"', text=brief(value if isinstance(value, str) else repr(value)))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """' Did you mean …?' or nothing."""
    written = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), list(written), n=1, cutoff=0.6)
    return _(' Did you mean "{word}"?', word=escaped(written[close[0]])) if close else ""
