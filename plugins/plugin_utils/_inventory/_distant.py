# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Databases on other nodes than the files: who reaches whom, and under which address. Pure."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import _clusters

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._placement import Place

# Database node → the web nodes that come to it over the network.
Clients = dict[str, list[str]]


class DatabaseAddresses(t.TypedDict):
    """archipel_database_addresses: node → address, and sentences about those that nobody knows."""

    servers: dict[str, str]
    clients: dict[str, str]
    problems: list[str]


def list_clients(
    places: Iterable[Place],
    web: Iterable[str],
    db: Iterable[str],
    roles: Mapping[str, _clusters.Role] | None = None,
) -> Clients:
    """Return who reaches each database node from elsewhere.

    Whoever has a space with its database there, and web nodes without a database of their own:
    the next space of those may have its database anywhere. Members of a cluster reach each other,
    and who comes to one may come to any: the next primary lets them in at once.
    """
    nodes = list(db)
    pairs = {(place.db, place.web) for place in places if place.db != place.web}
    pairs |= {(one, other) for other in web if other not in nodes for one in nodes}
    for name, role in (roles or {}).items():
        pairs |= {(name, other) for one, other in pairs if one == role["primary"]}
    pairs |= _clusters.list_pairs(roles or {})
    found: Clients = {}
    for one, other in sorted(pairs):
        if one in nodes:
            found.setdefault(one, []).append(other)
    return found


def find_hosts(names: Iterable[str], addresses: Mapping[str, list[str]]) -> dict[str, str]:
    """Return the address of each node that has one; IPv4 first, which needs no brackets."""
    usable = {name: _usable(addresses.get(name, ())) for name in names}
    return {name: found[0] for name, found in sorted(usable.items()) if found}


def _usable(addresses: Iterable[str]) -> list[str]:
    """Addresses that lead here from another node."""
    found = [one for one in addresses if not ipaddress.ip_address(one).is_loopback]
    return sorted(found, key=lambda one: ipaddress.ip_address(one).version)


def find_addresses(found: Clients, known: Mapping[str, list[str]]) -> DatabaseAddresses:
    """Return where databases are found, from where they are reached, and what nobody knows."""
    comers = {name for names in found.values() for name in names}
    return {
        "servers": find_hosts(found, known),
        "clients": find_hosts(comers, known),
        "problems": list(_problems(found, known)),
    }


def _problems(found: Clients, known: Mapping[str, list[str]]) -> Iterator[str]:
    """A sentence for each node that others would not find."""
    reasons = {
        name: _("spaces on it have databases on {node}", node=one)
        for one in found
        for name in found[one]
    }
    reasons |= {
        one: _("it has databases of spaces on {nodes}", nodes=", ".join(found[one]))
        for one in found
    }
    for name in sorted(reasons.keys() - find_hosts(reasons, known).keys()):
        text = _(
            "missing, and {reason}; allowed: its IP addresses as other nodes see them, such as "
            "[10.0.0.2]",
            reason=reasons[name],
        )
        yield f"host_vars/{name}.yml: archipel_addresses: {text}"
