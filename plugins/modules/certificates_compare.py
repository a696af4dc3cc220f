#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module certificates_compare."""

from __future__ import annotations

DOCUMENTATION = r"""
module: certificates_compare
short_description: Say whether an authority of one's own has anything to sign for a node
version_added: 0.1.0
description:
  - Compares the authority on the controller, and keys, certificates and trust of a node, with what
    is asked for. Nothing is changed.
  - Nearly always nothing is to be done. To find that out with the tasks that would do it takes a
    dozen for each certificate.
options:
  requests:
    description: The certificates that are asked for.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Folder of the certificate.
        type: str
        required: true
      domains:
        description: Host names and IP addresses that it is for.
        type: list
        elements: str
        required: true
  directory:
    description: Folder of all certificates on the node.
    type: path
    required: true
  trusted:
    description: File on the node by which it trusts the authority.
    type: path
    required: true
  group:
    description: Group whose members may read the keys.
    type: str
    required: true
  renew_days:
    description: Days before the end of a certificate from which on it is renewed.
    type: int
    required: true
  authority:
    description: The authority, on the controller.
    type: dict
    required: true
    suboptions:
      folder:
        description: Folder with its certificate C(ca.pem) and its key C(privkey.pem).
        type: path
        required: true
      name:
        description: Its common name.
        type: str
        required: true
      domains:
        description: Domains below which it may sign, and no others. Empty, anything.
        type: list
        elements: str
        default: []
      passphrase:
        description: Passphrase of its key. Empty, it has none.
        type: str
        default: ""
  payload:
    description: What the node is asked for. Not for playbooks.
    type: str
attributes:
  check_mode:
    support: full
    description: Nothing is changed in either.
  diff_mode:
    support: full
    description: Nothing is changed.
  idempotent:
    support: full
    description: Nothing is changed.
author:
  - The Archipel contributors
"""

EXAMPLES = r"""
- name: Compare what there is with what is asked for
  archipel.spaces.certificates_compare:
    requests:
      - name: wildcard
        domains: ["*.example.org", example.org]
    directory: /etc/archipel/tls
    trusted: /usr/local/share/ca-certificates/archipel-local.crt
    group: ssl-cert
    renew_days: 60
    authority:
      folder: inventories/production/.private/ca
      name: Archipel local authority
      domains: [example.org]
  register: compared

- name: Sign what differs
  ansible.builtin.include_tasks: sign.yml
  when: compared.differing | length > 0
"""

RETURN = r"""
differing:
  description: What is not as asked for, in words. Empty, nothing is to be done.
  returned: success
  type: list
  elements: str
  sample: ["wildcard: fullchain.pem differs in its names"]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import (
    PAYLOAD_OPTION,
    unpack,
)
from ansible_collections.archipel.spaces.plugins.module_utils._web import _certificate_files


def main() -> None:
    """Read what is asked for."""
    module = AnsibleModule(argument_spec={"payload": PAYLOAD_OPTION}, supports_check_mode=True)
    asked = unpack(module.params["payload"])
    try:
        found = _certificate_files.read(asked["directory"], asked["names"], asked["trusted"])
    except OSError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, found=found)


if __name__ == "__main__":
    main()
