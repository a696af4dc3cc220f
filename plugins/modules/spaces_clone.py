#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module spaces_clone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: spaces_clone
short_description: Make a copy of a space, for trying something
version_added: 0.1.0
description:
  - What C(playbooks/clone.yml) does on the node of a space. It looks whether a copy can be made
    (V(look)), claims its name before anything says that it lives there (V(claim)), and makes it
    (V(run)), from where an interrupted run came to.
  - The space itself goes on meanwhile, and is not changed. Its database is read as it is at one
    moment, its files after that.
  - The copy gets an instance id and a secret of its own. What would lead out of it is taken out of
    its database. Nothing of it runs before the role C(archipel.spaces.spaces) opens it.
options:
  stage:
    description: What is done.
    type: str
    choices: [look, claim, run]
    required: true
  source:
    description: The space that is copied.
    type: str
    required: true
  space:
    description: The copy.
    type: str
    required: true
attributes:
  check_mode:
    support: full
    description: Nothing is claimed or made; what would be is named.
  diff_mode:
    support: none
    description: There is nothing to compare.
    details: A whole space is made.
  idempotent:
    support: full
    description: What was claimed is not again. A copy that is there is refused.
author:
  - The Archipel contributors
"""

EXAMPLES = r"""
- name: Make the copy
  archipel.spaces.spaces_clone:
    stage: run
    source: velo-ecole
    space: velo-essai
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
  sample: {"velo-essai": ["made of velo-ecole (copy, load, clean, identify, place, finish)"]}
begun:
  description: Whether the copy was claimed before.
  returned: for O(stage=look)
  type: bool
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _clone,
    _clone_contents,
    _restore_job,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from ansible_collections.archipel.spaces.plugins.module_utils._system import _projects

SPEC = {
    "stage": {"type": "str", "choices": ["look", "claim", "run"], "required": True},
    "source": {"type": "str", "required": True},
    "space": {"type": "str", "required": True},
}
ERRORS = (
    *(_clone.CloneError, _clone_contents.UnfitError, _backup.BackupError, OSError),
    *(_restore_job.RestoreError, _database.DatabaseError, _projects.ProjectError),
    _journal.JournalError,
)


def refusal(options: dict[str, t.Any]) -> str:
    """Return why nothing is done; empty if it may be."""
    slugs = [options["source"], options["space"]]
    if wrong := [slug for slug in slugs if not _backup.SLUG.fullmatch(slug)]:
        return f"found the spaces {wrong}; allowed: slugs"
    if slugs[0] == slugs[1]:
        return f"space: found {slugs[0]}, the source itself; allowed: another one"
    return ""


def act(options: dict[str, t.Any], *, check: bool) -> dict[str, t.Any]:
    """Do what is asked; return the result."""
    settings = _backup.read_settings()
    stage, source, target = options["stage"], options["source"], options["space"]
    if stage == "look":
        return {"spaces": {}, "begun": _clone.look(settings, source, target)}
    if check:
        words = {"claim": f"would be claimed as a copy of {source}", "run": "would be made"}
        return {"spaces": {target: [words[stage]]}}
    if stage == "claim":
        new = _clone.claim(settings, source, target)
        return {"spaces": {target: [f"claimed as a copy of {source}"]} if new else {}}
    return {"spaces": {target: _clone.run(settings, source, target)}}


def main() -> None:
    """Do what is asked."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    if reason := refusal(module.params):
        module.fail_json(msg=reason)
    try:
        result = act(module.params, check=module.check_mode)
    except ERRORS as error:
        module.fail_json(msg=f"{module.params['space']}: {error}")
    module.exit_json(changed=bool(result["spaces"]), **result)


if __name__ == "__main__":
    main()
