# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The filter that says whose keys a file holds."""

from __future__ import annotations

import base64
import hashlib

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.archipel.spaces.plugins.filter.openpgp_fingerprints import FilterModule

fingerprints = FilterModule().filters()["openpgp_fingerprints"]
KEY = b"\x04" + b"\x00" * 4 + b"\x01" + b"a public key of no use" * 3
DIGEST = hashlib.sha1(b"\x99" + len(KEY).to_bytes(2, "big") + KEY).hexdigest().upper()


def old(tag: int, body: bytes) -> bytes:
    return bytes([0x80 | tag << 2 | 1]) + len(body).to_bytes(2, "big") + body


def new(tag: int, body: bytes) -> bytes:
    return bytes([0xC0 | tag, len(body)]) + body


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def armoured(data: bytes) -> bytes:
    body = base64.encodebytes(data)
    ends = (b"-----BEGIN PGP PUBLIC KEY BLOCK-----", b"-----END PGP PUBLIC KEY BLOCK-----")
    return ends[0] + b"\nVersion: any\n\n" + body + b"=abcd\n" + ends[1] + b"\n"


@pytest.mark.parametrize("packet", [old, new])
def test_the_primary_key_is_found_and_names_and_subkeys_are_passed(packet):
    data = packet(6, KEY) + packet(13, b"Somebody") + packet(14, b"a subkey")
    assert fingerprints(text(data)) == [DIGEST]


def test_armour_is_taken_off():
    assert fingerprints(text(armoured(old(6, KEY)))) == [DIGEST]


def test_each_key_of_a_file_is_named():
    """A second key in the vendor's file would be trusted as well."""
    assert fingerprints(text(old(6, KEY) + old(6, KEY + b"!"))) != [DIGEST]
    assert len(fingerprints(text(old(6, KEY) + old(6, KEY + b"!")))) == 2


def test_a_file_without_keys_has_none():
    assert fingerprints(text(b"")) == []


@pytest.mark.parametrize(
    "data", [b"<html>404</html>", old(6, KEY)[:-1], b"\x9b\x00", b"\xc6\xe1", b"\xc6"]
)
def test_what_is_no_key_is_refused(data: bytes):
    with pytest.raises(AnsibleFilterError, match="no OpenPGP keys"):
        fingerprints(text(data))
