#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Documentation of spaces_build, which runs on the controller as an action plugin."""

from __future__ import annotations

DOCUMENTATION = r"""
module: spaces_build
short_description: Render what a node would hold into a folder of the controller
version_added: 0.1.0
description:
  - Renders every vhost, PHP configuration, managed configuration, database statement and quota
    of a node's spaces.
  - Runs on the controller and touches no node. Secrets are left out.
  - The folder ends up holding exactly that; a folder with other things in it is refused.
options:
  spaces:
    description: The spaces of the node, C(archipel_spaces).
    type: raw
    required: true
  databases:
    description: >-
      The spaces whose database is on the node, in the same way, usually V(archipel_databases).
    type: raw
    required: true
  settings:
    description:
      - Where things are on the node, and the policy.
      - The role C(archipel.spaces.spaces) prepares it.
    type: dict
    required: true
  directory:
    description: The folder to write.
    type: path
    required: true
attributes:
  check_mode:
    support: full
    description: Reports exactly what a real run would change.
  diff_mode:
    support: full
    description: Shows what is rendered otherwise than before; the first hundred files.
  idempotent:
    support: full
    description: A second run changes nothing.
author:
  - The Archipel contributors
"""

EXAMPLES = r"""
- name: Render what this node would hold
  archipel.spaces.spaces_build:
    spaces: archipel_spaces
    databases: archipel_databases
    settings: "{{ __spaces_settings }}"
    directory: build/demo/node1
"""

RETURN = r"""
known:
  description: Number of spaces in O(spaces), whether this run converges them or not.
  returned: always
  type: int
  sample: 8
files:
  description: Number of files in the folder.
  returned: always
  type: int
  sample: 33
changes:
  description: Files that were written or removed; the first hundred.
  returned: always
  type: list
  elements: str
  sample: [vhost/velo-ecole.conf]
"""
