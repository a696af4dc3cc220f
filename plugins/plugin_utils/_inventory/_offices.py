# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Office servers, and which of them serves which space. Pure.

A suite is an entry of archipel_office_suites and a role. Nothing here knows one by name.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, field

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._placeholders import fill
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._placement import Shard

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import (
        Client,
        DeclaredShard,
        OfficeServer,
        ServedSpace,
        ServerLoad,
        ServerOfNode,
        Suite,
    )
    from ansible_collections.archipel.spaces.plugins.plugin_utils._policy._policy import Policy

# Spaces whose people may edit, now or as soon as a run ends.
SERVED = frozenset({"approved", "suspended"})


@dataclass(frozen=True, slots=True)
class Server:
    """One shard: where it runs, and how it is reached."""

    name: str
    suite: str
    node: str
    port: int | None = None
    # People who may edit at the same time, where the suite limits them.
    connections: int | None = None


@dataclass(frozen=True, slots=True)
class Offices:
    """The office servers of an environment; none: connectors are switched, and lead nowhere."""

    servers: tuple[Server, ...] = ()
    suites: t.Mapping[str, Suite] = field(default_factory=dict)
    # Node -> the addresses other nodes see it come from.
    addresses: t.Mapping[str, t.Sequence[str]] = field(default_factory=dict)
    # Slug -> how often its secrets for office servers were changed.
    rotations: t.Mapping[str, int] = field(default_factory=dict)

    def shards(self, offered: t.Container[str]) -> list[Shard]:
        """Those that spaces are placed on."""
        return [Shard(one.name, one.suite) for one in self.servers if one.suite in offered]

    def host(self, server: Server, slug: str, policy: Policy) -> str:
        """The name under which a shard answers a space: its own, or one for each space."""
        values = {"shard": server.name, "slug": slug, "domain": policy.base_domain}
        return str(fill(self.suites[server.suite]["host"], values))

    def list_hosts(self, policy: Policy) -> dict[str, str]:
        """Host name → its shard; `*.` before one that has a name for each space."""
        return {self.host(server, "*", policy): server.name for server in self.servers}

    def serving(
        self, slug: str, office: t.Mapping[str, str], policy: Policy
    ) -> dict[str, OfficeServer]:
        """For each suite offered, where this space finds it; what the lock names is used."""
        found: dict[str, OfficeServer] = {}
        for server in self.servers:
            if server.suite in policy.offices and office.get(server.suite) == server.name:
                host = self.host(server, slug, policy)
                found[server.suite] = {
                    "shard": server.name,
                    "host": host,
                    "url": f"https://{host}{policy.port_suffix}",
                    "addresses": list(self.addresses.get(server.node, ())),
                    "rotation": self.rotations.get(slug, 0),
                }
        return found


def read_servers(
    declared: t.Mapping[str, t.Sequence[DeclaredShard]], suites: t.Mapping[str, Suite]
) -> list[Server]:
    """Return the servers of node -> archipel_office_shards, which nothing is wrong with."""
    return [
        Server(one["name"], one["suite"], node, one.get("port"), _connections(one, suites))
        for node, shards in declared.items()
        for one in shards
    ]


def _connections(shard: DeclaredShard, suites: t.Mapping[str, Suite]) -> int | None:
    return shard.get("connections") or suites[shard["suite"]].get("connections")


def list_servers(node: str, offices: Offices, policy: Policy) -> list[ServerOfNode]:
    """Return the shards of one node, complete: archipel_office_servers."""
    found: list[ServerOfNode] = []
    for one in offices.servers:
        if one.node == node:
            # A name for each space is a wildcard in the certificate.
            domain = offices.host(one, "*", policy)
            found.append(
                {
                    "name": one.name,
                    "suite": one.suite,
                    "port": one.port,
                    "connections": one.connections,
                    "host": domain.removeprefix("*."),
                    "domain": domain,
                }
            )
    return found


def list_served(node: str, entries: t.Iterable[Client], offices: Offices) -> list[ServedSpace]:
    """Return what a node's office servers must know of spaces: archipel_office_spaces."""
    nodes = {one.name: one.node for one in offices.servers}
    return [
        {
            "slug": entry["slug"],
            "hosts": list(entry["domains"]),
            "suite": suite,
            "shard": server["shard"],
            "host": server["host"],
            "rotation": server["rotation"],
        }
        for entry in entries
        if entry["status"] in SERVED
        for suite, server in entry["office_servers"].items()
        if nodes[server["shard"]] == node
    ]


def count_load(entries: t.Iterable[Client], offices: Offices) -> list[ServerLoad]:
    """Return each shard with its load: spaces that may use it, and people who may edit at once."""
    spaces = Counter(
        server["shard"]
        for entry in entries
        if entry["status"] in SERVED
        for server in entry["office_servers"].values()
    )
    return [
        {
            "name": one.name,
            "suite": one.suite,
            "node": one.node,
            "spaces": spaces[one.name],
            "connections": one.connections,
        }
        for one in offices.servers
    ]
