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
  - Writes files as they are, calendars as iCalendar, address books as vCard, what applications keep
    as files, and the database as SQL into a root-only archive on the node, in one stream.
  - They are read from disk and database. No application is needed, and a suspended or closed space
    can be exported too.
  - With O(dest) the archive is brought to the controller, in a stream as well, and its checksum is
    compared. An interrupted transfer goes on where it was.
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
    description:
      - Where the archive is written. A twentieth of that disk, and at least 1 GB, is left free.
    type: path
    default: /var/lib/archipel/export
  root:
    description: Folder of the spaces.
    type: path
    default: /srv/spaces
  vhosts:
    description: Folder of their vhosts.
    type: path
    default: /etc/nginx/archipel
  database_socket:
    description: Socket of MariaDB, for spaces whose database is on the node itself.
    type: path
    default: /run/mysqld/mysqld.sock
  database_ca:
    description: The authorities that the certificate of a distant MariaDB must come from.
    type: path
    default: /etc/ssl/certs/ca-certificates.crt
  dest:
    description: Folder of the controller that the archive is brought to; empty leaves it.
    type: path
    default: ""
  again:
    description:
      - Write a new archive, also where an interrupted run has left one of the last 24 hours.
    type: bool
    default: false
  state:
    description: V(absent) removes the archive from the node.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    support: full
    description: Says what the archive would hold, how large it may get, and whether it fits.
  diff_mode:
    support: none
    description: There is nothing to compare.
    details: An archive is written, or brought.
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
    dest: build/demo/export
"""

RETURN = r"""
path:
  description: The archive.
  returned: success
  type: str
  sample: /var/lib/archipel/export/velo-ecole.tar.gz
dest:
  description: The archive on the controller.
  returned: when it was brought there
  type: str
  sample: build/demo/export/velo-ecole.tar.gz
resumed_at:
  description: Bytes of it that an interrupted run had brought already.
  returned: when it was brought there
  type: int
  sample: 0
size:
  description: Bytes of the archive.
  returned: when an archive was written
  type: int
  sample: 415236096
sha256:
  description: Its checksum.
  returned: when an archive was written
  type: str
  sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
at:
  description: The time that its database is of.
  returned: when an archive was written
  type: str
  sample: "2026-05-30T14:00:00+00:00"
reused:
  description: Whether it is one that an interrupted run has left.
  returned: when an archive was written
  type: bool
  sample: false
counts:
  description: What is in it, and in C(remarks) what is not.
  returned: when an archive was written
  type: dict
  sample:
    files: 30
    group_folders: 1
    group_files: 4
    app_files: 2
    calendars: 1
    events: 12
    books: 1
    cards: 7
    remarks: []
would:
  description: Files and bytes that it would hold, bytes of the database, and bytes of room needed.
  returned: in check mode
  type: dict
  sample: {files: 30, bytes: 415236096, database_bytes: 9437184, need: 501219328}
"""

import os
import tempfile
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _export,
    _spool,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database

# Not on a disk.
MEMORY = "/run"
ERRORS = (
    *(_export.ExportError, _spool.SpoolError, _database.DatabaseError),
    *(_journal.JournalError, OSError),
)


def act(options: dict[str, t.Any], *, check: bool) -> dict[str, t.Any]:
    """Do what is asked; return it.

    Raises:
        ExportError: it is no slug, or there is nothing to export.

    """
    slug, folder = options["space"], options["folder"]
    path = _export.layout_of(folder, slug).export_archive
    if not _backup.SLUG.fullmatch(slug):
        raise _export.ExportError("allowed: a slug")
    if options["state"] == "absent":
        return {"changed": not check and _export.remove(folder, slug), "path": path}
    # The password of a distant database is in memory alone, and for as long as this takes.
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="archipel-export-") as work:
        node = node_of(options, work)
        if check:
            size = _export.preview(node, slug, folder)
            return {"changed": True, "path": path, "would": {**vars(size), "need": size.need}}
        # People in the spaces come first.
        os.nice(10)
        made = _export.export(node, slug, options["name"], folder, again=options["again"])
    return {"changed": True, **made}


def node_of(options: dict[str, t.Any], work: str) -> _backup.Node:
    """Return where the spaces are. Pure.

    Not out of what the role backup writes down: whoever keeps no backups exports too.
    """
    ca, socket = options["database_ca"], options["database_socket"]
    return _backup.Node(options["root"], options["vhosts"], work, socket, ca)


def main() -> None:
    """Write the archive, or remove it."""
    module = AnsibleModule(argument_spec=_export.OPTIONS, supports_check_mode=True)
    try:
        result = act(module.params, check=module.check_mode)
    except ERRORS as error:
        module.fail_json(msg=f"{module.params['space']}: {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
