#!/usr/bin/python
# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documentation of the action ledger, which runs on the controller alone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ledger
short_description: Record that spaces were purged
version_added: 0.1.0
author:
  - The Archipel contributors
description:
  - Adds a signed line for each space to C(ledger.txt) of the environment, on the controller. A
    signature covers the one before it, so that no line can be changed or taken out unnoticed.
  - With O(placed=true) takes the spaces out of the lock file C(placement.yml) instead. Their ids
    are never given again.
options:
  placement:
    description: The variable C(archipel_placement) that the inventory plugin sets.
    type: dict
    required: true
  master_key:
    description: The key of the environment, from which that of the ledger is derived.
    type: str
    required: true
  spaces:
    description: The spaces, with C(slug), C(id), C(web) and C(closed_on).
    type: list
    elements: dict
    required: true
  backups:
    description: Slug → the verified backup that the space could be brought back from.
    type: dict
    default: {}
  placed:
    description: Whether to free their places, instead of writing the ledger.
    type: bool
    default: true
attributes:
  action:
    support: full
    description: Runs on the controller and needs no connection to a node.
  check_mode:
    support: full
    description: Reports what a real run would record.
  diff_mode:
    support: none
    description: The lines are described under RV(spaces).
    details: A signature says nothing to people.
  idempotent:
    support: full
    description: A space is recorded once.
"""

EXAMPLES = r"""
- name: Record that spaces are gone
  archipel.spaces.ledger:
    placement: "{{ archipel_placement }}"
    master_key: "{{ archipel_master_key }}"
    spaces: [{slug: cine, id: 70003, web: node1, closed_on: "2026-01-01"}]
    backups: {cine: 1a2b3c4d}
    placed: false
"""

RETURN = r"""
spaces:
  description:
    - What was changed (in check mode, would be), by slug. Only changed spaces are listed.
    - Here, what was recorded.
  returned: always
  type: dict
  sample: {"cine": ["written into registry/production/ledger.txt"]}
"""
