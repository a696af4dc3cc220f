# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Invitations that no relay carries: kept on the node, ready to be sent by hand."""

from __future__ import annotations

import base64
import typing as t
import unicodedata
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import formataddr, formatdate, make_msgid

from ansible_collections.archipel.spaces.plugins.module_utils._core import _files, _layout

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import Json

# Kinds of characters that end a line, or that no text has: control characters, separators.
ENDING = frozenset({"Cc", "Cs", "Zl", "Zp"})
# Bytes in an encoded word: it fits into a line, with the name of the header.
PART = 39


def message(invitation: Json) -> MIMEMultipart:
    """Return an invitation as a letter: what people wrote is words of it, never a header.

    Args:
        invitation: what `occ archipel:apply` or `archipel:invite` returned. Before version 0.6 of
            the application it has no html, from_name and reply_to.

    """
    letter = MIMEMultipart("alternative")
    letter["Date"], letter["Message-ID"] = (
        formatdate(localtime=True),
        make_msgid(domain="archipel.invalid"),
    )
    letter["To"] = address(invitation.get("name", ""), invitation["to"])
    if reply_to := invitation.get("reply_to", ""):
        sender = address(invitation.get("from_name", ""), reply_to)
        letter["From"], letter["Reply-To"] = sender, sender
    letter["Subject"] = words(invitation["subject"])
    letter["Auto-Submitted"] = "auto-generated"
    for key, kind in (("body", "plain"), ("html", "html")):
        if text := invitation.get(key, ""):
            letter.attach(MIMEText(text, kind, "utf-8"))
    return letter


def words(text: str) -> str:
    """Return a text as it stands in a header: always encoded. Pure.

    What somebody wrote as an encoded word would else be decoded first, and end the line.
    """
    plain = "".join(" " if unicodedata.category(c) in ENDING else c for c in text)
    parts = [b""]
    for letter in plain:
        if len(parts[-1] + letter.encode()) > PART:
            parts.append(b"")
        parts[-1] += letter.encode()
    return "\n ".join(f"=?utf-8?b?{base64.b64encode(part).decode()}?=" for part in parts)


def address(name: str, mail: str) -> str:
    """Return an address with a name. Pure."""
    return formataddr((words(name) if name else "", mail))


def path_of(folder: str, slug: str) -> str:
    """Return where a space's letter is kept."""
    return _layout.Layout(slug, _layout.Places(invitations=folder)).invitation


def spool(invitation: Json, path: str) -> None:
    """Keep an invitation for root's eyes only."""
    text = message(invitation).as_string()
    _files.write_file({"path": path, "content": text, "uid": 0, "gid": 0, "mode": 0o600})
