#!/usr/bin/python
# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documentation of the action changes, which runs on the controller alone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: changes
short_description: Say what a change of the registry is, and what each node would do
version_added: 0.2.0
author:
  - The Archipel contributors
description:
  - Compares the registry and the inventory with what they were at the commit that a proposal began
    with, and what each node would hold with what it would have held then.
  - Writes C(changes.md), a comment for a forge in which what associations wrote is harmless, and
    C(changes.json), the same for programs.
  - The base is taken out of git into a temporary folder and rendered there by C(check.yml) in a
    process of its own. Nothing that is checked out is touched.
  - Where the base cannot be rendered, because it is wrong by itself or older than what the roles
    ask for, the files are compared all the same.
options:
  base:
    description:
      - A branch, a tag or a commit of the repository that has the registry, such as
        V(origin/main).
      - What is compared is the last commit that it and C(HEAD) have in common. Changes that are
        not committed yet count.
    type: str
    required: true
  placement:
    description: The variable C(archipel_placement) that the inventory plugin sets.
    type: dict
    required: true
  default:
    description: Limits of a space whose file names none, C(archipel_limits_default).
    type: dict
    required: true
    suboptions: &limits
      accounts:
        description: Number of accounts.
        type: int
        required: true
      storage_gb:
        description: Storage in GB of 1024^3 bytes.
        type: int
        required: true
  maximum:
    description: Limits that need somebody's approval above, C(archipel_limits_maximum).
    type: dict
    required: true
    suboptions: *limits
  build:
    description: The folder with what each node would hold, as M(archipel.spaces.spaces_build) has
      written it.
    type: path
    required: true
  target:
    description: The folder for C(changes.md) and C(changes.json).
    type: path
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
    description: Says the same, and writes nothing.
  diff_mode:
    support: none
    description: What it says is a difference by itself.
    details: C(changes.md) shows it.
  idempotent:
    support: full
    description: A second run changes nothing.
"""

EXAMPLES = r"""
- name: Compare with what was there before
  archipel.spaces.changes:
    base: origin/main
    placement: "{{ archipel_placement }}"
    default: "{{ archipel_limits_default }}"
    maximum: "{{ archipel_limits_maximum }}"
    build: "{{ archipel_build }}"
    target: "{{ archipel_build }}/changes"
"""

RETURN = r"""
labels:
  description: Words for the labels of a forge.
  returned: always
  type: list
  elements: str
  sample: [one-space]
summary:
  description: What the change is, in sentences.
  returned: always
  type: list
  elements: str
  sample: ["one space: chorale-des-halles, new, 50/40"]
files:
  description: The files that say more.
  returned: always
  type: list
  elements: str
  sample: [/srv/archipel/build/production/changes/changes.md]
"""
