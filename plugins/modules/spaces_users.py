#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module spaces_users."""

from __future__ import annotations

DOCUMENTATION = r"""
module: spaces_users
short_description: Make the unix users of all the spaces of a node
version_added: 0.1.0
description:
  - Reads the user and group files once, declares all users in one sysusers.d file and makes
    the missing ones in one call of C(systemd-sysusers).
  - A name or an id that is taken otherwise fails that space and no other.
extends_documentation_fragment:
  - archipel.spaces.spaces
requirements: [systemd >= 252]
attributes:
  diff_mode:
    support: none
    description: Users are listed under RV(spaces).
    details: There is nothing to compare line by line.
"""

EXAMPLES = r"""
- name: Converge the users of all the spaces of this node
  archipel.spaces.spaces_users:
    spaces: archipel_spaces
    settings: "{{ __spaces_settings }}"
"""

RETURN = r"""
known:
  description: Number of spaces in O(spaces), whether this run converges them or not.
  returned: always
  type: int
  sample: 8
spaces:
  description: What was changed (in check mode, would be), by slug. Only changed spaces are listed.
  returned: always
  type: dict
  sample: {"velo-ecole": ["user space-velo-ecole (70003)"]}
failed_spaces:
  description:
    - Why a space could not be converged, by slug.
    - The module itself does not fail for them.
  returned: always
  type: dict
  sample: {}
node:
  description: What was changed on the node itself.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archipel.spaces.plugins.module_utils import _accounts
from ansible_collections.archipel.spaces.plugins.module_utils._spaces import PAYLOAD_OPTION, unpack


def main() -> None:
    """Converge what the payload asks for."""
    module = AnsibleModule(argument_spec={"payload": PAYLOAD_OPTION}, supports_check_mode=True)
    wanted = unpack(module.params["payload"])
    report = _accounts.converge_users(**wanted, check=module.check_mode)
    module.exit_json(**report.result())


if __name__ == "__main__":
    main()
