#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module occ."""

from __future__ import annotations

DOCUMENTATION = r"""
module: occ
short_description: Run Nextcloud's occ in one space
version_added: 0.1.0
description:
  - Runs occ as the space's own user, inside the sandbox that the space's services use.
  - Neither arguments nor environment nor input show in a process list.
  - For a look or a single act by hand; what every space must have belongs to the role
    C(archipel.spaces.spaces).
options:
  space:
    description:
      - The slug.
      - In an ad-hoc command on a space of the inventory it can be left out.
    type: str
    aliases: [slug]
  args:
    description: The arguments, as one writes them in a shell.
    type: str
    required: true
  environment:
    description: Environment variables for occ, for instance V(OC_PASS).
    type: dict
    default: {}
  stdin:
    description: Text whose path replaces C({input}) in the arguments.
    type: str
  root:
    description: Where the spaces are.
    type: path
    default: /srv/spaces
  php:
    description: The PHP interpreter.
    type: path
    default: /usr/bin/php
  timeout:
    description: Seconds after which the run is ended.
    type: int
    default: 3600
attributes:
  check_mode:
    support: none
    description: In check mode nothing is run.
    details: What a command of occ would do cannot be known.
  diff_mode:
    support: none
    description: Differences are not shown.
    details: occ does not say what it changes.
  idempotent:
    support: N/A
    description: Depends on the command.
author:
  - The Archipel contributors
"""

EXAMPLES = r"""
- name: List the accounts of a space
  archipel.spaces.occ:
    space: velo-ecole
    args: user:list --output=json

# ansible velo-ecole -m archipel.spaces.occ -a 'args="user:list"'
"""

RETURN = r"""
rc:
  description: Exit code of occ.
  returned: when occ was run
  type: int
  sample: 0
stdout:
  description: What occ printed.
  returned: when occ was run
  type: str
  sample: '{"claire":"Claire"}'
stderr:
  description: What occ printed as errors.
  returned: when occ was run
  type: str
  sample: ''
"""

import shlex

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _occ


def main() -> None:
    """Run occ once."""
    module = AnsibleModule(
        argument_spec=_occ.OPTIONS, required_one_of=[["space"]], supports_check_mode=True
    )
    if module.check_mode:
        module.exit_json(changed=False, skipped=True, msg="occ is not run in check mode")
    values = dict(module.params)
    arguments = shlex.split(values.pop("args"))
    try:
        done = _occ.run(values.pop("space"), values.pop("php"), arguments, **values)
    except OSError as error:
        module.fail_json(msg=f"occ was not run: {error}")
    result = {"changed": True, "rc": done.code, "stdout": done.stdout, "stderr": done.stderr}
    if done.code != 0:
        module.fail_json(msg=f"occ ended with {done.code}: {done.why()}", **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
