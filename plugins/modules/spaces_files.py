#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module spaces_files."""

from __future__ import annotations

DOCUMENTATION = r"""
module: spaces_files
short_description: Converge what a node and all its spaces have on disk
version_added: 0.1.0
description:
  - Users, directories, files and storage limits.
  - Unix users are declared in one file and made by one call of systemd-sysusers, directories in
    another by one call of systemd-tmpfiles. Nothing is ever removed.
  - Vhosts, PHP services and managed configurations are rendered on the controller, travel as
    one compressed value and are compared on the node in one pass.
  - Content, owner, mode and access lists are compared with what is there, each time. A change made
    by hand is found.
  - Storage limits are set as by M(archipel.spaces.spaces_quotas), which is for those alone.
  - Files of the node itself, whatever the number of spaces, come first.
  - A space whose user or directories fail is left out of what follows.
options:
  node:
    description: Files of the node itself, as the options of M(archipel.spaces.templates).
    type: dict
    default: {}
    suboptions:
      files:
        description: The files.
        type: list
        elements: dict
        default: []
      directories:
        description: Directories that must exist before, parents first.
        type: list
        elements: dict
        default: []
extends_documentation_fragment:
  - archipel.spaces.spaces
attributes:
  diff_mode:
    support: full
    description: One entry per file; the values of secret keys are left out.
requirements: [systemd >= 252]
"""

EXAMPLES = r"""
- name: Converge what all the spaces of this node have on disk
  archipel.spaces.spaces_files:
    spaces: archipel_spaces
    settings: "{{ __spaces_settings }}"
    node:
      directories:
        - path: /etc/archipel
      files:
        - dest: /etc/systemd/system/space-php@.service
          src: etc/systemd/system/space-php@.service.j2
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
vhosts:
  description:
    - What the vhosts that would change would hold, by slug.
    - Later tasks of a check run read the names of spaces from them.
  returned: in check mode
  type: dict
  sample: {"velo-ecole": "velo-ecole.example.org approved/fr/velo-ecole@127.112.0.3;"}
usage:
  description: What each space uses and may use, by slug. Empty without limits.
  returned: always
  type: dict
  sample:
    velo-ecole:
      used_bytes: 1073741824
      limit_bytes: 42949672960
      files: 3071
      limit_files: 2621440
over:
  description: Spaces that use more than they shall have; they can store nothing more.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import (
    PAYLOAD_OPTION,
    unpack,
)
from ansible_collections.archipel.spaces.plugins.module_utils._system import (
    _filesystem,
    _quotas,
    _tree,
)
from ansible_collections.archipel.spaces.plugins.module_utils._web import _managed_files


def main() -> None:
    """Converge what the payload asks for."""
    module = AnsibleModule(argument_spec={"payload": PAYLOAD_OPTION}, supports_check_mode=True)
    wanted = unpack(module.params["payload"])
    try:
        report = _tree.converge(wanted, check=module.check_mode, diff=module._diff)
    except (_managed_files.FilesError, _filesystem.FilesystemError, OSError) as error:
        module.fail_json(msg=str(error))
    for warning in _quotas.list_warnings(wanted["quotas"], report):
        module.warn(warning)
    module.exit_json(**report.result())


if __name__ == "__main__":
    main()
