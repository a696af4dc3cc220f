# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Filter office_tenants: the spaces of one office suite, with the secrets they share with it."""

from __future__ import annotations

DOCUMENTATION = r"""
name: office_tenants
short_description: The spaces that an office node serves, with their secrets
version_added: 0.1.0
author:
  - The Archipel contributors
description:
  - Takes C(archipel_office_spaces) of an office node and returns the spaces of one suite. Each has
    the secret that the same space is configured with, derived from the master key.
positional: suite, master_key
options:
  _input:
    description: The spaces, C(archipel_office_spaces) of the inventory plugin.
    type: list
    elements: dict
    required: true
  suite:
    description: The suite.
    type: str
    required: true
  master_key:
    description: The master key, at least 32 characters.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Configure the tenants of the Document Server
  ansible.builtin.include_role:
    name: archipel.spaces.onlyoffice
    tasks_from: spaces
  vars:
    onlyoffice_tenants: >-
      {{ archipel_office_spaces
         | archipel.spaces.office_tenants('onlyoffice', archipel_master_key) }}
"""

RETURN = r"""
_value:
  description: Slug, host name, shard and secret of each space.
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.archipel.spaces.plugins.plugin_utils._render import _connectors

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import (
        ServedSpace,
        Tenant,
    )


def office_tenants(spaces: list[ServedSpace], suite: str, master_key: str) -> list[Tenant]:
    """Return the spaces of a suite with their secrets.

    Raises:
        AnsibleFilterError: an entry lacks something, or the master key is none.

    """
    try:
        return _connectors.list_tenants(spaces, suite, str(master_key))
    except (KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"office_tenants: {type(error).__name__}: {error}") from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By name."""
        return {"office_tenants": office_tenants}
