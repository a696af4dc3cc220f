#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module quota_filesystem."""

from __future__ import annotations

DOCUMENTATION = r"""
module: quota_filesystem
short_description: Check that storage limits would hold on a directory's file system
version_added: 0.1.0
description:
  - Finds what a directory is on, or will be once it is made, and asks the kernel whether project
    quotas are enforced there. To be counted is not enough.
  - Fails where they are not, with the commands that enable them.
  - Changes nothing.
options:
  path:
    description: The directory.
    type: path
    required: true
  backend:
    description:
      - V(auto) takes ext4 or XFS, whichever is there; V(ext4) and V(xfs) insist on one.
      - V(none) gives limits up, with a warning.
    type: str
    choices: [auto, ext4, xfs, none]
    default: auto
requirements: [Linux >= 5.14]
attributes:
  check_mode:
    support: full
    description: It only reads.
  diff_mode:
    support: none
    description: There are no differences.
    details: Nothing is changed.
  idempotent:
    support: full
    description: It only reads.
author:
  - The Archipel contributors
"""

EXAMPLES = r"""
- name: Refuse a node on which limits would not hold
  archipel.spaces.quota_filesystem:
    path: /srv/spaces
"""

RETURN = r"""
filesystem:
  description: The mount, and whether project quotas are counted and enforced.
  returned: success
  type: dict
  sample:
    path: /srv/spaces
    point: /srv
    type: ext4
    source: /dev/vdb
    counted: true
    enforced: true
    mounts_below: []
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archipel.spaces.plugins.module_utils._system import _filesystem

SPEC = {
    "path": {"type": "path", "required": True},
    "backend": {"type": "str", "choices": ["auto", "ext4", "xfs", "none"], "default": "auto"},
}


def main() -> None:
    """Look, and refuse what would keep no limit."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    path, backend = module.params["path"], module.params["backend"]
    found = _filesystem.find(path)
    if backend == "none":
        module.warn(_filesystem.UNLIMITED.format(path=path))
    else:
        try:
            _filesystem.check(found, backend)
        except _filesystem.FilesystemError as error:
            module.fail_json(msg=str(error))
    module.exit_json(changed=False, filesystem=found.facts())


if __name__ == "__main__":
    main()
