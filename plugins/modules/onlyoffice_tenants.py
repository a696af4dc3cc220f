#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module onlyoffice_tenants."""

from __future__ import annotations

DOCUMENTATION = r"""
module: onlyoffice_tenants
short_description: The tenants of the Document Servers of a node, all in one task
version_added: 0.1.0
description:
  - Gives each tenant its secret in the shard it belongs to, and nginx the names that lead there.
    Document Servers read a secret when it is first asked for; none is restarted.
  - The list is complete. A tenant that is not in it, or that moved to another shard, is taken out.
  - A secret that would replace another is held back while people edit in that tenant; what they
    have open could not be saved.
options:
  tenants:
    description:
      - The tenants, C({slug, host, shard, secret}) each, or the name of the variable that holds
        them. A name spares Ansible a walk through thousands of values.
    type: raw
    required: true
  shards:
    description: Name of each shard, and the group that may read its secrets.
    type: dict
    required: true
  directory:
    description: Where each shard has a folder of its name, with C(tenants) in it.
    type: path
    required: true
  nginx_directory:
    description: Where C(names.conf) and C(tenants.map) go.
    type: path
    required: true
  ports:
    description: Port of each shard, where it is asked who is editing.
    type: dict
    required: true
  rotate_while_open:
    description: Replace secrets whoever is editing.
    type: bool
    default: false
  payload:
    description: The checked tenants, compressed by the action plugin. Not for playbooks.
    type: str
attributes:
  check_mode:
    support: full
    description: Reports exactly what a real run would change.
  diff_mode:
    support: partial
    details: Shows what nginx reads; secrets are only said to differ.
    description: Whether differences are shown.
  idempotent:
    support: full
    description: A second run changes nothing.
author:
  - The Archipel contributors
"""

EXAMPLES = r"""
- name: Ensure each tenant has its secret
  archipel.spaces.onlyoffice_tenants:
    tenants: onlyoffice_tenants
    shards: {first: onlyoffice-first}
    ports: {first: 8101}
    directory: /etc/archipel/onlyoffice
    nginx_directory: /etc/nginx/archipel-onlyoffice
"""

RETURN = r"""
tenants:
  description: What was changed, by shard and host.
  returned: always
  type: dict
  sample: {"first/velo.office.example.org": ["created"]}
rotated:
  description: Tenants, by shard and host, whose secret another one replaced.
  returned: always
  type: list
  elements: str
refused:
  description: Spaces whose new secret was held back, and why. The old one is in force.
  returned: always
  type: dict
  sample: {"velo-ecole": "people have documents open in it (2 of them); the old secret stays …"}
files:
  description: What was changed in files that nginx reads.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import (
    PAYLOAD_OPTION,
    unpack,
)
from ansible_collections.archipel.spaces.plugins.module_utils._system import _onlyoffice


def main() -> None:
    """Converge what the payload asks for."""
    module = AnsibleModule(argument_spec={"payload": PAYLOAD_OPTION}, supports_check_mode=True)
    wanted = unpack(module.params["payload"])
    try:
        report = _onlyoffice.converge(wanted, check=module.check_mode, diff=module._diff)
    except OSError as error:
        module.fail_json(msg=str(error))
    result = {"tenants": report.changes, **report.facts}
    if report.failures:
        module.fail_json(msg="; ".join(sorted(report.failures.values())), **result)
    changed = bool(report.changes or report.node_changes)
    module.exit_json(changed=changed, files=report.node_changes, diff=report.diffs, **result)


if __name__ == "__main__":
    main()
