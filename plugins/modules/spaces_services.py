#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module spaces_services."""

from __future__ import annotations

DOCUMENTATION = r"""
module: spaces_services
short_description: Bring sockets, timers and services of all spaces in line with what is configured
version_added: 0.1.0
description:
  - Enables and starts the sockets and timers of running spaces, stops and disables
    everything of the others, in one call of systemctl per verb.
  - Running services whose configuration is newer than they are get reloaded or restarted;
    sleeping ones need nothing.
  - nginx is reloaded, after C(nginx -t), when its configuration is newer than what it runs with.
  - No notification is involved. What runs is compared with what is configured.
extends_documentation_fragment:
  - archipel.spaces.spaces
requirements: [systemd >= 252]
attributes:
  diff_mode:
    support: none
    description: Units are listed under RV(spaces).
    details: There is nothing to compare line by line.
"""

EXAMPLES = r"""
- name: Converge the services of all the spaces of this node
  archipel.spaces.spaces_services:
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
  sample: {"velo-ecole": ["space-php@velo-ecole.socket enabled"]}
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
drift:
  description:
    - What is on the node and in no file of the registry, and the other way round, in words.
  returned: always
  type: list
  elements: str
  sample: ["chorale: vhost, php, user, directory too many"]
kept:
  description:
    - What spaces that moved to another node have left here, and how it is removed or taken
      back, in words.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import (
    PAYLOAD_OPTION,
    Report,
    unpack,
)
from ansible_collections.archipel.spaces.plugins.module_utils._inspect import _drift
from ansible_collections.archipel.spaces.plugins.module_utils._system import _services, _systemd


def main() -> None:
    """Converge what the payload asks for."""
    module = AnsibleModule(argument_spec={"payload": PAYLOAD_OPTION}, supports_check_mode=True)
    wanted, report = unpack(module.params["payload"]), Report()
    try:
        before = _services.converge(wanted, report, check=module.check_mode)
        drift = _drift.compare_web(wanted, before.active, before.enabled, check=module.check_mode)
    except (_systemd.SystemdError, OSError) as error:
        module.fail_json(msg=str(error), **report.result())
    report.facts["drift"] = _drift.describe(drift)
    report.facts["kept"] = _drift.describe_moved(drift)
    module.exit_json(**report.result())


if __name__ == "__main__":
    main()
