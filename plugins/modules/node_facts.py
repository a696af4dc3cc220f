#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module node_facts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_facts
short_description: Read in one task what the roles must know of a node
version_added: 0.1.0
description:
  - Which distribution it is, as M(ansible.builtin.setup) says it, what the node can give to
    services, how C(/proc) is mounted, and how its disks order requests.
  - What can change while a node runs is returned beside the facts, so that no cache of facts holds
    it.
options: {}
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
- name: Read what this node is
  archipel.spaces.node_facts:
  when: "['distribution_release', 'archipel_node'] is not subset(ansible_facts)"
"""

RETURN = r"""
ansible_facts:
  description: Facts of M(ansible.builtin.setup), under the same names.
  returned: success
  type: dict
  contains:
    distribution:
      description: Name of the distribution.
      type: str
      sample: Debian
    distribution_release:
      description: Code name of the distribution's release.
      type: str
      sample: trixie
    distribution_major_version:
      description: Number of its release.
      type: str
      sample: "13"
    distribution_version:
      description: The same with the point release.
      type: str
      sample: "13.2"
    archipel_node:
      description:
        - What is as it is until the next boot, and no fact of C(setup).
        - C(nofile), the files that a service may open at most (0 where there is no limit),
          C(memory_mb), the memory in mebibytes, C(ipv6), whether the node has it, and C(container),
          whether its kernel is its host's.
      type: dict
      sample: {nofile: 524288, memory_mb: 32768, ipv6: true, container: false}
proc:
  description:
    - How C(/proc) is mounted. C(hideable) says whether it could hide processes of other users,
      C(mounted) has the options of the mount, and C(fstab) those of the next boot.
  returned: always
  type: dict
  sample: {hideable: true, mounted: "rw,nosuid,nodev,noexec,relatime", fstab: ""}
disks:
  description:
    - Disks, with the I/O scheduler in force. C(weighed) says whether the weights of control groups
      are heeded, by that scheduler or by io.cost.
  returned: always
  type: list
  elements: dict
  sample: [{name: vda, scheduler: bfq, weighed: true}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.facts.system.distribution import Distribution

from ansible_collections.archipel.spaces.plugins.module_utils._system import _node_facts

# Of all that Ansible says of a distribution.
KEYS = ("", "_release", "_major_version", "_version")


def main() -> None:
    """Read the node."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    found = Distribution(module).get_distribution_facts()
    facts = {f"distribution{key}": found[f"distribution{key}"] for key in KEYS}
    facts["archipel_node"] = _node_facts.read_node()
    module.exit_json(
        changed=False,
        ansible_facts=facts,
        proc=_node_facts.read_proc(),
        disks=_node_facts.read_disks(),
    )


if __name__ == "__main__":
    main()
