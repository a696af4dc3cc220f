# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the spaces of a node may reach in private networks, from the policy and the inventory."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Unchecked

# The parts of a platform that spaces call by their public names.
CALLED = ("office", "talk")
MAIL_PORT = 25
DATABASE_PORT = 3306


class Service(t.TypedDict):
    """What spaces may reach: a host or address, port numbers, tcp or udp."""

    host: str
    ports: list[int]
    protocol: str


def list_services(
    parts: t.Mapping[str, t.Sequence[str]],
    own: t.Iterable[str],
    relay: Unchecked,
    databases: t.Mapping[str, str],
    https_port: int,
    others: t.Iterable[Unchecked],
) -> list[Service]:
    """Return every service, in an order of its own, each once.

    Args:
        parts: part of the platform -> addresses of its nodes.
        own: this node's own addresses; its database is reached by a socket.
        relay: the mail relay; empty, where there is none.
        databases: database node -> the host that spaces know it by.
        https_port: the port that people use.
        others: what else the policy names.

    """
    mine = set(own)
    found = [
        _service(one, sorted({443, https_port}))
        for part in CALLED
        for one in parts.get(part, ())
        if not _is_loopback(one)
    ]
    servers = [one for one in parts.get("db", ()) if one not in mine and not _is_loopback(one)]
    found += [_service(one, [DATABASE_PORT]) for one in (*servers, *databases.values())]
    if relay:
        found.append(_service(relay["host"], [relay.get("port", MAIL_PORT)]))
    found += [_service(one["host"], one["ports"], one.get("protocol", "tcp")) for one in others]
    unique = {(one["host"], one["protocol"], tuple(one["ports"])): one for one in found}
    return [unique[key] for key in sorted(unique)]


def _service(host: str, ports: t.Iterable[int], protocol: str = "tcp") -> Service:
    return {"host": str(host), "ports": [int(port) for port in ports], "protocol": protocol}


def _is_loopback(host: str) -> bool:
    """Return whether the inventory calls a node by its own loopback, which others cannot."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
