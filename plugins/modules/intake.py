#!/usr/bin/python
# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documentation of the action intake, which runs on the controller alone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: intake
short_description: Make files of the registry of what associations have sent
version_added: 0.2.0
author:
  - The Archipel contributors
description:
  - Reads a folder of submissions, one file each. The form's receiver writes them in the common
    format (C(.json), C(schema/submission.schema.json)); a mail
    (C(.eml)) and a forge's issue (C(.md), or C(.json) as its API gives it) are brought into it.
  - Each becomes a file of the registry with the status V(requested), under an address that is
    free. What is in the registry already, by the name of the submission, is only put away.
  - What cannot be taken in stays where it is, and is returned with everything that is wrong with
    it.
  - What strangers wrote is text in all of it. No template is evaluated, no path follows from it.
options:
  placement:
    description: The variable C(archipel_placement) that the inventory plugin sets.
    type: dict
    required: true
  submissions:
    description: The folder of the submissions, on the controller.
    type: path
  contacts:
    description:
      - Where to write who is written to.
      - V(public) is the file of the association, V(vaulted) C(contacts.yml) beside the folder of
        the files, encrypted with the vault password of the run.
    type: str
    choices: [public, vaulted]
    default: public
  taken:
    description: Names that no space may have, reserved ones and those of nodes and groups.
    type: list
    elements: str
    default: []
  offices:
    description: Office suites that may be chosen. Another choice is left out.
    type: list
    elements: str
    default: []
  keep:
    description: Whether submissions stay in their folder once they are in the registry.
    type: bool
    default: false
  discard:
    description: Names of files of O(submissions) that go without being taken in.
    type: list
    elements: str
    default: []
  move_contacts:
    description: Instead of anything else, move all contacts from the files into C(contacts.yml).
    type: bool
    default: false
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
    description: Shows the files that are written. No contact that is vaulted is among it.
  idempotent:
    support: full
    description: A submission becomes one file, however often it is taken in.
"""

EXAMPLES = r"""
- name: Take in what associations have sent
  archipel.spaces.intake:
    placement: "{{ archipel_placement }}"
    submissions: build/production/intake
    contacts: vaulted
    taken: "{{ archipel_reserved_slugs + groups.keys() | list }}"
    offices: "{{ archipel_offices }}"
"""

RETURN = r"""
spaces:
  description:
    - What was changed (in check mode, would be), by slug. Only changed spaces are listed.
    - Here, by which way each came.
  returned: always
  type: dict
  sample: {"velo-ecole": ["requested by form"]}
refused:
  description: What is wrong with the submissions that were not taken in, by file name.
  returned: always
  type: dict
  sample: {"spam.eml": ["charter: missing"]}
done:
  description:
    - Names of the submissions that are in the registry or were discarded (in check mode, would be).
    - Copies of them may go, wherever they are. None with O(keep).
  returned: always
  type: list
  elements: str
  sample: ["0123456789abcdef0123456789abcdef.json"]
"""
