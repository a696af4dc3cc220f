# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Filter openpgp_fingerprints: whose public keys a file holds."""

from __future__ import annotations

DOCUMENTATION = r"""
name: openpgp_fingerprints
short_description: Fingerprints of the OpenPGP keys in a file
version_added: 0.1.0
author:
  - The Archipel contributors
description:
  - Reads a key file as a vendor hands it out, binary or with armour, and returns the fingerprint of
    each primary key in it (version 4). A node can so refuse a key before apt trusts it, and
    needs no GnuPG for it.
options:
  _input:
    description: The file in base64, as M(ansible.builtin.slurp) returns it.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Refuse another key
  ansible.builtin.assert:
    that: (key['content'] | archipel.spaces.openpgp_fingerprints) == [wanted]
"""

RETURN = r"""
_value:
  description: Fingerprints of 40 hexadecimal digits, upper-case. None where the file holds no key.
  type: list
  elements: str
"""

import base64
import binascii
import hashlib
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.archipel.spaces.plugins.plugin_utils._sources._release_source import (
    dearmor,
)

PRIMARY_KEY = 6
OLD_LENGTHS = {0: 1, 1: 2, 2: 4}


def openpgp_fingerprints(content: str) -> list[str]:
    """Return the fingerprints of the primary keys.

    Raises:
        AnsibleFilterError: the file holds no keys.

    """
    try:
        data = dearmor(base64.b64decode(content, validate=True))
        return [
            hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body).hexdigest().upper()
            for tag, body in packets(data)
            if tag == PRIMARY_KEY
        ]
    except (binascii.Error, ValueError, IndexError, OverflowError) as error:
        raise AnsibleFilterError(f"openpgp_fingerprints: no OpenPGP keys: {error}") from error


def packets(data: bytes) -> t.Iterator[tuple[int, bytes]]:
    """Yield the type and the body of each packet (RFC 9580, 4.2). Pure.

    Raises:
        ValueError: the data are no packets, or are cut off.

    """
    at = 0
    while at < len(data):
        first = data[at]
        if not first & 0x80:
            raise ValueError(f"byte {at} does not begin a packet")
        tag, start, length = _new(data, at) if first & 0x40 else _old(data, at)
        if start + length > len(data):
            raise ValueError("the last packet is cut off")
        yield tag, data[start : start + length]
        at = start + length


def _old(data: bytes, at: int) -> tuple[int, int, int]:
    """Return type, begin and length of a packet in the old form.

    Raises:
        ValueError: the packet has no length.

    """
    size = OLD_LENGTHS.get(data[at] & 3)
    if size is None:
        raise ValueError("a packet without length")
    start = at + 1 + size
    return (data[at] >> 2) & 15, start, int.from_bytes(data[at + 1 : start], "big")


def _new(data: bytes, at: int) -> tuple[int, int, int]:
    """Return type, begin and length of a packet in the new form.

    Raises:
        ValueError: the packet comes in parts.

    """
    tag, one = data[at] & 63, data[at + 1]
    if one < 192:
        return tag, at + 2, one
    if one < 224:
        return tag, at + 3, ((one - 192) << 8) + data[at + 2] + 192
    if one == 255:
        return tag, at + 6, int.from_bytes(data[at + 2 : at + 6], "big")
    raise ValueError("a packet in parts")


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By name."""
        return {"openpgp_fingerprints": openpgp_fingerprints}
