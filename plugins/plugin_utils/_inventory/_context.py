# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the rules compare the files of a registry with: read from the environment around it."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import mark
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    Problem,
    RegistryError,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Unchecked
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import (
    _clusters,
    _lock_file,
    _nodes,
    _office_rules,
    _offices,
    _rules,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._policy import _policy
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import (
    _contacts,
    _ledger,
)

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.plugin_utils._registry._environment import (
        Environment,
    )


def read(nodes: _nodes.Nodes, environment: Environment) -> _rules.RuleContext:
    """Read the policy, the nodes and their office servers, the lock file and the ledger.

    Raises:
        RegistryError: something is wrong with one of them.
    """
    values = _read_policy(nodes)
    policy = _policy.Policy.from_vars(values)
    offices = _read_offices(nodes, policy, values)
    lock = _lock_file.read_lock(environment.lock)
    servers = dict.fromkeys((server.name for server in offices.servers), mark("an office server"))
    return _rules.RuleContext(
        policy=policy,
        offices=offices,
        lock=lock,
        lock_path=str(environment.lock),
        web=nodes.homes("web"),
        db=nodes.homes("db"),
        # The servers' host names are theirs alone.
        names={**nodes.taken_names(), **servers},
        today=datetime.datetime.now(tz=datetime.UTC).date(),
        contacts=_contacts.read(environment.contacts, nodes.vault),
        purged=_ledger.list_purged(_ledger.read(environment.ledger)),
        roles=_read_roles(nodes, [place.db for place in lock.spaces.values()]),
    )


def _read_roles(nodes: _nodes.Nodes, databases: list[str]) -> dict[str, _clusters.Role]:
    """Return which database nodes have the databases of others, and who is the primary.

    Raises:
        RegistryError: that cannot be, with all that is wrong.

    """
    members = nodes.clusters()
    web, db = ([str(host.name) for host in nodes.members(part)] for part in ("web", "db"))
    if found := list(_clusters.check(members, databases, web, db)):
        raise RegistryError([Problem(nodes.path, text, key=_clusters.NAME) for text in found])
    return _clusters.find_roles(members, databases)


def _read_policy(nodes: _nodes.Nodes) -> Unchecked:
    """Return what the inventory needs of the policy, once nothing is wrong with any of it.

    Raises:
        RegistryError: it is wrong, with all that is.

    """
    declared = nodes.declared()
    problems = _policy.check_declared(declared, nodes.evaluate)
    values = nodes.policy(_policy.NAMES)
    problems += _policy.check(values, str(nodes.root / "group_vars" / "all"), declared)
    if problems:
        raise RegistryError(dict.fromkeys(problems))
    return values


def _read_offices(
    nodes: _nodes.Nodes, policy: _policy.Policy, values: Unchecked
) -> _offices.Offices:
    """Return the office servers of the nodes.

    Raises:
        RegistryError: they are wrong, with all that is.

    """
    suites = values.get("archipel_office_suites", {})
    declared, addresses = nodes.shards(), nodes.addresses("office", "web")
    found = _office_rules.check(declared, suites, policy.offices, addresses)
    problems = [Problem(nodes.path, text, key=key) for key, text in found]
    if problems:
        raise RegistryError(problems)
    return _offices.Offices(
        servers=tuple(_offices.read_servers(declared, suites)),
        suites=suites,
        addresses=addresses,
        rotations=values.get("archipel_office_rotations", {}),
    )
