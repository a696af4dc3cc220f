#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module letters."""

from __future__ import annotations

DOCUMENTATION = r"""
module: letters
short_description: Write to associations, once for each event
version_added: 0.2.0
author:
  - The Archipel contributors
description:
  - What a file of the registry says with a day (a request, a question, a refusal) is an event.
    Its contact is written to about it, once, in the language of the association.
  - Letters are composed on the controller and handed to the mail relay by the node. Without a
    relay they are kept there, in C(/var/spool/archipel/letters).
  - The node notes each letter as soon as the relay has taken it; the controller records it in
    C(letters.txt) beside the registry. Either of them keeps a second one from being sent.
options:
  placement:
    description: The variable C(archipel_placement) that the inventory plugin sets.
    type: dict
    required: true
  relay:
    description: The variable C(archipel_mail_relay); empty where there is none.
    type: dict
    required: true
  operator:
    description: The variable C(archipel_operator). Its name is the sender's, its mail has answers.
    type: dict
    required: true
  url:
    description: Address of a space, with V({slug}) for its slug.
    type: str
    required: true
  templates:
    description: The variable C(archipel_letters).
    type: dict
    required: true
  own:
    description: The variable C(archipel_letters_own), which counts before O(templates).
    type: dict
    default: {}
  reasons:
    description: The catalogue C(archipel_reasons).
    type: dict
    default: {}
  locale:
    description: The language of files that name none.
    type: str
    default: fr
  grace_days:
    description: How long a closed space is kept.
    type: int
    default: 0
  days:
    description: How old an event may be that is still written about.
    type: int
    default: 30
  request_days:
    description: How long a request waits before it closes itself; 0 is for ever.
    type: int
    default: 0
  notice_days:
    description: How long before that the association is told.
    type: int
    default: 0
  dormant_notice_days:
    description: Days between two letters about a space that nobody uses.
    type: int
    default: 0
  only:
    description: Comma-separated slugs; empty means all.
    type: str
    default: ""
  preview:
    description: A folder of the controller that letters are written into instead of being sent.
    type: path
  payload:
    description: Set by the action plugin. Not to be given.
    type: str
attributes:
  action:
    support: full
    description: Composes and records on the controller.
  check_mode:
    support: full
    description: Says who would get what.
  diff_mode:
    support: none
    description: A letter is no difference.
    details: O(preview) shows what it says.
  idempotent:
    support: full
    description: A letter is sent once.
"""

EXAMPLES = r"""
- name: Write to associations
  archipel.spaces.letters:
    placement: "{{ archipel_placement }}"
    relay: "{{ archipel_mail_relay }}"
    operator: "{{ archipel_operator }}"
    url: https://{slug}.spaces.example.org
    templates: "{{ archipel_letters }}"
"""

RETURN = r"""
spaces:
  description:
    - What was changed (in check mode, would be), by slug. Only changed spaces are listed.
    - Here, who was written what.
  returned: always
  type: dict
  sample: {"velo-ecole": ["letter received to a@b.example"]}
failed_spaces:
  description:
    - Why a space could not be converged, by slug.
    - The module itself does not fail for them.
    - Here, why a letter was not sent; the next run tries again.
  returned: always
  type: dict
  sample: {}
node:
  description:
    - What was changed on the node itself.
    - Here always empty.
  returned: always
  type: list
  elements: str
sent:
  description: Letters that were sent, in this run or before, with the time of each.
  returned: always
  type: dict
  sample: {"velo-ecole/received/2026-05-30/e3b0c442": 1780135200.0}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import (
    PAYLOAD_OPTION,
    unpack,
)
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _relay


def main() -> None:
    """Send the letters of the payload."""
    module = AnsibleModule(argument_spec={"payload": PAYLOAD_OPTION}, supports_check_mode=True)
    wanted = unpack(module.params["payload"])
    try:
        with _journal.exclusive("letters", patience=60):
            report = _relay.send_all(
                wanted["letters"],
                _relay.way(wanted["relay"], wanted["operator"]),
                check=module.check_mode,
            )
    except (_relay.RelayError, _journal.JournalError, OSError, ValueError) as error:
        module.fail_json(msg=f"{error}; what was sent before is noted, and not sent again")
    module.exit_json(**report.result())


if __name__ == "__main__":
    main()
