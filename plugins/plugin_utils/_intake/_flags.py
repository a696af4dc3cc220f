# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What moderators should look at twice: requests that are, or look like, somebody else's. Pure.

A flag refuses nothing. Who wants to deceive finds letters that no table has; what is compared here
are the cases that happen: the same people asking twice, and names that differ by an accent, a word
that every association has, or a letter of another alphabet.
"""

from __future__ import annotations

import re
import typing as t
import unicodedata
from collections import defaultdict

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _, mark
from ansible_collections.archipel.spaces.plugins.plugin_utils._intake import _alphabets

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ansible_collections.archipel.spaces.plugins.plugin_utils._registry._registry import Record

# Shorter names are too like each other by chance.
_SHORTEST = 5
_COMMON = frozenset(
    {"a", "and", "asso", "association", "au", "aux", "collectif", "d", "de", "des", "du", "en"}
    | {"et", "l", "la", "le", "les", "of", "the", "un", "une"}
)
# Numbers of the French registers of companies: the last digit tells whether they are whole.
_SIREN, _SIRET = 9, 14


class Flag(t.NamedTuple):
    """Something to look at: a word for programs, a sentence for people, and whom it is about."""

    kind: str
    text: str
    others: tuple[str, ...] = ()


class Known(t.NamedTuple):
    """What is compared of one file."""

    slug: str
    status: str
    name: str
    email: str
    number: str


Keys = t.Callable[[Known], list[str]]


def list_known(records: Iterable[Record], contacts: Mapping[str, Mapping[str, str]]) -> list[Known]:
    """Return what is compared of all files."""
    found = []
    for record in records:
        data = record.data
        contact = data.get("contact") or contacts.get(record.slug) or {}
        number = data.get("request", {}).get("registration_number", "")
        found.append(
            Known(record.slug, data["status"], data["name"], contact.get("email", ""), number)
        )
    return found


def find(known: Iterable[Known], wanted: Iterable[str]) -> dict[str, list[Flag]]:
    """Return the flags of some files, compared with all.

    Args:
        known: all files.
        wanted: slugs of those that wait.

    """
    files, chosen = list(known), set(wanted)
    asked = [one for one in files if one.slug in chosen]
    tables = [(kind, words, _index(files, keys)) for kind, words, keys in _COMPARED]
    found = {}
    for one in asked:
        flags = [flag for table in tables for flag in _compare(one, *table)]
        # Whoever has the same name has almost the same one too.
        same = {other for flag in flags if flag.kind == "same-name" for other in flag.others}
        flags = [
            flag for flag in flags if flag.kind != "like-name" or not same.issuperset(flag.others)
        ]
        found[one.slug] = [*flags, *_alone(one)]
    return found


# What is compared, and how a moderator reads it.
_COMPARED: tuple[tuple[str, str, Keys], ...] = (
    ("same-contact", mark("has the mail address of {others}"), lambda one: [_mailbox(one.email)]),
    ("same-number", mark("has the number of {others}"), lambda one: [_number(one.number)]),
    ("same-name", mark("is called like {others}"), lambda one: [skeleton(one.name)]),
    ("like-name", mark("is called almost like {others}"), lambda one: _near(skeleton(one.name))),
    (
        "like-address",
        mark("has almost the address of {others}"),
        lambda one: _near(_alphabets.plain(one.slug)),
    ),
)
Table = tuple[Keys, dict[str, list[Known]]]


def _index(files: Iterable[Known], keys: Keys) -> Table:
    table: dict[str, list[Known]] = defaultdict(list)
    for one in files:
        for key in keys(one):
            if key:
                table[key].append(one)
    return keys, table


def _compare(one: Known, kind: str, words: str, table: Table) -> Iterator[Flag]:
    keys, index = table
    others = {
        other.slug: other.status
        for key in keys(one)
        for other in index.get(key, ())
        if other.slug != one.slug
    }
    if others:
        listed = ", ".join(f"{slug} ({status})" for slug, status in sorted(others.items()))
        yield Flag(kind, _(words, others=listed), tuple(sorted(others)))


def _alone(one: Known) -> Iterator[Flag]:
    """What is odd without looking at anybody else."""
    scripts = _scripts(one.name)
    if len(scripts) > 1:
        text = _("has letters of {scripts} in one word", scripts=_(" and ").join(sorted(scripts)))
        yield Flag("mixed-letters", text)
    if not _is_whole(one.number):
        text = _("has a number that no French register gives: a digit is wrong")
        yield Flag("wrong-number", text)


def skeleton(name: str) -> str:
    """Return what remains of a name once all that is easily changed is taken off."""
    words = [word for word in re.split(r"[^\w]+|_", _alphabets.plain(name)) if word]
    return "".join(word for word in words if word not in _COMMON) or "".join(words)


def _near(text: str) -> list[str]:
    """Return a text and all that it is with one letter left out: two that share one are near."""
    text = text.replace("-", "")
    if len(text) < _SHORTEST:
        return []
    return [text, *dict.fromkeys(text[:n] + text[n + 1 :] for n in range(len(text)))]


def _mailbox(address: str) -> str:
    """Return where mail to an address ends up: `a+b@x` is `a@x`."""
    local, _at, domain = address.lower().rpartition("@")
    return f"{local.split('+')[0]}@{domain}" if domain else ""


def _number(number: str) -> str:
    """Return a registration number as it is compared: an establishment is its association."""
    plain = re.sub(r"[^0-9A-Za-z]", "", number).upper()
    return plain[:_SIREN] if plain.isdigit() and len(plain) == _SIRET else plain


def _is_whole(number: str) -> bool:
    """Whether the last digit is what the others make it; numbers of other registers always are."""
    plain = re.sub(r"[^0-9A-Za-z]", "", number)
    if not (plain.isascii() and plain.isdigit() and len(plain) in {_SIREN, _SIRET}):
        return True
    digits = [int(char) * (2 if place % 2 else 1) for place, char in enumerate(reversed(plain))]
    return sum(digit - 9 if digit > 9 else digit for digit in digits) % 10 == 0


def _scripts(name: str) -> set[str]:
    """Return the alphabets of the first word that has letters of several."""
    for word in re.split(r"[\W\d_]+", name):
        found = {unicodedata.name(char, "?").split()[0].title() for char in word}
        mixed = found & {"Latin", "Cyrillic", "Greek", "Armenian", "Cherokee"}
        if len(mixed) > 1:
            return mixed
    return set()
