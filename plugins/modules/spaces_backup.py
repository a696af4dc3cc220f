#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module spaces_backup."""

from __future__ import annotations

DOCUMENTATION = r"""
module: spaces_backup
short_description: Back up spaces of a node, and verify backups
version_added: 0.1.0
description:
  - Makes one snapshot per space, with its database, its state file and its data. The role
    C(archipel.spaces.backup) must have run on the node; its timers do the very same.
  - With O(verify=true) the new backups are then verified. Each database is brought up beside the
    live one under another name, its rows are counted, and all files are compared with those of the
    live space.
options:
  only:
    description: Slugs. Empty means all spaces of the node that are due.
    type: list
    elements: str
    default: []
  verify:
    description: Whether the backups are verified as well.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Names the spaces that would be backed up.
  diff_mode:
    support: none
    description: Snapshots are listed under RV(spaces).
    details: There is nothing to compare.
  idempotent:
    support: none
    description: Each run makes new snapshots.
author:
  - The Archipel contributors
"""

EXAMPLES = r"""
- name: Back up two spaces, and verify it
  archipel.spaces.spaces_backup:
    only: [velo-ecole, amap-du-val]
    verify: true
"""

RETURN = r"""
changed:
  description: Whether something was done, or in check mode would be.
  returned: always
  type: bool
spaces:
  description:
    - What was changed (in check mode, would be), by slug. Only changed spaces are listed.
    - Here, what was backed up or verified.
  returned: always
  type: dict
  sample: {"velo-ecole": ["backup 1a2b3c4d: 30 files, 151 rows"]}
failed_spaces:
  description:
    - Why a space could not be converged, by slug.
    - The module itself does not fail for them.
  returned: always
  type: dict
  sample: {}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _restic,
    _verification,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database

SPEC = {
    "only": {"type": "list", "elements": "str", "default": []},
    "verify": {"type": "bool", "default": False},
}
ERRORS = (
    *(_backup.BackupError, _restic.ResticError, _database.DatabaseError),
    *(_journal.JournalError, OSError),
)


def backup_words(report: _backup.Report) -> str:
    """Return what people read of a backup."""
    return f"backup {report['snapshot'][:8]}: {report['files']} files, {report['rows']} rows"


def verification_words(report: _backup.Report) -> str:
    """Return what people read of a verification."""
    how = "brought up" if report["loaded"] else "read"
    return (
        f"backup {report['snapshot'][:8]} verified: {report['tables']} tables with "
        f"{report['rows']} rows {how}, {report['files']} files read, "
        f"{report['equal']} equal to the live ones, {report['moved_on']} changed there since"
    )


def run(settings: _backup.Settings, slugs: list[str], *, verify: bool) -> dict[str, t.Any]:
    """Back up, then verify what was backed up."""
    made = _backup.run(settings, slugs)
    failed = dict(made.failed)
    spaces = {slug: [backup_words(report)] for slug, report in made.done.items()}
    if verify:
        verified = _verification.run(settings, list(made.done))
        failed |= verified.failed
        for slug, report in verified.done.items():
            spaces[slug].append(verification_words(report))
    return {"changed": bool(spaces), "spaces": spaces, "failed_spaces": failed}


def main() -> None:
    """Do what is asked."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    try:
        settings = _backup.read_settings()
        here = set(_backup.spaces(settings))
        slugs = [slug for slug in module.params["only"] or _backup.due(settings) if slug in here]
        if module.check_mode:
            would = {slug: ["would be backed up"] for slug in slugs}
            module.exit_json(changed=bool(would), spaces=would, failed_spaces={})
        result = run(settings, slugs, verify=module.params["verify"])
    except ERRORS as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
