#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module spaces_export."""

from __future__ import annotations

DOCUMENTATION = r"""
module: spaces_export
short_description: Write everything an association has into one archive
version_added: 0.1.0
description:
  - Writes files as they are, calendars as iCalendar, address books as vCard and the database as SQL
    into a root-only archive on the machine.
  - They are read from disk and database. No application is needed, and a suspended or closed space
    can be exported too.
options:
  space:
    description: The slug.
    type: str
    required: true
  name:
    description: The association's name, for the archive's README.
    type: str
    required: true
  folder:
    description: Where the archive is written.
    type: path
    default: /var/lib/archipel/export
  state:
    description: V(absent) removes the archive from the machine.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    support: full
    description: Says where the archive would be.
  diff_mode:
    support: none
    description: There is nothing to compare.
    details: An archive is written anew each time.
  idempotent:
    support: none
    description: An archive is written anew each time.
author:
  - The Archipel contributors
"""

EXAMPLES = r"""
- name: Export a space
  archipel.spaces.spaces_export:
    space: velo-ecole
    name: Vélo-école de Montreuil
"""

RETURN = r"""
path:
  description: The archive.
  returned: success
  type: str
  sample: /var/lib/archipel/export/velo-ecole.tar.gz
counts:
  description: What is in it, and in C(remarks) what is not.
  returned: when an archive was written
  type: dict
  sample: {files: 30, calendars: 1, events: 12, books: 1, cards: 7, remarks: []}
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archipel.spaces.plugins.module_utils import _backup, _database, _export

SPEC = {
    "space": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "folder": {"type": "path", "default": "/var/lib/archipel/export"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def main() -> None:
    """Write the archive, or remove it."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    slug, folder = module.params["space"], module.params["folder"]
    path = f"{folder}/{slug}.tar.gz"
    try:
        if module.params["state"] == "absent":
            there = Path(path).exists()
            if there and not module.check_mode:
                Path(path).unlink()
            module.exit_json(changed=there, path=path)
        if module.check_mode:
            module.exit_json(changed=True, path=path)
        settings = _backup.read_settings()
        path, counts = _export.export(settings, slug, module.params["name"], folder)
    except (_backup.BackupError, _export.ExportError, _database.DatabaseError, OSError) as error:
        module.fail_json(msg=f"{slug}: {error}")
    module.exit_json(changed=True, path=path, counts=vars(counts))


if __name__ == "__main__":
    main()
