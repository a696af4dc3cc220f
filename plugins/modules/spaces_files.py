#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module spaces_files."""

from __future__ import annotations

DOCUMENTATION = r"""
module: spaces_files
short_description: Bring users, directories and files of all spaces of a node to their wanted state
version_added: 0.1.0
description:
  - Unix users are declared in one file and made by one call of systemd-sysusers, directories in
    another by one call of systemd-tmpfiles. Nothing is ever removed.
  - Vhosts, PHP services and managed configurations are rendered on the controller, travel as
    one compressed value and are compared on the node in one pass.
  - Content, owner, mode and access lists are compared with what is there, each time. A change made
    by hand is found.
  - A space whose user or directories fail is left out of what follows.
extends_documentation_fragment:
  - archipel.spaces.spaces
attributes:
  diff_mode:
    support: full
    description: One entry per file; the values of secret keys are left out.
requirements: [systemd >= 252]
"""

EXAMPLES = r"""
- name: Converge users, directories and files of all the spaces of this node
  archipel.spaces.spaces_files:
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
  sample: {"velo-ecole": ["/etc/nginx/archipel/velo-ecole.conf: content"]}
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
kinds:
  description: The changed spaces by kind of file.
  returned: always
  type: dict
  sample: {"vhost": ["velo-ecole"]}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archipel.spaces.plugins.module_utils import _tree
from ansible_collections.archipel.spaces.plugins.module_utils._spaces import PAYLOAD_OPTION, unpack


def main() -> None:
    """Converge what the payload asks for."""
    module = AnsibleModule(argument_spec={"payload": PAYLOAD_OPTION}, supports_check_mode=True)
    wanted = unpack(module.params["payload"])
    report = _tree.converge(wanted, check=module.check_mode, diff=module._diff)
    module.exit_json(**report.result())


if __name__ == "__main__":
    main()
