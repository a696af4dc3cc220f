#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module spaces_status."""

from __future__ import annotations

DOCUMENTATION = r"""
module: spaces_status
short_description: Say what the spaces of a node are like
version_added: 0.1.0
description:
  - Reads which release each space runs, whether it is open and awake, what it uses, when it was
    backed up and verified, and what was begun and not finished. No space is woken.
  - Says what the node has for them, memory and disk.
options:
  spaces:
    description: Slugs.
    type: list
    elements: str
    required: true
  root:
    description: Where the spaces are.
    type: path
    default: /srv/spaces
  record:
    description: What the backups have written down.
    type: path
    default: /var/lib/archipel/backup/record.json
  certificates:
    description: What the node has written down of the certificates that it orders by itself.
    type: path
    default: /var/lib/archipel/certificates/report.json
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
- name: Look at two spaces
  archipel.spaces.spaces_status:
    spaces: [velo-ecole, amap-du-val]
"""

RETURN = r"""
states:
  description: What each space is like, by slug.
  returned: success
  type: dict
  sample:
    velo-ecole:
      installed: true
      version: "33.0.9.1"
      release: "33.0.9"
      maintenance: false
      open: true
      awake: false
      failed: []
      jobs: true
      pending: null
      previous: false
      usage: null
      accounts:
        {used: 12, limit: 50, last_use: 1779660000, percent: 24.0, above: [],
         at: "2026-05-30T10:00:00Z"}
      backup: {at: "2026-05-30T01:12:00+00:00", snapshot: 1a2b3c4d}
      verification: null
      backup_failed: null
room:
  description:
    - What the node has, in bytes. Its memory, and the file system that the spaces are on.
  returned: success
  type: dict
  sample: {"memory_bytes": 8589934592, "disk_bytes": 1099511627776, "disk_free_bytes": 549755813888}
certificates:
  description:
    - Why own domains have no certificate that is new, by domain.
    - Only where the node orders them itself.
  returned: success
  type: dict
  sample: {"velo-ecole.example": "velo-ecole.example has no address in the DNS"}
certificate_problems:
  description: What concerns all certificates of the node.
  returned: success
  type: list
  elements: str
  sample: ["wildcard: ends in 5.0 days"]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archipel.spaces.plugins.module_utils._core import _layout
from ansible_collections.archipel.spaces.plugins.module_utils._inspect import _status
from ansible_collections.archipel.spaces.plugins.module_utils._system import _systemd

SPEC = {
    "spaces": {"type": "list", "elements": "str", "required": True},
    "root": {"type": "path", "default": _layout.Places.root},
    "record": {"type": "path", "default": "/var/lib/archipel/backup/record.json"},
    "certificates": {"type": "path", "default": _status.CERTIFICATES},
}


def main() -> None:
    """Read and report."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    values = module.params
    try:
        room = _status.read_room(values["root"])
        states = _status.read(values["root"], values["spaces"], values["record"])
        certificates, problems = _status.read_certificates(values["certificates"])
    except (OSError, ValueError, _systemd.SystemdError) as error:
        module.fail_json(msg=f"this node cannot be read: {error}")
    module.exit_json(
        changed=False,
        states=states,
        room=room,
        certificates=certificates,
        certificate_problems=problems,
    )


if __name__ == "__main__":
    main()
