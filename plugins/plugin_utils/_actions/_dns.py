# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What the actions on DNS have in common: options, and the names of all nodes."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._selection import select
from ansible_collections.archipel.spaces.plugins.plugin_utils._dns import _names

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import (
        Draft,
        Unchecked,
        Variables,
    )

SPEC: dict[str, Draft] = {
    "web": {"type": "list", "elements": "str", "required": True},
    "office": {"type": "list", "elements": "str", "default": []},
    "settings": {
        "type": "dict",
        "required": True,
        "options": {
            "base_domain": {"type": "str", "required": True},
            "ttl": {"type": "int", "required": True},
            "authorities": {"type": "list", "elements": "str", "required": True},
            "contact": {"type": "str", "required": True},
            "locale": {"type": "str", "required": True},
            "addresses": {"type": "dict", "required": True},
            # In front of all web nodes.
            "edge": {"type": "list", "elements": "str", "default": []},
            "services": {"type": "dict", "default": {}},
        },
    },
}


def list_without_address(options: Unchecked) -> str:
    """Return a sentence on nodes of which no address is known; empty: there are none.

    Nodes may be named by a host name that only the operator's network knows.
    """
    without = sorted(node for node, found in options["settings"]["addresses"].items() if not found)
    if not without:
        return ""
    return _(
        "no address of {nodes} is known, so no records are written; set archipel_public_addresses "
        "beside them in nodes.yml",
        nodes=", ".join(without),
    )


def find_names(
    options: Unchecked, variables: Variables, only: str = ""
) -> tuple[list[_names.Name], _names.Zone]:
    """Return the host names of an environment, and what holds for all.

    What the inventory says of nodes is read as it is: walking through thousands of spaces in search
    of templates would take minutes.

    Args:
        options: those of SPEC.
        variables: of the task.
        only: slugs of the spaces that are asked for, separated by commas; empty: all, and services.

    Raises:
        AnsibleActionFail: addresses are wrong, or a space that was named is not there.

    """
    try:
        zone = _names.read_zone(options["settings"])
    except _names.ZoneError as error:
        raise AnsibleActionFail(str(error)) from error
    known = {node: _read(variables, node) for node in {*options["web"], *options["office"]}}
    web = [known[node] for node in options["web"]]
    spaces = select([one for node in web for one in node.get("archipel_spaces", ())], only)
    skipped = [] if only else [one for node in web for one in node.get("archipel_skipped", ())]
    servers = {node: known[node].get("archipel_office_servers", ()) for node in options["office"]}
    mine = [one for one in skipped if one["web"] in options["web"]]
    services = [] if only else _names.list_services(servers, zone)
    return [*_names.list_spaces(spaces, mine, zone), *services], zone


def _read(variables: Variables, node: str) -> Variables:
    found: Variables = variables["hostvars"].raw_get(node)
    return found
