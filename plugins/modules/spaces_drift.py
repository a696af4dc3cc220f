#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module spaces_drift."""

from __future__ import annotations

DOCUMENTATION = r"""
module: spaces_drift
short_description: Compare what a node holds with what the registry says, and change nothing
version_added: 0.1.0
description:
  - Reads vhosts, PHP configurations, unix users, directories, units and storage limits of a web
    node, or databases and accounts of a database node.
  - Also found are changes of units by hand (C(systemctl edit), C(mask) or C(set-property)), and
    further database accounts of a space's user, which let it in from elsewhere.
  - Returns what is there and in no file of the registry, and what is in a file and not there.
    Nothing is ever deleted for it.
  - Each run of the role C(archipel.spaces.spaces) reports the same at its end.
extends_documentation_fragment:
  - archipel.spaces.spaces
options:
  of:
    description: What to look at.
    type: str
    choices: [web, database]
    default: web
requirements: [python3-pymysql for databases]
attributes:
  diff_mode:
    support: none
    description: There are no differences.
    details: Nothing is changed.
"""

EXAMPLES = r"""
- name: Look for what no file of the registry speaks of
  archipel.spaces.spaces_drift:
    spaces: archipel_spaces
    settings: "{{ __spaces_settings }}"
"""

RETURN = r"""
known:
  description: Number of spaces in O(spaces), whether this run converges them or not.
  returned: always
  type: int
  sample: 8
unknown:
  description: Name of what is there and in no file → what there is of it.
  returned: always
  type: dict
  sample: {"chorale-des-halles": ["vhost", "user", "directory"]}
missing:
  description: Slug of what is in a file and not there → what there is not.
  returned: always
  type: dict
  sample: {}
moved:
  description: Slug of a space that moved to another node → what there is of it still.
  returned: always
  type: dict
  sample: {}
drift:
  description:
    - What is on the node and in no file of the registry, and the other way round, in words.
  returned: always
  type: list
  elements: str
  sample: ["chorale-des-halles: vhost, user, directory too many"]
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
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import (
    PAYLOAD_OPTION,
    unpack,
)
from ansible_collections.archipel.spaces.plugins.module_utils._inspect import _drift
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _mariadb
from ansible_collections.archipel.spaces.plugins.module_utils._system import _systemd, _units

try:
    import pymysql

    MISSING = None
except ImportError:
    MISSING = traceback.format_exc()


def web(wanted: dict[str, t.Any]) -> _drift.Found:
    """Return what this web node holds."""
    observed = _units.read_observed()
    running = _drift.find_units(observed.active, observed.enabled)
    return _drift.read_web(wanted["places"], running, wanted["ids"])


def database(wanted: dict[str, t.Any]) -> _drift.Found:
    """Return what this database node holds.

    Raises:
        OSError: MariaDB does not answer.

    """
    socket = wanted["socket"]
    try:
        with (
            pymysql.connect(unix_socket=socket, user="root") as connection,
            connection.cursor() as cursor,
        ):
            state = _mariadb.read_state(cursor)
    except pymysql.Error as error:
        raise OSError(f"MariaDB at {socket} does not answer: {error}") from error
    found = _drift.read_databases(state.databases, {user for user, _ in state.accounts})
    others = _mariadb.other_accounts(state.accounts, wanted["accounts"])
    return {**found, _drift.OTHER_ACCOUNT: others}


def main() -> None:
    """Read, compare, report."""
    module = AnsibleModule(argument_spec={"payload": PAYLOAD_OPTION}, supports_check_mode=True)
    wanted = unpack(module.params["payload"])
    try:
        if wanted["of"] == "web":
            found = web(wanted)
        elif MISSING:
            module.fail_json(msg=missing_required_lib("pymysql"), exception=MISSING)
        else:
            found = database(wanted)
    except (OSError, _systemd.SystemdError) as error:
        module.fail_json(msg=f"this node cannot be read, nothing was compared: {error}")
    drift = _drift.compare(found, wanted["known"], _drift.find_moved())
    said = {"drift": _drift.describe(drift), "kept": _drift.describe_moved(drift)}
    module.exit_json(changed=False, **drift, **said)


if __name__ == "__main__":
    main()
