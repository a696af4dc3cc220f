#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module templates."""

from __future__ import annotations

DOCUMENTATION = r"""
module: templates
short_description: Put many rendered files in place in one task
version_added: 0.1.0
description:
  - What M(ansible.builtin.template) and M(ansible.builtin.file) do, for a whole list at once.
    A task per file costs about half a second each, changed or not.
  - Files belong to root. Nothing is removed.
options:
  files:
    description: The files.
    type: list
    elements: dict
    default: []
    suboptions:
      dest:
        description: Where the file goes.
        type: path
        required: true
      src:
        description:
          - A template below the role's C(templates), or with O(files[].template=false) a file
            below its C(files).
          - Either this or O(files[].content).
        type: str
      content:
        description: The text of the file.
        type: str
      vars:
        description: Further variables for this template.
        type: dict
        default: {}
      mode:
        description: Permission bits, octal.
        type: str
        default: "0644"
      template:
        description: Whether O(files[].src) is a template.
        type: bool
        default: true
      secret:
        description: Whether no difference is shown of it.
        type: bool
        default: false
  directories:
    description: Directories that must exist before, parents first.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The directory.
        type: path
        required: true
      mode:
        description: Permission bits, octal.
        type: str
        default: "0755"
      owner:
        description: Its owner, who must exist.
        type: str
        default: root
      group:
        description: Its group, which must exist.
        type: str
        default: root
  payload:
    description: The rendered files, compressed by the action plugin. Not for playbooks.
    type: str
attributes:
  check_mode:
    support: full
    description: Reports exactly what a real run would change.
  diff_mode:
    support: full
    description: One entry per file; the values of secret keys are left out.
  idempotent:
    support: full
    description: A second run changes nothing.
author:
  - The Archipel contributors
"""

EXAMPLES = r"""
- name: Render the units
  archipel.spaces.templates:
    directories:
      - path: /etc/archipel
    files:
      - dest: /etc/systemd/system/space-php@.service
        src: etc/systemd/system/space-php@.service.j2
"""

RETURN = r"""
files:
  description: What was changed, by path.
  returned: always
  type: dict
  sample: {"/etc/archipel/sandbox.conf": ["content"]}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import (
    PAYLOAD_OPTION,
    unpack,
)
from ansible_collections.archipel.spaces.plugins.module_utils._web import _managed_files


def main() -> None:
    """Converge what the payload asks for."""
    module = AnsibleModule(argument_spec={"payload": PAYLOAD_OPTION}, supports_check_mode=True)
    wanted = unpack(module.params["payload"])
    try:
        report = _managed_files.converge_node(wanted, check=module.check_mode, diff=module._diff)
    except (_managed_files.FilesError, OSError) as error:
        module.fail_json(msg=str(error))
    changes = report.changes
    module.exit_json(changed=bool(changes), files=changes, diff=report.diffs)


if __name__ == "__main__":
    main()
