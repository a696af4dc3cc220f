# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Options that the actions on DNS have in common."""

from __future__ import annotations


class ModuleDocFragment:
    """What `_dns.SPEC` takes."""

    DOCUMENTATION = r"""
options:
  web:
    description: Nodes of the group C(web). Their spaces are read from C(archipel_spaces).
    type: list
    elements: str
    required: true
  office:
    description: >-
      Nodes of the group C(office). Their servers are read from C(archipel_office_servers).
    type: list
    elements: str
    default: []
  settings:
    description: What holds for all records.
    type: dict
    required: true
    suboptions:
      base_domain:
        description: The domain that spaces have their names below.
        type: str
        required: true
      ttl:
        description: Seconds for which resolvers keep a record.
        type: int
        required: true
      authorities:
        description: >-
          Certificate authorities, as CAA names them. Empty, CAA is neither written nor looked at.
        type: list
        elements: str
        required: true
      contact:
        description: Mail address that authorities write to about requests that CAA forbids.
        type: str
        required: true
      locale:
        description: Language of spaces whose file is wrong.
        type: str
        required: true
      addresses:
        description: Node → the list of its IP addresses, as the world sees them.
        type: dict
        required: true
      edge:
        description: >-
          IP addresses of the edges, as the world sees them: names of spaces lead there. Empty, they
          lead to the web nodes.
        type: list
        elements: str
        default: []
      services:
        description: Further host name → its node, such as that of the form.
        type: dict
        default: {}
"""
