# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What the documentation of all bulk modules of spaces says in the same words."""

from __future__ import annotations


class ModuleDocFragment:
    """Options and attributes of the modules that converge all the spaces of a node."""

    DOCUMENTATION = r"""
options:
  spaces:
    description:
      - The spaces of this node, as a list or as the name of the variable that holds them, usually
        V(archipel_spaces) of the inventory plugin P(archipel.spaces.registry#inventory).
      - A variable that is named is read as it is, which spares Ansible a walk through thousands of
        values; what people wrote into a registry is no template anyway.
      - Spaces on hold are left alone.
    type: raw
    required: true
  settings:
    description:
      - Where things are on this node, and the policy.
      - The role C(archipel.spaces.spaces) prepares it.
    type: dict
    required: true
  only:
    description:
      - Narrows the run to some spaces, comma-separated slugs or groups, for instance
        V(velo-ecole,ring_canary).
      - Empty means all.
    type: str
    default: ""
  exclude:
    description: Slugs to leave out, usually those that an earlier task could not converge.
    type: list
    elements: str
    default: []
  skipped:
    description:
      - Spaces that the inventory left out because of errors in their files, C(archipel_skipped).
      - They are left as they are.
    type: list
    elements: dict
    default: []
  payload:
    description:
      - The desired state, rendered and compressed by the action plugin. Not for playbooks.
    type: str
attributes:
  check_mode:
    support: full
    description: Reports exactly what a real run would change.
  idempotent:
    support: full
    description: A second run changes nothing.
author:
  - The Archipel contributors
"""
