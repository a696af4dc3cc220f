# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Filter reachable: what the spaces of a node may reach in private networks."""

from __future__ import annotations

DOCUMENTATION = r"""
name: reachable
short_description: What the spaces of a node may reach in private networks
version_added: 0.1.0
author:
  - The Archipel contributors
description:
  - Takes the addresses of the platform's nodes and what the policy configures spaces to use, and
    returns the services that they may reach although they are in a private network or on the
    node itself.
positional: own, relay, databases, https_port, others
options:
  _input:
    description: Part of the platform to addresses of its nodes, C(archipel_part_addresses).
    type: dict
    required: true
  own:
    description: This node's own addresses.
    type: list
    elements: str
    required: true
  relay:
    description: The mail relay, C(archipel_mail_relay); empty where there is none.
    type: dict
    required: true
  databases:
    description: Database node to the host that spaces know it by, C(spaces_database_hosts).
    type: dict
    required: true
  https_port:
    description: The port that people use.
    type: int
    required: true
  others:
    description: What else the policy names, as V({host, ports, protocol}).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Converge the spaces
  ansible.builtin.include_role:
    name: archipel.spaces.spaces
  vars:
    spaces_reachable: >-
      {{ archipel_part_addresses
         | archipel.spaces.reachable(['10.0.0.1'], archipel_mail_relay, {}, 443,
                                     [{'host': 's3.example.org', 'ports': [9000]}]) }}
"""

RETURN = r"""
_value:
  description: Host, ports and protocol of each service.
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import _reachable

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Unchecked


def reachable(
    parts: dict[str, list[str]],
    own: list[str],
    relay: Unchecked,
    databases: dict[str, str],
    https_port: int,
    others: list[Unchecked],
) -> list[_reachable.Service]:
    """Return the services.

    Raises:
        AnsibleFilterError: something that spaces must reach has no address.

    """
    try:
        return _reachable.list_services(parts, own, relay, databases, int(https_port), others)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        text = (
            f"reachable: {type(error).__name__}: {error}; archipel_mail_relay takes host and port, "
            "archipel_reachable a list of {host, ports, protocol}"
        )
        raise AnsibleFilterError(text) from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By name."""
        return {"reachable": reachable}
