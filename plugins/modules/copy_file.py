#!/usr/bin/python
# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documentation of the action copy_file, which runs on the controller alone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: copy_file
short_description: Write the file of a copy of a space into the registry
version_added: 0.1.0
author:
  - The Archipel contributors
description:
  - A copy is a space with a file of its own, which says of which space it is made, who agreed, and
    on which day it ends. This action checks what is asked for and writes that file.
  - Where the file is that of the same copy already, nothing is written, and nothing refused.
options:
  placement:
    description: The variable C(archipel_placement) that the inventory plugin sets.
    type: dict
    required: true
  only:
    description: Slug of the space that is copied.
    type: str
    default: ""
  into:
    description: Slug of the copy.
    type: str
    default: ""
  consent:
    description: Who of the association agreed, when and how. Kept in the file.
    type: str
    default: ""
  by:
    description: Who decides. By default the user who runs Ansible.
    type: str
    default: ""
  last_day:
    description: The day on which the copy is to be closed, C(YYYY-MM-DD).
    type: str
    default: ""
  days:
    description: How many days from today that is, where O(last_day) says nothing.
    type: int
    default: 30
  ring:
    description: The ring of the copy. By default that of the space.
    type: str
    default: ""
  taken:
    description: Names that no space may have.
    type: list
    elements: str
    default: []
  nodes:
    description: The nodes with the most they take, as C(archipel_report.nodes) has them.
    type: list
    elements: dict
    default: []
  storage_gb:
    description: GB that a space is promised whose file names none.
    type: int
    default: 0
attributes:
  action:
    support: full
    description: Runs on the controller and needs no connection to a node.
  bypass_host_loop:
    support: full
    description: Runs once, however many nodes the play has.
  check_mode:
    support: full
    description: Refuses what a real run would, and writes nothing.
  diff_mode:
    support: full
    description: Shows the new file.
  idempotent:
    support: full
    description: A file that is there is not written again.
"""

EXAMPLES = r"""
- name: Write the file of the copy
  archipel.spaces.copy_file:
    placement: "{{ archipel_placement }}"
    only: velo-ecole
    into: velo-essai
    consent: Nadia Ferrand, mail of 2026-05-28
    by: nadia
"""

RETURN = r"""
spaces:
  description:
    - What was changed (in check mode, would be), by slug. Only changed spaces are listed.
  returned: always
  type: dict
  sample: {"velo-essai": ["copy of velo-ecole"]}
copy:
  description: The copy, the space that it is made of, its node, and whether its file is new.
  returned: always
  type: dict
  sample: {source: velo-ecole, into: velo-essai, web: node1, new: true}
"""
