#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module spaces_purge."""

from __future__ import annotations

DOCUMENTATION = r"""
module: spaces_purge
short_description: Delete closed spaces from a node, for good
version_added: 0.1.0
description:
  - Deletes units, vhost, configuration, databases, account, files, limit and user of each space,
    and has the node's reports written anew.
  - Refuses a space whose last backup is missing, not verified, older than its closing or than its
    files, or no longer in the repository.
  - Whether a space is closed and past its grace is the controller's to know, see the filter
    P(archipel.spaces.purgeable#filter).
options:
  spaces:
    description: The spaces.
    type: list
    elements: dict
    required: true
    suboptions:
      slug:
        description: The slug.
        type: str
        required: true
      id:
        description: The number of its user.
        type: int
        required: true
      closed_on:
        description: When it was closed.
        type: str
        required: true
      is_copy:
        description:
          - Whether it is a copy of another space, which has all that is in it. It needs no backup,
            and one that was never finished goes too.
        type: bool
        default: false
  finish:
    description: Say that what was purged is written down; nothing else is done.
    type: bool
    default: false
  php_directory:
    description: Folder of the PHP configurations.
    type: path
    default: /etc/archipel/php
  spool:
    description: Folder of the invitations.
    type: path
    default: /var/spool/archipel/invitations
attributes:
  check_mode:
    support: full
    description: Returns the same list as a real run.
  diff_mode:
    support: none
    description: What goes is listed under RV(spaces).
    details: There is nothing to compare.
  idempotent:
    support: full
    description: What is gone is gone.
author:
  - The Archipel contributors
"""

EXAMPLES = r"""
- name: Say what would go
  archipel.spaces.spaces_purge:
    spaces: [{slug: cine, id: 70003, closed_on: "2026-01-01"}]
  check_mode: true
"""

RETURN = r"""
changed:
  description: Whether something was done, or in check mode would be.
  returned: always
  type: bool
spaces:
  description:
    - What was changed (in check mode, would be), by slug. Only changed spaces are listed.
    - Here, what was deleted.
  returned: always
  type: dict
  sample: {"cine": ["folder /srv/spaces/cine (1.2G)", "database space_cine (151 rows)"]}
failed_spaces:
  description:
    - Why a space could not be converged, by slug.
    - The module itself does not fail for them.
  returned: always
  type: dict
  sample: {}
backups:
  description: Slug → the verified backup that it could be brought back from.
  returned: always
  type: dict
  sample: {"cine": "1a2b3c4d"}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal, _layout
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _purge,
    _restic,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from ansible_collections.archipel.spaces.plugins.module_utils._system import _systemd

SPACE = {
    "slug": {"type": "str", "required": True},
    "id": {"type": "int", "required": True},
    "closed_on": {"type": "str", "required": True},
    "is_copy": {"type": "bool", "default": False},
}
SPEC = {
    "spaces": {"type": "list", "elements": "dict", "required": True, "options": SPACE},
    "finish": {"type": "bool", "default": False},
    "php_directory": {"type": "path", "default": _layout.Places.php},
    "spool": {"type": "path", "default": _layout.Places.invitations},
}
ERRORS = (
    *(_backup.BackupError, _purge.PurgeError, _restic.ResticError, _systemd.SystemdError),
    *(_database.DatabaseError, _journal.JournalError, OSError),
)
Result = dict[str, dict[str, t.Any]]


def layout_of(settings: _backup.Settings, options: dict[str, t.Any], slug: str) -> _layout.Layout:
    """Return where everything of a space is on this node."""
    places = _layout.Places(
        root=settings.root,
        vhosts=settings.vhosts,
        backup=settings.work,
        php=options["php_directory"],
        invitations=options["spool"],
    )
    return _layout.Layout(slug, places)


def purge(settings: _backup.Settings, options: dict[str, t.Any], *, check: bool) -> Result:
    """Purge the spaces; one that may not go does not keep the others."""
    result: Result = {"spaces": {}, "failed_spaces": {}, "backups": {}}
    for space in options["spaces"]:
        slug = space["slug"]
        layout = layout_of(settings, options, slug)
        job = _purge.Job(settings, layout, space["id"], space["closed_on"], space["is_copy"])
        try:
            done = _purge.run(job, check=check)
        except ERRORS as error:
            result["failed_spaces"][slug] = str(error)
            continue
        result["spaces"][slug] = done["goes"]
        result["backups"][slug] = done["backup"]
    return result


def main() -> None:
    """Do what is asked."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    slugs = [space["slug"] for space in module.params["spaces"]]
    if wrong := [slug for slug in slugs if not _backup.SLUG.fullmatch(slug)]:
        module.fail_json(msg=f"found the spaces {wrong}; allowed: slugs")
    if module.params["finish"]:
        done = [slug for slug in slugs if not module.check_mode and _purge.finish(slug)]
        module.exit_json(changed=bool(done), spaces={s: ["done"] for s in done}, failed_spaces={})
    try:
        settings = _backup.read_settings()
    except _backup.BackupError as error:
        module.fail_json(msg=str(error))
    result = purge(settings, module.params, check=module.check_mode)
    if result["spaces"] and not module.check_mode:
        try:
            _purge.report_again()
        except _systemd.SystemdError as error:
            module.warn(f"reports still name what was purged, until they are next written: {error}")
    module.exit_json(changed=any(result["spaces"].values()), **result)


if __name__ == "__main__":
    main()
