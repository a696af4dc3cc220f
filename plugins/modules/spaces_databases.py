#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module spaces_databases."""

from __future__ import annotations

DOCUMENTATION = r"""
module: spaces_databases
short_description: Bring the databases, accounts and grants of all spaces to their wanted state
version_added: 0.1.0
description:
  - Reads schemata, accounts and grants once over one connection, compares, and sends
    statements for the differences only.
  - Rights that a space should not have are taken away; nothing is dropped.
  - A server that cannot be reached fails the task once, not every space.
extends_documentation_fragment:
  - archipel.spaces.spaces
options:
  previous:
    description:
      - Slugs of spaces that are restored, or whose state from before a restore is put back or
        removed. Where such a space's database is on another node than its files, its account may
        use the database that keeps that state as well, until the next run without it.
    type: list
    elements: str
    default: []
  left:
    description:
      - Names of web nodes that are lost. Accounts with which spaces came from there are dropped,
        where they come from another node now.
    type: list
    elements: str
    default: []
requirements: [python3-pymysql]
attributes:
  diff_mode:
    support: full
    description: What is done, in words; passwords never show.
"""

EXAMPLES = r"""
- name: Converge the databases of all the spaces of this node
  archipel.spaces.spaces_databases:
    spaces: archipel_spaces
    settings: "{{ __spaces_settings }}"
"""

RETURN = r"""
known:
  description: Number of spaces in O(spaces), whether this run converges them or not.
  returned: always
  type: int
  sample: 8
spaces:
  description: What was changed (in check mode, would be), by slug. Only changed spaces are listed.
  returned: always
  type: dict
  sample: {"velo-ecole": ["database space_velo-ecole"]}
failed_spaces:
  description:
    - Why a space could not be converged, by slug.
    - The module itself does not fail for them.
  returned: always
  type: dict
  sample: {}
node:
  description: What was changed on the node itself.
  returned: always
  type: list
  elements: str
drift:
  description:
    - What is on the node and in no file of the registry, and the other way round, in words.
  returned: always
  type: list
  elements: str
  sample: ["chorale: database, account too many"]
kept:
  description:
    - What spaces that moved to another node have left here, and how it is removed or taken
      back, in words.
  returned: always
  type: list
  elements: str
  sample: []
"""

import traceback

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import (
    PAYLOAD_OPTION,
    unpack,
)
from ansible_collections.archipel.spaces.plugins.module_utils._inspect import _drift
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _mariadb

try:
    import pymysql

    MISSING = None
except ImportError:
    MISSING = traceback.format_exc()


def main() -> None:
    """Converge what the payload asks for."""
    module = AnsibleModule(argument_spec={"payload": PAYLOAD_OPTION}, supports_check_mode=True)
    if MISSING:
        module.fail_json(msg=missing_required_lib("pymysql"), exception=MISSING)
    wanted = unpack(module.params["payload"])
    try:
        connection = pymysql.connect(unix_socket=wanted["socket"], user="root", autocommit=True)
        report, before = _mariadb.converge(
            wanted["databases"], connection, check=module.check_mode, diff=module._diff
        )
        connection.close()
    except pymysql.Error as error:
        module.fail_json(
            msg=f"MariaDB at {wanted['socket']} does not answer, no space was looked at: {error}"
        )
    drift = _drift.compare_databases(
        before, wanted["databases"], wanted["known"], _drift.find_moved()
    )
    report.facts["drift"] = _drift.describe(drift)
    report.facts["kept"] = _drift.describe_moved(drift)
    module.exit_json(**report.result())


if __name__ == "__main__":
    main()
