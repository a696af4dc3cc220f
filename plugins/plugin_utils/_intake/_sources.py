# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where requests come from: the form's receiver, a mail, a forge's issue. Files to plain values.

Nothing is believed that a file says of itself but what the receiver, which is ours, has written: a
mail and an issue are named by the digest of their bytes.
"""

from __future__ import annotations

import datetime
import email
import email.policy
import hashlib
import json
import os
import re
import stat
import typing as t
import unicodedata
from email.message import EmailMessage
from email.utils import parseaddr, parsedate_to_datetime
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Draft

MAX_BYTES = 256 * 1024
# What a forge writes where a field was left empty.
_NOTHING = frozenset({"_No response_", "_Pas de réponse_", "None"})
# What people read → the key of the format. Without accents, in small letters.
LABELS = {
    "name of the association": "name",
    "nom de l'association": "name",
    "wished address": "address",
    "adresse souhaitee": "address",
    "contact": "contact_name",
    "person to write to": "contact_name",
    "personne a contacter": "contact_name",
    "e-mail address": "contact_email",
    "email": "contact_email",
    "adresse electronique": "contact_email",
    "courriel": "contact_email",
    "registration number": "registration_number",
    "numero rna ou siren": "registration_number",
    "numero d'immatriculation": "registration_number",
    "website": "website",
    "site web": "website",
    "office suite": "office",
    "suite bureautique": "office",
    "language": "language",
    "langue": "language",
    "charter": "charter",
    "charte": "charter",
    "about the association": "about",
    "l'association en quelques lignes": "about",
}
_LANGUAGES = {"francais": "fr", "french": "fr", "english": "en", "anglais": "en"}
_FIELD = re.compile(r"^\s{0,3}>?\s*([^:\n]{2,90}?)\s*:[ \t\u00a0]*(.*)$")
# What a template says of a field, behind its label.
_EXPLAINED = re.compile(r"\s*\([^()]*\)$")
_HEADING = re.compile(r"^#{2,4}\s+(.+?)\s*#*\s*$")
_CHECKED = re.compile(r"^\s*[-*]\s*\[[xX]\]", re.MULTILINE)


class SourceError(Exception):
    """The file is no request."""


def list_files(folder: Path) -> list[Path]:
    """Return the files of a folder that may be requests, by name."""
    kinds = (".json", ".eml", ".md")
    return sorted(
        path for path in folder.iterdir() if path.suffix in kinds and not path.name.startswith(".")
    )


def read(path: Path) -> Draft:
    """Return what a file says, as the keys of the common format.

    Raises:
        SourceError: it is no plain file, too long, or none of the three kinds.

    """
    data, when = _bytes(path)
    try:
        if path.suffix == ".json":
            return _read_json(data)
        if path.suffix == ".eml":
            return _read_mail(data, when)
        return _named(data, when, "forge", _read_headings(data.decode("utf-8")))
    except UnicodeDecodeError as error:
        raise SourceError(_("is not UTF-8 text")) from error
    except (ValueError, RecursionError) as error:
        raise SourceError(_("cannot be read ({error})", error=error)) from error


def _bytes(path: Path) -> tuple[bytes, datetime.datetime]:
    """Return the bytes of a file, and when it was written.

    Raises:
        SourceError: it is a link, no plain file, or too long.

    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        text = _("cannot be read ({error}); a link is never followed", error=error.strerror)
        raise SourceError(text) from error
    try:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode):
            raise SourceError(_("is no plain file"))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(MAX_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(data) > MAX_BYTES:
        text = _("has more than {bytes} bytes; a request has a few thousand", bytes=MAX_BYTES)
        raise SourceError(text)
    return data, datetime.datetime.fromtimestamp(info.st_mtime, tz=datetime.UTC)


def _read_json(data: bytes) -> Draft:
    """Return a request of the receiver, or the issue that a forge's API gives.

    Raises:
        SourceError: it is none of them.

    """
    value = json.loads(data.decode("utf-8"), object_pairs_hook=_once)
    if not isinstance(value, dict):
        raise SourceError(_("is no JSON object"))
    body = value.get("body", value.get("description"))
    if "format" in value or not isinstance(body, str):
        return value
    when = _moment(str(value.get("created_at", "")))
    # The text alone: what a forge says of an issue changes with each comment.
    return _named(body.encode("utf-8"), when, "forge", _read_headings(body))


def _once(pairs: list[tuple[str, t.Any]]) -> Draft:
    """Return an object whose keys come once.

    Raises:
        SourceError: one comes twice; two readers would take different ones.

    """
    found = dict(pairs)
    if len(found) != len(pairs):
        raise SourceError(_("has a key twice"))
    return found


def _read_mail(data: bytes, when: datetime.datetime) -> Draft:
    """Return a mail in the fixed format: a line `Label: value` for each field.

    Raises:
        SourceError: it has no plain text.

    """
    message = email.message_from_bytes(data, policy=email.policy.default)
    part = message.get_body(("plain",))
    if part is None:
        raise SourceError(_("has no plain text; ask for it again as text"))
    try:
        text = part.get_content()
    except (LookupError, UnicodeError) as error:
        raise SourceError(_("is written in an unknown character set")) from error
    values = _read_lines(text)
    sender = parseaddr(str(message.get("From", "")))[1]
    values.setdefault("contact_email", sender)
    return _named(data, _sent(message, when), "mail", values)


def _sent(message: EmailMessage, when: datetime.datetime) -> datetime.datetime:
    """When a mail was sent, if it can be believed; else when it was put here."""
    try:
        sent = parsedate_to_datetime(str(message.get("Date", ""))).astimezone(datetime.UTC)
    except (ValueError, TypeError, OverflowError):
        return when
    return sent if datetime.timedelta(0) <= when - sent <= datetime.timedelta(days=30) else when


def _moment(text: str) -> datetime.datetime:
    now = datetime.datetime.now(tz=datetime.UTC)
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError:
        return now
    found = found if found.tzinfo else found.replace(tzinfo=datetime.UTC)
    return min(found.astimezone(datetime.UTC), now)


def _named(data: bytes, when: datetime.datetime, via: str, values: Draft) -> Draft:
    """Return fields with what the receiver would have added to them."""
    language = values.get("language", "")
    values["language"] = _LANGUAGES.get(_plain(language), language)
    return {
        **{key: value for key, value in values.items() if value},
        "format": 1,
        "kind": "space",
        "id": hashlib.sha256(data).hexdigest()[:32],
        "received": when.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "via": via,
    }


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKD", text.replace("’", "'"))
    found = "".join(char for char in text if not unicodedata.combining(char))
    return " ".join(found.lower().split()).rstrip(" *:?")


def _key(label: str) -> str:
    label = _EXPLAINED.sub("", _plain(label))
    return LABELS.get(label) or (label if label in LABELS.values() else "")


def _read_lines(text: str) -> Draft:
    """Fields of a mail; what follows a line without a label belongs to the one above."""
    found: dict[str, list[str]] = {}
    current = ""
    for line in text.splitlines():
        if line.rstrip() == "--":
            break  # a signature
        match = _FIELD.match(line)
        key = _key(match[1]) if match else ""
        if match and key and key not in found:
            current = key
            found[key] = [match[2]]
        elif current == "about":
            found[current].append(line)
    return {key: "\n".join(lines).strip() for key, lines in found.items()}


def _read_headings(text: str) -> Draft:
    """Fields of an issue form: a heading for each, and below it what was typed."""
    found: dict[str, list[str]] = {}
    current = ""
    for line in text.splitlines():
        match = _HEADING.match(line)
        key = _key(match[1]) if match else ""
        if match and key and key not in found:
            current = key
            found[key] = []
        elif current:
            found[current].append(line)
    values = {key: "\n".join(lines).strip() for key, lines in found.items()}
    if "charter" in values:
        values["charter"] = "yes" if _CHECKED.search(values["charter"]) else values["charter"]
    return {key: value for key, value in values.items() if value not in _NOTHING}
