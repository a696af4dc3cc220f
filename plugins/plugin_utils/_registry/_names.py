# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether a name is a host's, its xn-- parts say something, or it is an address. Pure.

And what somebody meant who wrote something else.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import quoted

HOST_NAME = re.compile(
    r"(?=.{4,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
)
LONGEST = 253
# What is copied together with a name: https:// before it; a port, a path or a dot behind.
_AROUND = re.compile(
    r"\A\s*(?:[a-zA-Z][a-zA-Z0-9+.-]*://)?([^\s/:?#@]*?)\.?(?::\d*)?(?:[/?#]\S*)?\s*\Z"
)
_PREFIX = "xn--"
# Letters, their marks, digits and the hyphen; and what IDNA takes besides, in words that need it.
_CATEGORIES = frozenset("LMN")
_SIGNS = frozenset("-·׳״・\u200c\u200d")


def check_domain(domain: str) -> str:
    """Return what is wrong with the xn-- parts of a host name; empty if nothing is."""
    for label in domain.split("."):
        if label.startswith(_PREFIX) and not _is_internationalised(label):
            return _(
                "found {found}, but {label} is the xn-- form of no name; allowed: what the "
                "registrar or a converter gives for the real name",
                found=quoted(domain),
                label=label,
            )
    return ""


def _is_internationalised(label: str) -> bool:
    """Whether a label is what its own meaning is written as."""
    try:
        text = label.removeprefix(_PREFIX).encode().decode("punycode")
        written = text.encode("punycode").decode()
    except UnicodeError:
        return False
    return (
        written == label.removeprefix(_PREFIX)
        and not text.isascii()
        and unicodedata.normalize("NFKC", text.lower()) == text
        and not text.startswith("-")
        and not text.endswith("-")
        and not unicodedata.category(text[0]).startswith("M")
        and all(unicodedata.category(char)[0] in _CATEGORIES or char in _SIGNS for char in text)
    )


def suggest(value: object) -> str:
    """Return a sentence on what to write in place of something that is no host name; often none."""
    if not isinstance(value, str):
        return ""
    if is_address(value.strip("[]")):
        return _(" An address is no name: write the name that leads to it.")
    if value.startswith("*."):
        return _(" Write each name by itself: a wildcard would take names that are others'.")
    if len(value) > LONGEST:
        return _(
            " It has {number} characters, and a host name at most {most}.",
            number=len(value),
            most=LONGEST,
        )
    match = _AROUND.match(value)
    meant = _as_ascii(match[1]) if match else ""
    if meant == value or not HOST_NAME.fullmatch(meant):
        return ""
    return _(' Write "{word}".', word=meant)


def _as_ascii(name: str) -> str:
    """Return a name in lower case, with accents in their xn-- form; empty if there is none."""
    labels = [_encode(label) for label in unicodedata.normalize("NFC", name.lower()).split(".")]
    return ".".join(labels) if all(labels) else ""


def _encode(label: str) -> str:
    if label.isascii():
        return label
    found = _PREFIX + label.encode("punycode").decode()
    return found if _is_internationalised(found) else ""


def is_address(value: object) -> bool:
    """Return whether something is an IP address in a text."""
    try:
        return isinstance(value, str) and bool(ipaddress.ip_address(value))
    except ValueError:
        return False
