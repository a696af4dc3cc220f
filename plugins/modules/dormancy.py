#!/usr/bin/python
# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documentation of the action dormancy, which runs on the controller alone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dormancy
short_description: Do the next step with spaces that nobody uses
version_added: 0.2.0
author:
  - The Archipel contributors
description:
  - Writes into the files of spaces that nobody has used for a long time what is next for them.
    Three letters are decided on, then the space is suspended, then closed.
  - One step in a run, none before its days, and none after a letter that was not sent.
  - What was noted goes from the file of a space that is used again.
  - Only the characters of the values change; a file where that cannot be done is left as it is.
options:
  placement:
    description: The variable C(archipel_placement) that the inventory plugin sets.
    type: dict
    required: true
  states:
    description: What nodes say of spaces, by slug, as M(archipel.spaces.spaces_status) gives it.
    type: dict
    required: true
  days:
    description: Days without use until the first letter; V(0), never.
    type: int
    required: true
  notice_days:
    description: Days between two letters, and from the third to the suspension.
    type: int
    required: true
  closing_days:
    description: Days from the suspension until the space is closed.
    type: int
    required: true
  letters_days:
    description: Days after which a letter that was not sent is decided on anew.
    type: int
    required: true
attributes:
  action:
    support: full
    description: Runs on the controller and needs no connection to a node.
  bypass_host_loop:
    support: full
    description: Runs once, however many nodes the play has.
  check_mode:
    support: full
    description: Reports exactly what a real run would write.
  diff_mode:
    support: full
    description: Shows the lines of files that change.
  idempotent:
    support: full
    description: A second run on the same day changes nothing.
"""

EXAMPLES = r"""
- name: Ensure spaces that nobody uses are written to
  archipel.spaces.dormancy:
    placement: "{{ archipel_placement }}"
    states: "{{ status_read['states'] }}"
    days: 365
    notice_days: 30
    closing_days: 90
    letters_days: 30
"""

RETURN = r"""
spaces:
  description: What was changed (in check mode, would be), by slug. Only changed spaces are listed.
  returned: always
  type: dict
  sample: {"velo-ecole": ["unused since 2025-05-30: to be written to"]}
refused:
  description: Files that could not be changed, and why, by slug.
  returned: always
  type: dict
  sample: {}
unused:
  description: All spaces that nobody uses, each with what is next.
  returned: always
  type: list
  elements: str
  sample: ["velo-ecole: unused since 2025-05-30: to be written to again on 2026-07-01"]
"""
