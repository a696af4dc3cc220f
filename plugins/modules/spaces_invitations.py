#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module spaces_invitations."""

from __future__ import annotations

DOCUMENTATION = r"""
module: spaces_invitations
short_description: Send the first administrators of spaces a new invitation
version_added: 0.1.0
description:
  - Makes a new link to choose a password, and sends it to the contact of the space's file, by the
    space's own mailer; without a mail relay the letter is kept on the node. The earlier link
    ends with it.
  - Somebody who has logged in already is left alone, unless O(again=true). An account that is in
    use and has another mail address than the file is never handed over.
  - While nobody has used the account, it gets the name and the address of the file.
  - Only spaces named by O(only) that are approved are looked at; without O(only), none.
extends_documentation_fragment:
  - archipel.spaces.spaces
options:
  again:
    description: Whether somebody who has logged in already is invited all the same.
    type: bool
    default: false
requirements: [python3-pymysql, systemd >= 252]
attributes:
  diff_mode:
    support: none
    description: A letter is no difference.
    details: Who was sent what is listed under RV(spaces).
  idempotent:
    support: none
    description: Each run sends another letter, until somebody has logged in.
"""

EXAMPLES = r"""
- name: Send two associations a new link
  archipel.spaces.spaces_invitations:
    spaces: archipel_spaces
    settings: "{{ __spaces_settings }}"
    only: velo-ecole,cine
"""

RETURN = r"""
known:
  description: Number of spaces in O(spaces), whether this run converges them or not.
  returned: always
  type: int
  sample: 8
spaces:
  description:
    - What was changed (in check mode, would be), by slug. Only changed spaces are listed.
    - Here, who was sent what.
  returned: always
  type: dict
  sample:
    velo-ecole: ["invitation to a@b.example by mail, its link works until 2026-12-04 12:05 UTC"]
left:
  description: Why a space was left alone although nothing is wrong, by slug.
  returned: always
  type: dict
  sample: {}
failed_spaces:
  description:
    - Why a space could not be converged, by slug.
    - The module itself does not fail for them.
    - Here, why nothing was sent.
  returned: always
  type: dict
  sample: {}
node:
  description:
    - What was changed on the node itself.
    - Here always empty.
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
    _invitation,
    _node,
    _occ,
)

try:
    import pymysql

    MISSING = None
except ImportError:
    MISSING = traceback.format_exc()


def node_of(settings: dict[str, t.Any]) -> _node.Node:
    """Return where things are on this node. No database is asked."""
    return _node.Node(
        root=settings["root"],
        releases=settings["releases"],
        php=settings["php"],
        spool=settings["spool"],
        sandbox=_occ.sandbox(),
        seed_images="",
        database_socket=settings["database_socket"],
        database_ca=settings["database_ca"],
        connect=lambda _: None,
        database_error=pymysql.Error,
    )


def main() -> None:
    """Invite whom the payload names."""
    module = AnsibleModule(argument_spec={"payload": PAYLOAD_OPTION}, supports_check_mode=True)
    if MISSING:
        module.fail_json(msg=missing_required_lib("pymysql"), exception=MISSING)
    wanted = unpack(module.params["payload"])
    try:
        report = _invitation.invite_all(
            wanted["invitations"],
            node_of(wanted["node"]),
            wanted["parallel"],
            check=module.check_mode,
        )
    except (OSError, _journal.JournalError) as error:
        module.fail_json(msg=f"{error}; nobody was invited")
    module.exit_json(**report.result())


if __name__ == "__main__":
    main()
