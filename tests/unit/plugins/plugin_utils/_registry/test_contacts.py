# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Contacts in Ansible's vault: read with the password, sealed without, never in the clear."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import RegistryError
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _contacts

SECRET = VaultLib([("default", VaultSecret(b"right"))])
NADIA = {"velo": {"email": "a@b.example", "name": "Nadia: #1", "about": "one\n\ntwo"}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "contacts.yml"


def written(path: Path, vault: VaultLib = SECRET) -> Path:
    _contacts.write(_contacts.Contacts(str(path)), NADIA, vault)
    return path


def test_what_is_written_is_read(path: Path):
    written(path)
    assert b"Nadia" not in path.read_bytes()
    assert _contacts.read(path, SECRET) == _contacts.Contacts(str(path), NADIA, vault_id="default")


def test_nothing_is_no_mistake(path: Path):
    assert _contacts.read(path, SECRET).known == {}
    _contacts.write(_contacts.Contacts(str(path)), {}, SECRET)
    assert _contacts.read(path, SECRET).known == {}


def test_the_label_of_a_password_is_kept(path: Path):
    vault = VaultLib([("other", VaultSecret(b"wrong")), ("people", VaultSecret(b"right"))])
    path.write_bytes(vault.encrypt("{}", vault.secrets[1][1], vault_id="people"))
    _contacts.write(_contacts.read(path, vault), NADIA, vault)
    assert path.read_bytes().startswith(b"$ANSIBLE_VAULT;1.2;AES256;people\n")
    assert _contacts.read(path, SECRET).known == NADIA


def test_without_a_password_it_stays_sealed(path: Path):
    contacts = _contacts.read(written(path), VaultLib())
    assert contacts.sealed
    assert contacts.known == {}
    for vault in (VaultLib(), SECRET):
        with pytest.raises(RegistryError, match="has no password"):
            _contacts.write(contacts, NADIA, vault)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("velo: {email: a@b.example}\n", "is not encrypted"),
        (SECRET.encrypt("velo: {emial: a@b.example}"), "velo.emial: unknown key"),
        (SECRET.encrypt("velo: {email: somebody}"), "velo.email: found a value that is not shown"),
        (SECRET.encrypt("velo: secret-person"), "velo: found a value that is not shown"),
        (SECRET.encrypt("[secret-person]"), "allowed: a mapping"),
        (SECRET.encrypt("velo: ["), "not readable as YAML"),
        (VaultLib([("default", VaultSecret(b"theirs"))]).encrypt("{}"), "with another password"),
        (b"$ANSIBLE_VAULT;1.1;AES256\nzz\n", "with another password"),
    ],
)
def test_what_is_wrong_is_said_and_nobody_is_named(path: Path, text: str | bytes, said: str):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(RegistryError, match=said) as refusal:
        _contacts.read(path, SECRET)
    for private in ("a@b.example", "somebody", "secret-person"):
        assert private not in str(refusal.value)
