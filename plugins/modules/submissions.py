#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module submissions."""

from __future__ import annotations

DOCUMENTATION = r"""
module: submissions
short_description: Bring submissions from a node to the controller, or remove them there
version_added: 0.2.0
author:
  - The Archipel contributors
description:
  - Copies every submission of a folder of the node, C(<32 hexadecimal digits>.json), into O(dest),
    many at a time. In check mode as well, since nothing of the node is changed by it.
  - With O(remove) it removes submissions by name instead, once they are somewhere else.
  - What is no plain file of such a name is not followed, not read and not removed.
options:
  folder:
    description: Where submissions wait on the node. It need not be there.
    type: path
    required: true
  dest:
    description: The folder of the controller that they are copied into.
    type: path
  remove:
    description: Names of files to remove. One that is not there is none.
    type: list
    elements: str
    default: []
  payload:
    description: Set by the action plugin. Not to be given.
    type: str
attributes:
  action:
    support: full
    description: Writes on the controller what the node hands over.
  check_mode:
    support: full
    description: Copies all the same, and says what would be removed.
  diff_mode:
    support: none
    description: No difference is shown.
    details: What is in them is for nobody's screen.
  idempotent:
    support: full
    description: A file that was removed is not removed again.
"""

EXAMPLES = r"""
- name: Fetch what came by the form
  archipel.spaces.submissions:
    folder: /var/lib/archipel-intake/requests
    dest: build/production/intake
"""

RETURN = r"""
fetched:
  description: Names of the files that were copied.
  returned: success
  type: list
  elements: str
  sample: ["0123456789abcdef0123456789abcdef.json"]
removed:
  description: Names of the files that were removed (in check mode, would be).
  returned: success
  type: list
  elements: str
  sample: []
refused:
  description: Files that were left alone, with the reason.
  returned: success
  type: dict
  sample: {}
files:
  description: What the action plugin writes, packed. It is in no result of a task.
  returned: success
  type: str
last:
  description: The name after which the next ones come, for the action plugin.
  returned: success
  type: str
  sample: ""
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import (
    PAYLOAD_OPTION,
    pack,
    unpack,
)
from ansible_collections.archipel.spaces.plugins.module_utils._system import _submissions


def main() -> None:
    """Hand some submissions over, or remove some."""
    module = AnsibleModule(argument_spec={"payload": PAYLOAD_OPTION}, supports_check_mode=True)
    wanted = unpack(module.params["payload"])
    folder = wanted["folder"]
    try:
        removed = _submissions.remove(folder, wanted["remove"], check=module.check_mode)
        found = _submissions.read(folder, wanted["after"]) if wanted["read"] else _submissions.NONE
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"{folder}: {error}")
    module.exit_json(
        changed=bool(removed),
        removed=removed,
        refused=found.refused,
        files=pack(found.texts()),
        last=found.last,
    )


if __name__ == "__main__":
    main()
