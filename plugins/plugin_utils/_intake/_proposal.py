# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What becomes of a request: an address that is free, and a file that waits. Pure."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._intake import _alphabets
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _edit, _registry

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Draft
    from ansible_collections.archipel.spaces.plugins.plugin_utils._intake._submission import (
        Submission,
    )

LONGEST = 26
SCHEMA_LINE = "# yaml-language-server: $schema=../../../schema/space.schema.json\n"
# Words that say nothing of an association, at the beginning of its name.
_EMPTY = frozenset(
    {"amicale", "asso", "association", "club", "collectif", "comite", "d", "de", "des", "du", "l"}
    | {"la", "le", "les", "the", "un", "une"}
)


def propose(wanted: str, name: str, number: str, taken: frozenset[str]) -> str:
    """Return an address that nobody has: the wished one, or the nearest to it or to the name.

    Args:
        wanted: what the association would like, as it typed it.
        name: its name.
        number: what names the submission, hexadecimal digits.
        taken: names of spaces that are or were, and names that no space may have.

    """
    for candidate in _candidates(wanted, name, number):
        if _registry.SLUG.fullmatch(candidate) and candidate not in taken:
            return candidate
    return f"asso-{number[:20]}"


def _candidates(wanted: str, name: str, number: str) -> Iterator[str]:
    words = [word for word in (_plain(_host(wanted)), _short(name), _plain(name)) if word]
    yield from words
    for word in words:
        yield from (f"{_cut(word, LONGEST - 3)}-{count}" for count in range(2, 100))
    yield f"asso-{number[:8]}"


def _host(wanted: str) -> str:
    """The part of an address that is the space's own: people type the whole of it, or `www.`."""
    text = re.sub(r"^\s*https?://", "", wanted.lower()).split("/")[0]
    return text.split(".")[0] if "." in text and " " not in text else text


def _plain(text: str) -> str:
    """Return a text in letters, digits and hyphens, cut at a word."""
    text = _alphabets.plain(text, digits=False)
    if not re.search(r"[a-z0-9]", text):
        return ""
    return _cut(re.sub(r"[^a-z0-9]+", "-", text).lstrip("-0123456789"), LONGEST)


def _short(name: str) -> str:
    """Return a name without the words that every association has."""
    words = re.split(r"[\s'’-]+", name)
    kept = words
    while len(kept) > 1 and _plain(kept[0]) in _EMPTY:
        kept = kept[1:]
    return _plain(" ".join(kept))


def _cut(text: str, length: int) -> str:
    """Return the beginning of a text, whole words where there are some."""
    text = text.strip("-")
    if len(text) <= length:
        return text
    whole = text[: length + 1].rpartition("-")[0]
    return (whole if len(whole) >= length // 2 else text[:length]).strip("-")


def list_known(records: Iterable[_registry.Record]) -> dict[str, str]:
    """Return the submissions that files were made of: id → slug."""
    found = {}
    for record in records:
        for key in ("request", "change"):
            noted = record.data.get(key) if isinstance(record.data, dict) else None
            number = noted.get("id") if isinstance(noted, dict) else None
            if isinstance(number, str):
                found[number] = record.slug
    return found


def values(request: Submission, slug: str, *, vaulted: bool) -> Draft:
    """Return what the file of a request says; who to write to, only if it is not vaulted."""
    asked = {
        "on": request.day,
        "via": request.via,
        "id": request.id,
        "address": request.address if _host(request.address) != slug else "",
        "registration_number": request.registration_number,
        "website": request.website,
        "about": "" if vaulted else request.about,
    }
    contact = {"name": request.contact_name, "email": request.email}
    found: Draft = {"name": request.name, "status": "requested"}
    if not vaulted:
        found["contact"] = _filled(contact)
    found["request"] = _filled(asked)
    return found | _filled({"office": request.office, "locale": request.language})


def contact(request: Submission) -> dict[str, str]:
    """Return what goes into the vaulted file."""
    return _filled({"name": request.contact_name, "email": request.email, "about": request.about})


def _filled(found: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in found.items() if value}


def text(found: Draft) -> bytes:
    """Return a file of the registry."""
    return (SCHEMA_LINE + _edit.block(found)).encode("utf-8")
