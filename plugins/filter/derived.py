# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Filter derived: a secret of one purpose, from the master key."""

from __future__ import annotations

DOCUMENTATION = r"""
name: derived
short_description: Derive the secret of one purpose from the master key
version_added: 0.1.0
author:
  - The Archipel contributors
description:
  - Derives with HKDF, as all secrets of spaces are. The same key, purpose and name give the same
    secret, on whatever node, so that nothing but the master key must be kept.
positional: purpose, name
options:
  _input:
    description: The master key, at least 32 characters.
    type: str
    required: true
  purpose:
    description: What the secret is for.
    type: str
    required: true
  name:
    description: Whose it is.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Say the password of the backups
  ansible.builtin.set_fact:
    password: "{{ archipel_master_key | archipel.spaces.derived('backup', archipel_environment) }}"
  no_log: true
"""

RETURN = r"""
_value:
  description: The secret, as URL-safe text.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._secrets import derive


def derived(master_key: str, purpose: str, name: str) -> str:
    """Derive a secret.

    Raises:
        AnsibleFilterError: the master key is none.

    """
    try:
        return derive(master_key, purpose, name, length=32)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By name."""
        return {"derived": derived}
