#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module quota_folder."""

from __future__ import annotations

DOCUMENTATION = r"""
module: quota_folder
short_description: Limit what a folder of the node holds, by a project quota
version_added: 0.1.0
description:
  - Gives a folder, and what is in it, a project of its file system, and the project a limit in
    bytes. What is made in the folder inherits the project.
  - For folders of the node itself. Those of spaces are M(archipel.spaces.spaces_quotas)'s.
options:
  path:
    description: The folder. It must be there; in check mode it may be still to be made.
    type: path
    required: true
  project:
    description: Number of the project, which nothing else has.
    type: int
    required: true
  gigabytes:
    description: What it may hold, in units of 1024³ bytes.
    type: int
    required: true
  backend:
    description:
      - V(auto) takes ext4 or XFS, whichever is there; V(ext4) and V(xfs) insist on one.
      - V(none) sets no limit.
    type: str
    choices: [auto, ext4, xfs, none]
    default: auto
requirements: [Linux >= 5.14]
attributes:
  check_mode:
    support: full
    description: Nothing is changed then.
  diff_mode:
    support: none
    description: RV(limited) says what is changed.
    details: A limit is no text.
  idempotent:
    support: full
    description: A limit that is there is left alone.
author:
  - The Archipel contributors
"""

EXAMPLES = r"""
- name: Limit what visitors send before anybody knows who they are
  archipel.spaces.quota_folder:
    path: /srv/bodies
    project: 33
    gigabytes: 18
"""

RETURN = r"""
limited:
  description: What got its limit, or would in check mode.
  returned: success
  type: list
  elements: str
  sample: ["/srv/bodies: at most 18 GB"]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archipel.spaces.plugins.module_utils._system import (
    _filesystem,
    _folder_quota,
)

SPEC = {
    "path": {"type": "path", "required": True},
    "project": {"type": "int", "required": True},
    "gigabytes": {"type": "int", "required": True},
    "backend": {"type": "str", "choices": ["auto", "ext4", "xfs", "none"], "default": "auto"},
}


def main() -> None:
    """Set the limit."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    wanted = module.params
    if wanted["project"] < 1 or wanted["gigabytes"] < 1:
        module.fail_json(
            msg=f"found project {wanted['project']}, {wanted['gigabytes']} gigabytes; allowed: "
            "whole numbers above 0"
        )
    folder = _folder_quota.Folder(wanted["path"], wanted["project"], wanted["gigabytes"] << 30)
    try:
        done = _folder_quota.converge(folder, wanted["backend"], check=module.check_mode)
    except (_filesystem.FilesystemError, _folder_quota.FolderError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{folder.path}: {error.strerror}")
    module.exit_json(changed=bool(done), limited=done)


if __name__ == "__main__":
    main()
