# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Contacts of a registry that may be public: contacts.yml beside spaces/, in Ansible's vault.

The file is encrypted as a whole: `ansible-vault view`, `edit` and `rekey` are all one needs. Who
has no password can check everything else; what a contact is, is unknown there.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultLib, match_encrypt_secret

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    Problem,
    RegistryError,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import (
    _edit,
    _schema,
    _strict_yaml,
    _writing,
)

if t.TYPE_CHECKING:
    from collections.abc import Mapping

# Where contacts are: in a vaulted file beside the registry, or in the associations' files.
VAULTED, PUBLIC = "vaulted", "public"
SCHEMA = _schema.Schema(Path(__file__).with_name("contacts.schema.json"))
_MAX_BYTES = 64 * 1024 * 1024
_HEADER = """\
---
# Who is written to about which space. Encrypted: ansible-vault edit, never an editor alone.
"""

Contact = dict[str, str]


@dataclass(frozen=True, slots=True)
class Contacts:
    """What the vaulted file says, by slug; nothing, where there is none or it cannot be read."""

    path: str = ""
    known: Mapping[str, Contact] = field(default_factory=dict)
    # There is a file, and nobody gave a password.
    sealed: bool = False
    # The label of the password that it was encrypted with.
    vault_id: str | None = None


def read(path: Path, vault: VaultLib) -> Contacts:
    """Read the contacts of a registry.

    Args:
        path: the file, which need not be there.
        vault: with the passwords of this run; with none, the file stays sealed.

    Raises:
        RegistryError: it is not encrypted, the password is another, or what is in it is wrong.

    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Contacts(str(path))
    except OSError as error:
        raise _error(
            path, _("cannot be read ({error}); make it readable", error=error.strerror)
        ) from error
    if not VaultLib.is_encrypted(data):
        text = _(
            "is not encrypted, and holds what nobody but you should read; run `ansible-vault "
            "encrypt {path}`, and take the plain one out of git's history",
            path=path,
        )
        raise _error(path, text)
    if not vault.secrets:
        return Contacts(str(path), sealed=True)
    try:
        plain, vault_id, _secret = vault.decrypt_and_get_vault_id(data)
    except AnsibleError as error:
        text = _(
            "was encrypted with another password than those of this run; give that one with "
            "--vault-id, or, the one of production.example is not yours: remove it and begin your "
            "own"
        )
        raise _error(path, text) from error
    known = parse(plain, str(path))
    return Contacts(str(path), known, vault_id=vault_id)


def parse(plain: bytes, path: str) -> dict[str, Contact]:
    """Return the contacts in a decrypted file.

    Raises:
        RegistryError: something is wrong with it. No value of it is in the message.

    """
    lines: _strict_yaml.Lines = {}
    try:
        data = _strict_yaml.load(plain, lines, max_bytes=_MAX_BYTES)
    except _strict_yaml.StrictYamlError as error:
        raise RegistryError([Problem(path, str(error), error.line)]) from error
    if not isinstance(data, dict):
        raise _error(Path(path), _("allowed: a mapping from slugs to email, name and about"))
    faults = SCHEMA.faults(data)
    if faults:
        raise RegistryError(
            Problem(path, one.text, _line(lines, one.place), ".".join(map(str, one.place)))
            for one in faults
        )
    return t.cast("dict[str, Contact]", data)


def _line(lines: _strict_yaml.Lines, place: _strict_yaml.Place) -> int | None:
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place)


def write(contacts: Contacts, known: Mapping[str, Contact], vault: VaultLib) -> None:
    """Encrypt contacts anew, with the password that the file has.

    Raises:
        RegistryError: there is no password, or what was there could not be read.

    """
    path = Path(contacts.path)
    if contacts.sealed or not vault.secrets:
        text = _(
            "contacts are kept in Ansible's vault, and this run has no password; give it with "
            "--vault-password-file or --ask-vault-pass"
        )
        raise _error(path, text)
    plain = _HEADER + (_edit.block(dict(sorted(known.items()))) if known else "{}\n")
    label, secret = match_encrypt_secret(vault.secrets, encrypt_vault_id=contacts.vault_id)
    # An unnamed password is called so by Ansible, and not in the file.
    label = None if label == "default" else label
    _writing.replace(path, vault.encrypt(plain, secret, vault_id=label))


def _error(path: Path, text: str) -> RegistryError:
    return RegistryError([Problem(str(path), text)])
