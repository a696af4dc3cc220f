# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""One request as the common format has it: what strangers typed, tidied and checked. Pure."""

from __future__ import annotations

import re
import typing as t
import unicodedata
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _schema

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import (
        Draft,
        Unchecked,
    )

SCHEMA = _schema.Schema(Path(__file__).with_name("submission.schema.json"))
# Texts of several lines; every other one stands on one line.
_LONG = frozenset({"about", "text"})
# Joiners that words of some scripts, and emojis, are written with.
_JOINERS = frozenset("\u200c\u200d\u200e\u200f")
# Characters that nobody sees and no category tells.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\u180b\u180c\u180d\u180f")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
# How people write the address of a site.
_HOST = re.compile(r"[\w-]+(\.[\w-]+)+(/|$)")
# What a mail program makes a link of; names that people read in letters have none.
LINK = re.compile(r"\bhttps?://|\bwww\.", re.IGNORECASE)
NAMES = ("name", "contact_name")
_TRUE = frozenset({"true", "yes", "oui", "on", "1", "x", "[x]"})


class Submission(t.NamedTuple):
    """A request that can be made a file of; `id` names it for ever."""

    id: str
    received: str
    via: str
    language: str
    name: str
    email: str
    contact_name: str = ""
    address: str = ""
    registration_number: str = ""
    website: str = ""
    about: str = ""
    office: str = ""

    @property
    def day(self) -> str:
        """When it came, YYYY-MM-DD."""
        return self.received[:10]


def tidy(values: Unchecked) -> Draft:
    """Return what somebody typed as it was meant: without invisible signs and blanks around it.

    Keys without a value are left out. Nothing is shortened and no visible sign is changed: what is
    wrong afterwards is refused.
    """
    found = {key: _tidy(key, value) for key, value in values.items()}
    if isinstance(found.get("registration_number"), str):
        found["registration_number"] = re.sub(r"[\s]", "", found["registration_number"]).upper()
    if isinstance(found.get("charter"), str):
        found["charter"] = found["charter"].lower() in _TRUE
    website = found.get("website")
    if isinstance(website, str) and _HOST.match(website):
        found["website"] = f"https://{website}"
    return {key: value for key, value in found.items() if value not in ("", None)}


def _tidy(key: str, value: t.Any) -> t.Any:
    if not isinstance(value, str):
        return value
    text = unicodedata.normalize("NFC", value).replace("\r\n", "\n").replace("\r", "\n")
    if key not in _LONG:
        return " ".join(_visible(re.sub(r"\s", " ", text)).split())
    lines = (" ".join(_visible(line.replace("\t", " ")).split()) for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _visible(text: str) -> str:
    return "".join(
        char
        for char in text
        if char in _JOINERS or (char not in _BLANK and unicodedata.category(char) not in _HIDDEN)
    )


def find_faults(tidied: Unchecked, schema: _schema.Schema) -> list[str]:
    """Return everything that is wrong with a submission, in sentences.

    A letter to whoever is named would carry a stranger's link; sites have a field of their own.
    """
    faults = schema.faults(tidied)
    found = [f"{'.'.join(map(str, one.place))}: {one.text}" for one in faults]
    text = _("found a web address; allowed: a name, the address belongs into website")
    linked = [key for key in NAMES if LINK.search(str(tidied.get(key, "")))]
    return [*found, *(f"{key}: {text}" for key in linked)]


def made(tidied: Unchecked) -> Submission:
    """Return a request for a space in which nothing is wrong."""
    known = {key: tidied.get(key, "") for key in Submission._fields if key in SCHEMA_KEYS}
    return Submission(
        **{**known, "language": tidied.get("language", "fr"), "email": tidied["contact_email"]}
    )


def check(values: Unchecked) -> tuple[Submission | None, list[str]]:
    """Return a request for a space, or everything that is wrong with it."""
    tidied = tidy(values)
    faults = find_faults(tidied, SCHEMA)
    return (None, faults) if faults else (made(tidied), [])


SCHEMA_KEYS = frozenset(SCHEMA.root["properties"])
