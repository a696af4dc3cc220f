#!/usr/bin/python
# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documentation of the action moderation, which runs on the controller alone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: moderation
short_description: Decide on associations, and list what waits
version_added: 0.2.0
author:
  - The Archipel contributors
description:
  - Writes a decision into the files of associations. Only the values that change are touched;
    comments, order and everything else of a file stay as people wrote them. A file in which that
    cannot be done is refused.
  - One decision is written into all the files that are named, or into none.
  - Returns what waits for a decision, with its age and with what should be looked at twice, and
    writes it as a page and as JSON. Files with mistakes are passed over.
options:
  placement:
    description: The variable C(archipel_placement) that the inventory plugin sets.
    type: dict
    required: true
  decision:
    description:
      - V(approve), V(refuse), V(ask), V(suspend) or V(close); empty only lists.
      - V(expire) is nobody's decision. It notes that requests end soon which nobody went on with,
        and refuses those whose end has come; closes spaces whose day has come; and erases requests
        that were refused long ago, with their contact where this run has the vault's password.
    type: str
    default: ""
  only:
    description: Comma-separated slugs of the spaces that are decided on.
    type: str
    default: ""
  by:
    description: Who decides. By default the user who runs Ansible.
    type: str
    default: ""
  reason:
    description:
      - A word of O(reasons), or a sentence of one's own.
      - Needed to refuse, ask and suspend.
    type: str
    default: ""
  reasons:
    description: The catalogue C(archipel_reasons).
    type: dict
    default: {}
  maximum:
    description: Limits above which a file names who allowed more, C(archipel_limits_maximum).
    type: dict
    default: {}
  day:
    description: With V(close), the day on which the space is to be closed, C(YYYY-MM-DD).
    type: str
    default: ""
  days:
    description: How long a request waits before it closes itself; 0 is for ever.
    type: int
    default: 0
  notice_days:
    description: How long before that the association is told.
    type: int
    default: 0
  refused_days:
    description: How long a request that was refused is kept; 0 is for ever.
    type: int
    default: 0
  build:
    description: The folder for the page C(index.html) and C(requests.json). Without it, none.
    type: path
  link:
    description:
      - Address of a file of the registry in its forge, with V({slug}) for the slug.
      - Without one, the page leads to the files where they lie.
    type: str
    default: ""
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
    description: Shows the lines that change.
  idempotent:
    support: none
    description: A decision that was taken cannot be taken again.
"""

EXAMPLES = r"""
- name: Refuse two requests
  archipel.spaces.moderation:
    placement: "{{ archipel_placement }}"
    decision: refuse
    only: velo-ecole,cine
    reason: not-an-association
    reasons: "{{ archipel_reasons }}"
"""

RETURN = r"""
spaces:
  description:
    - What was changed (in check mode, would be), by slug. Only changed spaces are listed.
    - Here, who decided what, and why.
  returned: always
  type: dict
  sample: {"velo-ecole": ["approved by nadia"]}
refused:
  description: Why nothing was decided, by slug; and what is wrong with the decision itself.
  returned: always
  type: dict
  sample: {}
waiting:
  description: What waits for a decision, in sentences, the oldest first.
  returned: always
  type: list
  elements: str
  sample: ["Nothing waits for a decision."]
"""
