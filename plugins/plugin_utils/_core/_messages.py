# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What people read, in their language: gettext, with English in the code as the source.

The language is that of the terminal, as gettext finds it, unless an environment chooses one
(archipel_language): the inventory reads that first, and the processes of tasks, which are forked
from it, have it from there. `make messages` writes the catalogues.
"""

from __future__ import annotations

import functools
import gettext
import os
import typing as t
from pathlib import Path

if t.TYPE_CHECKING:
    from collections.abc import Mapping

DOMAIN = "archipel"
FOLDER = Path(__file__).with_name("locale")
# What the code says, and what it is translated into.
SOURCE = "en"
LANGUAGES = (SOURCE, "fr")
# Blanks that keep words and signs of French together, and are no harm.
BLANKS = "\u00a0\u202f"
_GROUPS = {"en": ",", "fr": "\u202f"}
# In the order in which gettext looks at them: the first that says something decides.
_VARIABLES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


class _Choice:
    """The language of this process, where somebody has chosen one."""

    language = ""


def find_language(environment: Mapping[str, str]) -> str:
    """Return the language of a terminal: fr of fr_FR.UTF-8; the source, if it is another. Pure."""
    wanted = next((environment[name] for name in _VARIABLES if environment.get(name)), "")
    words = (word.replace("-", "_").split("_")[0].split(".")[0] for word in wanted.split(":"))
    return next((word for word in words if word in LANGUAGES), SOURCE)


def choose(language: object) -> None:
    """Say in which language messages are from now on; what is none of ours: the terminal's."""
    _Choice.language = language if language in LANGUAGES else ""


def language() -> str:
    """The language that messages are in."""
    return _Choice.language or find_language(os.environ)


@functools.cache
def _catalogue(name: str) -> gettext.NullTranslations:
    """The texts of a language. One that is not there is an error: it is part of the collection."""
    if name == SOURCE:
        return gettext.NullTranslations()
    return gettext.translation(DOMAIN, FOLDER, [name])


def _(text: str, /, **words: object) -> str:
    """Return a text in the reader's language, its {words} filled in."""
    found = _catalogue(language()).gettext(text) if text else ""
    return found.format(**words) if words else found


def ngettext(one: str, many: str, n: int, /, **words: object) -> str:
    """Return a text about a number of things, `{n}`, in the form that the language has for it."""
    return _catalogue(language()).ngettext(one, many, n).format(n=n, **words)


def grouped(number: int) -> str:
    """Return a number as the language writes it: 2,431 or 2 431."""
    return f"{number:,}".replace(",", _GROUPS[language()])


def mark(text: str) -> str:
    """Return a text as it is: a constant that is translated where it is used."""
    return text
