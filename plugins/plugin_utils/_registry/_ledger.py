# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The ledger of an environment: what was deleted for good, one signed line each.

Each signature covers the one before it, so that no line can be changed, moved or taken out
unnoticed. Only the last lines could be cut off; that is what git keeps.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    Problem,
    RegistryError,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NAME = "ledger.txt"
PURPOSE = "ledger"
MARK = " hmac-sha256:"
# Hexadecimal digits.
SIGNATURE_LENGTH = 64


class Entry(t.TypedDict, total=False):
    """A space that was purged; earlier lines may have less than slug and id beside the date."""

    act: t.Literal["purged"]
    # ISO 8601.
    at: str
    # Login name on the controller.
    by: str
    environment: str
    slug: t.Required[str]
    id: t.Required[int]
    web: str
    # YYYY-MM-DD.
    closed_on: str
    # The restore point that was verified; empty where there was nothing to lose.
    backup: str


class Line(t.NamedTuple):
    """One line: its number, what it says, and what was signed."""

    number: int
    entry: Entry
    text: str
    signature: str


def parse(text: str, path: str) -> list[Line]:
    """Return the lines of a ledger; their signatures are not looked at.

    A last line without its end is what a run left that was cut short while it wrote: the space is
    recorded anew. One that merely lost its line break is a line like the others.

    Raises:
        RegistryError: a line is none of ours.
    """
    lines = []
    for number, row in enumerate(_without_rest(text).splitlines(), start=1):
        body, mark, signature = row.rpartition(MARK)
        try:
            entry = json.loads(body)
            known = bool(mark) and isinstance(entry["slug"], str) and isinstance(entry["id"], int)
        except (ValueError, KeyError, TypeError):
            known = False
        if not known:
            text = _(
                "not a line of the ledger; nobody writes there by hand: take the file's last "
                "version from git"
            )
            raise RegistryError([Problem(path, text, number)])
        lines.append(Line(number, entry, body, signature))
    return lines


def _without_rest(text: str) -> str:
    """Take off the beginning of a line that ends before its signature does."""
    before, end, last = text.rpartition("\n")
    _body, mark, signature = last.rpartition(MARK)
    whole = bool(mark) and len(signature) >= SIGNATURE_LENGTH
    return text if whole or not last.startswith("{") else before + end


def read(path: Path) -> list[Line]:
    """Return the lines of a ledger; a file that is not there has none.

    Raises:
        RegistryError: it cannot be read, or is no ledger.

    """
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        text = _(
            "cannot be read ({error}); make it readable, or take the last version from git",
            error=error,
        )
        raise RegistryError([Problem(str(path), text)]) from error


def list_purged(lines: Iterable[Line]) -> dict[str, str]:
    """Slug → when it was purged; the last time counts."""
    return {line.entry["slug"]: line.entry.get("at", "") for line in lines}


def sign(key: str, before: str, text: str) -> str:
    """The signature of a line that follows the signature `before`."""
    return hmac.new(key.encode(), f"{before}\n{text}".encode(), hashlib.sha256).hexdigest()


def check_signatures(lines: Iterable[Line], key: str, path: str) -> list[Problem]:
    """Every line whose signature is not what it must be."""
    found, before = [], ""
    for line in lines:
        if not hmac.compare_digest(sign(key, before, line.text), line.signature):
            text = _(
                "the signature is wrong: this line or one before it was changed; compare with "
                "git; it may also be another environment's master key"
            )
            found.append(Problem(path, text, line.number))
        before = line.signature
    return found


def append(path: Path, key: str, entry: Entry, *, write: bool = True) -> bool:
    """Add a line, once for each slug and id; return whether it was added, or would be.

    Raises:
        RegistryError: somebody changed the ledger.
        OSError: it cannot be written.
    """
    if not write:
        return not _has(_checked(read(path), key, path), entry)
    with path.open("a+", encoding="utf-8", newline="") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        text = _without_rest(file.read())
        lines = _checked(parse(text, str(path)), key, path)
        if _has(lines, entry):
            return False
        body = json.dumps(entry, ensure_ascii=False, sort_keys=True)
        before = lines[-1].signature if lines else ""
        file.truncate(len(text.encode()))
        break_ = "" if not text or text.endswith("\n") else "\n"
        file.write(f"{break_}{body}{MARK}{sign(key, before, body)}\n")
        file.flush()
        os.fsync(file.fileno())
    return True


def _checked(lines: list[Line], key: str, path: Path) -> list[Line]:
    """Return lines whose signatures are right.

    Raises:
        RegistryError: a signature is wrong.

    """
    if wrong := check_signatures(lines, key, str(path)):
        raise RegistryError(wrong)
    return lines


def _has(lines: Iterable[Line], entry: Entry) -> bool:
    return any(_same(line.entry, entry) for line in lines)


def _same(one: Entry, other: Entry) -> bool:
    """Ids are never given twice: the same slug and id are the same space."""
    return (one["slug"], one["id"]) == (other["slug"], other["id"])
