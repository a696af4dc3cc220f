#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module spaces_quotas."""

from __future__ import annotations

DOCUMENTATION = r"""
module: spaces_quotas
short_description: Keep the storage limits of all the spaces of a node
version_added: 0.1.0
description:
  - Gives the data of each space a project of the file system, and the project a hard limit of
    bytes and of files. ext4 and XFS are told apart by the mount of the spaces.
  - Existing data are marked on the way, without following links, resumed after an interruption.
  - All limits are read and set in one process, by system calls; a limit that changes is one call.
  - Refuses to work where no limit would hold, and says how to enable them.
  - Nothing is ever removed; a space that is gone keeps its limit.
extends_documentation_fragment:
  - archipel.spaces.spaces
requirements: [Linux >= 5.14]
attributes:
  diff_mode:
    support: full
    description: One entry per space whose limit changes.
"""

EXAMPLES = r"""
- name: Converge the storage limits of all the spaces of this node
  archipel.spaces.spaces_quotas:
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
  sample: {"velo-ecole": ["storage 40 GB, 2621440 files → 50 GB, 3276800 files"]}
failed_spaces:
  description:
    - Why a space could not be converged, by slug.
    - The module itself does not fail for them.
    - Here, why its limit could not be set.
  returned: always
  type: dict
  sample: {}
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
node:
  description:
    - What was changed on the node itself.
    - Here always empty.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import (
    PAYLOAD_OPTION,
    unpack,
)
from ansible_collections.archipel.spaces.plugins.module_utils._system import _filesystem, _quotas


def main() -> None:
    """Converge what the payload asks for."""
    module = AnsibleModule(argument_spec={"payload": PAYLOAD_OPTION}, supports_check_mode=True)
    wanted = unpack(module.params["payload"])
    try:
        report = _quotas.converge(**wanted, check=module.check_mode)
    except _filesystem.FilesystemError as error:
        module.fail_json(msg=str(error))
    for warning in _quotas.list_warnings(wanted, report):
        module.warn(warning)
    module.exit_json(**report.result())


if __name__ == "__main__":
    main()
