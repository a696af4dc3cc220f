#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module spaces_directories."""

from __future__ import annotations

DOCUMENTATION = r"""
module: spaces_directories
short_description: Make the directories of all the spaces of a node
version_added: 0.1.0
description:
  - Compares owner and mode of every directory in one pass, declares them in one tmpfiles.d
    file and mends what differs in one call of C(systemd-tmpfiles).
  - Nothing is ever removed.
extends_documentation_fragment:
  - archipel.spaces.spaces
requirements: [systemd >= 252]
attributes:
  diff_mode:
    support: none
    description: Directories are listed under RV(spaces).
    details: There is nothing to compare line by line.
"""

EXAMPLES = r"""
- name: Converge the directories of all the spaces of this node
  archipel.spaces.spaces_directories:
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
  sample: {"velo-ecole": ["/srv/spaces/velo-ecole: created"]}
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
    report = _accounts.converge_directories(**wanted, check=module.check_mode)
    module.exit_json(**report.result())


if __name__ == "__main__":
    main()
