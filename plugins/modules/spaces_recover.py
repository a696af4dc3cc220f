#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module spaces_recover."""

from __future__ import annotations

DOCUMENTATION = r"""
module: spaces_recover
short_description: Bring spaces of a lost node back on another one
version_added: 0.1.0
description:
  - What C(playbooks/recover.yml) does on nodes. It looks at what is there (V(look)), claims spaces
    for the node before anything says that they live there (V(claim)), restores what was claimed
    (V(restore)), and notes that a run of the role C(archipel.spaces.spaces) has opened it
    (V(opened)).
  - On a node that came back it holds down what it has of spaces that live elsewhere now
    (V(fence)). Nothing is deleted.
options:
  stage:
    description: What is done.
    type: str
    choices: [look, claim, restore, opened, fence]
    required: true
  lost:
    description: Name of the node that was lost, or that is back.
    type: str
    required: true
  spaces:
    description:
      - For V(look), those of which is said whether they are here. For V(claim), V(restore) and
        V(opened), those that come to this node. For V(fence), those that live elsewhere.
    type: list
    elements: dict
    default: []
    suboptions:
      slug:
        description: The space.
        type: str
        required: true
      web:
        description: Node of its files from now on.
        type: str
        default: ""
      db:
        description: Node of its database from now on.
        type: str
        default: ""
      stays:
        description: Whether its files are here already, and only its database was lost.
        type: bool
        default: false
  addresses:
    description: Of the lost node. For V(look), where is tried whether it takes connections.
    type: list
    elements: str
    default: []
  ports:
    description: TCP ports that are tried there.
    type: list
    elements: int
    default: [22, 80, 443]
  parallel:
    description: How many spaces are restored at the same time.
    type: int
    default: 2
attributes:
  check_mode:
    support: full
    description: Nothing is claimed, restored or held down; what would be is named.
  diff_mode:
    support: none
    description: There is nothing to compare.
    details: Whole spaces are made.
  idempotent:
    support: full
    description: What was claimed, restored or held down is not again.
author:
  - The Archipel contributors
"""

EXAMPLES = r"""
- name: Say which spaces come to this node
  archipel.spaces.spaces_recover:
    stage: claim
    lost: web1
    spaces: [{slug: velo-ecole, web: web2, db: web2}]
"""

RETURN = r"""
changed:
  description: Whether something was done, or in check mode would be.
  returned: always
  type: bool
spaces:
  description:
    - What was changed (in check mode, would be), by slug. Only changed spaces are listed.
  returned: always
  type: dict
  sample: {"velo-ecole": ["restored from backup 1a2b3c4d of 2026-05-30T01:12"]}
failed_spaces:
  description:
    - Why a space could not be converged, by slug.
    - The module itself does not fail for them.
  returned: always
  type: dict
  sample: {}
answers:
  description: Where the lost node takes connections.
  returned: for O(stage=look)
  type: list
  elements: str
  sample: ["192.0.2.11 port 443"]
claims:
  description: What is claimed here for the lost node and not restored yet, by slug.
  returned: for O(stage=look)
  type: dict
  sample:
    velo-ecole:
      step: fetch
      snapshot: 1a2b3c4d
      at: "2026-05-30T01:12:00+00:00"
      place: {web: web2, db: web2}
here:
  description: Which of O(spaces) are installed here.
  returned: for O(stage=look)
  type: list
  elements: str
  sample: []
backups:
  description: The last backup of each space in the repository, by slug.
  returned: for O(stage=look)
  type: dict
  sample:
    velo-ecole: {snapshot: 1a2b3c4d, at: "2026-05-30T01:12:00+00:00", host: web1, bytes: 1048576}
unready:
  description: Why nothing can be restored on this node; empty if it can.
  returned: for O(stage=look)
  type: str
  sample: ""
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _recover,
    _restic,
)
from ansible_collections.archipel.spaces.plugins.module_utils._system import _connections

SPACE = {
    "slug": {"type": "str", "required": True},
    "web": {"type": "str", "default": ""},
    "db": {"type": "str", "default": ""},
    "stays": {"type": "bool", "default": False},
}
STAGES = ("look", "claim", "restore", "opened", "fence")
SPEC = {
    "stage": {"type": "str", "choices": list(STAGES), "required": True},
    "lost": {"type": "str", "required": True},
    "spaces": {"type": "list", "elements": "dict", "default": [], "options": SPACE},
    "addresses": {"type": "list", "elements": "str", "default": []},
    "ports": {"type": "list", "elements": "int", "default": [22, 80, 443]},
    "parallel": {"type": "int", "default": 2},
}
WORDS = {
    "claim": "would be claimed",
    "restore": "would be restored",
    "opened": "would be noted as open",
    "fence": "would be held down",
}


def refusal(options: dict[str, t.Any]) -> str:
    """Return why nothing is done; empty if it may be."""
    slugs = [one["slug"] for one in options["spaces"]]
    if wrong := [slug for slug in slugs if not _backup.SLUG.fullmatch(slug)]:
        return f"found the spaces {wrong}; allowed: slugs"
    if options["parallel"] < 1:
        return f"parallel: found {options['parallel']}; allowed: a whole number above 0"
    lacking = [one["slug"] for one in options["spaces"] if not (one["web"] and one["db"])]
    if options["stage"] in ("claim", "restore") and lacking:
        return f"spaces: {', '.join(lacking)}: name web and db, the nodes that they come to"
    return ""


def look(settings: _backup.Settings, options: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return what is to be known before anything is planned."""
    found: dict[str, t.Any] = {
        "spaces": {},
        "failed_spaces": {},
        "answers": _connections.answering(options["addresses"], options["ports"]),
        "claims": _recover.claims(settings, options["lost"]),
        "here": [s["slug"] for s in options["spaces"] if _backup.is_space(settings, s["slug"])],
    }
    try:
        return {**found, "backups": _recover.last_backups(settings), "unready": ""}
    except _restic.ResticError as error:
        return {**found, "backups": {}, "unready": str(error)}


def said(done: dict[str, t.Any]) -> list[str]:
    """Return in words what was done with a space."""
    if "claimed" in done:
        return [f"claimed, to be restored from backup {done['claimed'][:8]}"]
    if "opened" in done:
        return ["open again"]
    if "fenced" in done:
        return [f"held down: it lives on {done['fenced']}"]
    return list(done["restored"])


def act(settings: _backup.Settings, options: dict[str, t.Any]) -> _backup.Outcome:
    """Do what is asked."""
    lost, stage = options["lost"], options["stage"]
    if stage == "fence":
        return _recover.fence(settings, {one["slug"]: one["web"] for one in options["spaces"]})
    items = [_recover.Item(**one) for one in options["spaces"]]
    if stage == "opened":
        return _recover.opened(settings, items)
    if stage == "claim":
        return _recover.claim(settings, items, lost)
    return _recover.run(settings, items, lost, options["parallel"])


def main() -> None:
    """Do what is asked."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    options = module.params
    if reason := refusal(options):
        module.fail_json(msg=reason)
    try:
        settings = _backup.read_settings()
        if options["stage"] == "look":
            module.exit_json(changed=False, **look(settings, options))
        if module.check_mode:
            would = {one["slug"]: [WORDS[options["stage"]]] for one in options["spaces"]}
            module.exit_json(changed=bool(would), spaces=would, failed_spaces={})
        outcome = act(settings, options)
    except _recover.ERRORS as error:
        module.fail_json(msg=str(error))
    spaces = {slug: said(done) for slug, done in outcome.done.items()}
    module.exit_json(changed=bool(spaces), spaces=spaces, failed_spaces=outcome.failed)


if __name__ == "__main__":
    main()
