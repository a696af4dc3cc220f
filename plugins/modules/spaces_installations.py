#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module spaces_installations."""

from __future__ import annotations

DOCUMENTATION = r"""
module: spaces_installations
short_description: Install Nextcloud in new spaces and apply what only Nextcloud can set
version_added: 0.1.0
description:
  - Spaces that have no Nextcloud yet get one, a bounded number at a time; what is left of an
    interrupted installation is cleared first.
  - The first space of a release is installed by Nextcloud's own installer, later ones start
    from a copy of it, with an identity and secrets of their own.
  - While many are installed, a line per half minute says how many are done and how long the others
    will take.
  - A space whose configuration is lost is refused, never installed anew.
  - A digest of the applied state, and one query for what each space's Nextcloud holds of it now,
    keep the ordinary run free of PHP. An application that was turned off by hand or by an upgrade
    is found and turned on again.
extends_documentation_fragment:
  - archipel.spaces.spaces
requirements: [python3-pymysql, systemd >= 252]
attributes:
  diff_mode:
    support: none
    description: Steps are listed under RV(spaces).
    details: What Nextcloud does inside its database is not a text.
"""

EXAMPLES = r"""
- name: Converge the installations of all the spaces of this node
  archipel.spaces.spaces_installations:
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
  sample: {"velo-ecole": ["Nextcloud installed"]}
failed_spaces:
  description:
    - Why a space could not be converged, by slug.
    - The module itself does not fail for them.
  returned: always
  type: dict
  sample: {}
uninvited:
  description:
    - Why the invitation of a space was not sent, by slug.
    - The space is whole and open all the same, and the next run sends it.
  returned: always
  type: dict
  sample: {}
node:
  description: What was changed on the node itself.
  returned: always
  type: list
  elements: str
begun:
  description: Number of spaces that were begun, those that failed included.
  returned: always
  type: int
  sample: 8
remaining:
  description: Spaces that were not begun, by slug.
  returned: always
  type: list
  elements: str
"""

import traceback
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import (
    PAYLOAD_OPTION,
    unpack,
)
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import (
    _application_set,
    _installation,
    _node,
    _occ,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _mariadb

try:
    import pymysql

    MISSING = None
except ImportError:
    MISSING = traceback.format_exc()


def node_of(settings: dict[str, t.Any], logos: dict[str, str]) -> _node.Node:
    """Return where things are on this node."""
    return _node.Node(
        root=settings["root"],
        releases=settings["releases"],
        php=settings["php"],
        spool=settings["spool"],
        sandbox=_occ.sandbox(),
        seed_images=settings["seed_images"],
        database_socket=settings["database_socket"],
        database_ca=settings["database_ca"],
        connect=lambda database: _mariadb.connect(
            pymysql, database, settings["database_socket"], settings["database_ca"]
        ),
        database_error=pymysql.Error,
        without=_application_set.without_on(settings["releases"], settings["without"]),
        logos=logos,
    )


def main() -> None:
    """Converge what the payload asks for."""
    module = AnsibleModule(argument_spec={"payload": PAYLOAD_OPTION}, supports_check_mode=True)
    if MISSING:
        module.fail_json(msg=missing_required_lib("pymysql"), exception=MISSING)
    wanted = unpack(module.params["payload"])
    node, spaces = node_of(wanted["node"], wanted["logos"]), wanted["installations"]
    try:
        report = _installation.converge(
            spaces,
            node,
            wanted["parallel"],
            check=module.check_mode,
            seconds=wanted["seconds"],
        )
    except (_node.InstallationError, _journal.JournalError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**report.result())


if __name__ == "__main__":
    main()
