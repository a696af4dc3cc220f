#!/usr/bin/python
# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documentation of the action placement, which runs on the controller alone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: placement
short_description: Record where new spaces live
version_added: 0.1.0
author:
  - The Archipel contributors
description:
  - The inventory plugin P(archipel.spaces.registry#inventory) decides on which node a new space
    lives and which id it gets, but writes nothing. This action adds what it decided to the lock
    file C(placement.yml) of the environment, on the controller, before any node is touched.
  - The file is replaced atomically, under a lock against a second operator.
  - It refuses to write when the file has changed meanwhile in a way that contradicts the decision.
    Running again then decides anew.
  - What the file already says is never changed, but for the spaces in O(moves).
options:
  placement:
    description: The variable C(archipel_placement) that the inventory plugin sets.
    type: dict
    required: true
    suboptions:
      path:
        description: The lock file.
        type: path
        required: true
      environment:
        description: The environment that the file belongs to.
        type: str
        required: true
      recorded:
        description: Whether nothing is pending.
        type: bool
      pending:
        description: What the file lacks, from slug to C(id), C(web) and C(db).
        type: dict
        required: true
  moves:
    description:
      - Spaces whose line names other nodes from now on, as the filter
        P(archipel.spaces.placement_writes#filter) returns them.
      - A line alone moves no data. The space must be restored on the other node before it is
        opened again. Where C(lost) names the web node that it was lost with, the line says so, and
        an edge does not lead to the other node before a later C(lost) is empty.
    type: dict
    default: {}
attributes:
  action:
    support: full
    description: Runs on the controller and needs no connection to a node.
  bypass_host_loop:
    support: full
    description: Runs once, however many nodes the play has.
  check_mode:
    support: full
    description: Reports exactly what a real run would record.
  diff_mode:
    support: full
    description: Shows the lines that the lock file gets.
  idempotent:
    support: full
    description: A second run changes nothing.
"""

EXAMPLES = r"""
- name: Record where new spaces live, before anything is made for them
  archipel.spaces.placement:
    placement: "{{ archipel_placement }}"
"""

RETURN = r"""
spaces:
  description:
    - What was changed (in check mode, would be), by slug. Only changed spaces are listed.
    - Here, where new spaces were recorded.
  returned: always
  type: dict
  sample: {"velo-ecole": ["placed on node1 with id 70003, database on node1"]}
path:
  description: The lock file.
  returned: always
  type: str
  sample: /srv/archipel/registry/production/placement.yml
"""
