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

    # Ansible reads options and attributes of a fragment, and no return values: what modules have in
    # common there is written out in each, and tests/policy/test_returns.py holds it to this.
    # A description begins with these sentences; what is a module's own comes after them.
    RETURN = r"""
known:
  description: Number of spaces in O(spaces), whether this run converges them or not.
  returned: always
  type: int
spaces:
  description: What was changed (in check mode, would be), by slug. Only changed spaces are listed.
  returned: always
  type: dict
failed_spaces:
  description:
    - Why a space could not be converged, by slug.
    - The module itself does not fail for them.
  returned: always
  type: dict
node:
  description: What was changed on the node itself.
  returned: always
  type: list
  elements: str
usage:
  description: What each space uses and may use, by slug. Empty without limits.
  returned: always
  type: dict
over:
  description: Spaces that use more than they shall have; they can store nothing more.
  returned: always
  type: list
  elements: str
drift:
  description:
    - What is on the node and in no file of the registry, and the other way round, in words.
  returned: always
  type: list
  elements: str
ansible_facts:
  description: Facts of M(ansible.builtin.setup), under the same names.
  returned: success
  type: dict
changed:
  description: Whether something was done, or in check mode would be.
  returned: always
  type: bool
"""
