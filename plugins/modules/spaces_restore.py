#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module spaces_restore."""

from __future__ import annotations

DOCUMENTATION = r"""
module: spaces_restore
short_description: Bring a space back from its backup
version_added: 0.1.0
description:
  - Unpacks a backup beside the live space, then stops the space, keeps its present state
    aside, and puts the restored one in its place. A run of the role C(archipel.spaces.spaces)
    afterwards opens it again.
  - The previous state stays aside until O(previous=discard), and takes its place again with
    O(previous=restore).
  - An interrupted restore goes on where it was.
  - A database on another node is reached with the space's own account. That needs all rights on the
    one that keeps the tables from before as well, which
    O(archipel.spaces.spaces_databases#module:previous) gives it.
options:
  space:
    description: The slug of the space that is restored.
    type: str
    required: true
  source:
    description: Whose backup it is restored from, if it is not the space's own.
    type: str
    default: ""
  at:
    description:
      - V(latest), the beginning of a backup's id, or a time such as V(2026-05-30) or
        V(2026-05-30T14:00), which means the last backup up to it.
    type: str
    default: latest
  confirm:
    description:
      - The slug again. Without it, a space that holds something is not restored over, and
        nothing that is kept is removed.
    type: str
    default: ""
  previous:
    description:
      - What to do with the state from before an earlier restore, instead of restoring a backup.
    type: str
    choices: ["", discard, restore]
    default: ""
  distant:
    description:
      - Whether the registry has its database on another node. Its C(managed.config.php) says where.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Says which backup would be restored.
  diff_mode:
    support: none
    description: There is nothing to compare.
    details: A whole space changes.
  idempotent:
    support: none
    description: Each run restores.
author:
  - The Archipel contributors
"""

EXAMPLES = r"""
- name: Bring a space back as it was on a day
  archipel.spaces.spaces_restore:
    space: velo-ecole
    at: "2026-05-30"
    confirm: velo-ecole
"""

RETURN = r"""
changed:
  description: Whether something was done, or in check mode would be.
  returned: always
  type: bool
spaces:
  description:
    - What was changed (in check mode, would be), by slug. Only changed spaces are listed.
    - Here, from which backup.
  returned: always
  type: dict
  sample: {"velo-ecole": ["restored from backup 1a2b3c4d of 2026-05-30T01:12"]}
previous:
  description: Whether the state from before a restore is kept aside.
  returned: always
  type: bool
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _restic,
    _restore,
    _restore_job,
    _restore_previous,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from ansible_collections.archipel.spaces.plugins.module_utils._system import _projects, _systemd

SPEC = {
    "space": {"type": "str", "required": True},
    "source": {"type": "str", "default": ""},
    "at": {"type": "str", "default": "latest"},
    "confirm": {"type": "str", "default": ""},
    "previous": {"type": "str", "choices": ["", "discard", "restore"], "default": ""},
    "distant": {"type": "bool", "default": False},
}
ERRORS = (
    *(_backup.BackupError, _restore_job.RestoreError, _restic.ResticError, _systemd.SystemdError),
    *(_database.DatabaseError, _journal.JournalError, _projects.ProjectError, OSError),
)


def refusal(settings: _backup.Settings, options: dict[str, t.Any]) -> str:
    """Return why a restore may not begin; empty if it may."""
    slug = options["space"]
    if not _backup.SLUG.fullmatch(slug):
        return f"found the space {slug!r}; allowed: a slug"
    if options["confirm"] == slug:
        return ""
    if options["previous"]:
        what = {
            "discard": "removes the state from before its restore",
            "restore": "removes the restored space, and returns the state from before",
        }[options["previous"]]
        return f"{slug}: previous={options['previous']} {what}. Say it with -e confirm={slug}"
    if _journal.read(slug) or not _backup.is_space(settings, slug):
        return ""
    return (
        f"{slug} is there and would be replaced by its backup; its present state would be kept "
        f"aside. If that is meant: -e confirm={slug}"
    )


def preview(
    settings: _backup.Settings, slug: str, source: str, at: str, server: _database.Server
) -> list[str]:
    """Return what a restore would do."""
    _restic.check_reachable(settings.repository)
    journal = _restore.begin(settings, source, slug, at, server)
    when = f"{journal['snapshot'][:8]} of {journal['at'][:16]}"
    return [f"would be restored from backup {when}, from the step {journal['step']!r} on"]


def act(
    settings: _backup.Settings,
    options: dict[str, t.Any],
    server: _database.Server,
    *,
    check: bool,
) -> list[str]:
    """Do what is asked; return it in words."""
    slug, source = options["space"], options["source"] or options["space"]
    if options["previous"]:
        if check:
            return [f"the state from before the restore: {options['previous']}"]
        verb = (
            _restore_previous.discard
            if options["previous"] == "discard"
            else _restore_previous.put_back
        )
        return verb(_restore_previous.Previous(settings, slug, server))
    if check:
        return preview(settings, slug, source, options["at"], server)
    return _restore.run(settings, source, slug, options["at"], server)


def main() -> None:
    """Do what is asked."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    slug = module.params["space"]
    try:
        settings = _backup.read_settings()
        if reason := refusal(settings, module.params):
            module.fail_json(msg=reason)
        # Before: a restore takes the configuration away that says where it is.
        server = _restore_job.find_server(settings, slug, distant=module.params["distant"])
        done = act(settings, module.params, server, check=module.check_mode)
        previous = _restore_job.has_previous(settings, slug, server)
    except ERRORS as error:
        module.fail_json(msg=f"{slug}: {error}")
    module.exit_json(changed=bool(done), spaces={slug: done} if done else {}, previous=previous)


if __name__ == "__main__":
    main()
