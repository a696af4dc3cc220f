# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Database nodes that have the same databases: which one is the primary, and who follows it. Pure.

placement.yml says it: the primary is the node that databases of spaces are on. What makes another
node the primary changes these lines, and everything else follows from them.
"""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

NAME = "archipel_database_cluster"
# Node → the name of its cluster, in the order of nodes.yml.
Members = t.Mapping[str, str]


class Role(t.TypedDict):
    """archipel_database_role of a node of a cluster; of any other, it is empty."""

    cluster: str
    primary: str
    # All but the primary.
    replicas: list[str]


def find_roles(members: Members, databases: Collection[str]) -> dict[str, Role]:
    """Return the role of each member.

    Args:
        members: see Members.
        databases: the node of each database that is placed.

    """
    taken = set(databases)
    roles: dict[str, Role] = {}
    for cluster, names in _by_cluster(members).items():
        # Where there are no databases yet, the first one.
        primary = next((name for name in names if name in taken), names[0])
        replicas = [name for name in names if name != primary]
        roles |= {
            name: {"cluster": cluster, "primary": primary, "replicas": replicas} for name in names
        }
    return roles


def list_replicas(roles: Mapping[str, Role]) -> dict[str, str]:
    """Return replica → its primary: no space has its database there."""
    return {name: role["primary"] for name, role in roles.items() if name != role["primary"]}


def list_pairs(roles: Mapping[str, Role]) -> set[tuple[str, str]]:
    """Return which member is reached by which other one: whoever is the primary later on, too."""
    return {
        (name, other)
        for name, role in roles.items()
        for other in (role["primary"], *role["replicas"])
        if other != name
    }


def check(
    members: Members, databases: Iterable[str], web: Collection[str], db: Collection[str]
) -> Iterator[str]:
    """Yield a sentence for everything that is wrong."""
    for name, cluster in members.items():
        if name not in db:
            yield _(
                "found {cluster} for {node}, which is not in the group db; allowed: on database "
                "nodes alone",
                cluster=cluster,
                node=name,
            )
        elif name in web:
            yield _(
                "found {cluster} for {node}, which is in the group web as well; allowed: on nodes "
                "with databases alone, whose spaces reach them from elsewhere, whichever is the "
                "primary",
                cluster=cluster,
                node=name,
            )
    taken = set(databases)
    for cluster, names in _by_cluster(members).items():
        if len(names) == 1:
            yield _(
                "found {cluster} for {node} alone; allowed: two nodes or more of one cluster",
                cluster=cluster,
                node=names[0],
            )
        if len(having := [name for name in names if name in taken]) > 1:
            yield _(
                "placement.yml has databases on {nodes} of the cluster {cluster}; allowed: on one "
                "of its nodes, which the others follow. Move them to one node, or take the other "
                "out of the cluster",
                nodes=", ".join(having),
                cluster=cluster,
            )


def _by_cluster(members: Members) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, cluster in members.items():
        found.setdefault(cluster, []).append(name)
    return found
