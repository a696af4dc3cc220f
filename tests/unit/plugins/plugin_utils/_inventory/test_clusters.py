# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Database nodes that have the same databases."""

from __future__ import annotations

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import (
    _clusters,
    _distant,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._placement import Place
from tests.unit.environment import ROOT, Environment
from tests.unit.playbooks.test_check import check
from tests.unit.plugins.inventory.test_registry import own, seen

PAIR = {"db1": "main", "db2": "main"}
NODES = """\
web: {hosts: {web1: {ansible_host: 192.0.2.11}}}
db:
  vars: {archipel_database_cluster: main}
  hosts: {db1: {ansible_host: 192.0.2.12}, db2: {ansible_host: 192.0.2.13}}
"""


@pytest.mark.parametrize(
    ("databases", "primary", "replicas"),
    [
        # Nothing yet: the first one, however often it is asked.
        ([], "db1", ["db2"]),
        (["db1", "db1"], "db1", ["db2"]),
        # Promoted.
        (["db2"], "db2", ["db1"]),
        # Elsewhere.
        (["db9"], "db1", ["db2"]),
    ],
)
def test_placement_says_who_is_the_primary(databases: list[str], primary: str, replicas: list[str]):
    roles = _clusters.find_roles(PAIR, databases)
    for name in PAIR:
        assert roles[name] == {"cluster": "main", "primary": primary, "replicas": replicas}
    assert _clusters.list_replicas(roles) == dict.fromkeys(replicas, primary)


def test_clusters_know_nothing_of_each_other():
    members = {**PAIR, "db3": "other", "db4": "other", "db5": "other"}
    roles = _clusters.find_roles(members, ["db4"])
    assert _clusters.list_replicas(roles) == {"db2": "db1", "db3": "db4", "db5": "db4"}
    assert ("db1", "db3") not in _clusters.list_pairs(roles)
    assert ("db3", "db5") in _clusters.list_pairs(roles)


@pytest.mark.parametrize(
    ("members", "databases", "said"),
    [
        ({"db1": "main"}, [], "found main for db1 alone; allowed: two nodes or more"),
        ({**PAIR, "web1": "main"}, [], "found main for web1, which is not in the group db"),
        ({**PAIR, "both": "main"}, [], "found main for both, which is in the group web as well"),
        (PAIR, ["db2", "db1"], "placement.yml has databases on db1, db2 of the cluster main"),
    ],
)
def test_what_cannot_be_is_said(members: dict[str, str], databases: list[str], said: str):
    found = list(_clusters.check(members, databases, ["web1", "both"], ["db1", "db2", "both"]))
    assert len(found) == 1
    assert found[0].startswith(said)


def test_a_cluster_as_it_should_be_is_not_complained_of():
    assert list(_clusters.check(PAIR, ["db2"], ["web1"], ["db1", "db2"])) == []


def test_who_comes_to_the_primary_may_come_to_any_of_them():
    roles = _clusters.find_roles(PAIR, ["db1"])
    found = _distant.list_clients([Place(1, "n1", "db1")], ["n1"], ["n1", "db1", "db2"], roles)
    assert found == {"db1": ["db2", "n1"], "db2": ["db1", "n1"]}


class TestInventory:
    @pytest.fixture
    def pair(self, environment: Environment) -> Environment:
        (environment.root / "group_vars/all/00-baseline").symlink_to(ROOT / "group_vars/all")
        environment.policy(archipel_release=None, archipel_releases=None, archipel_offices=None)
        key = f"archipel_master_key: {'m' * 40}\n"
        (environment.root / "group_vars/all/key.yml").write_text(key)
        environment.write("nodes.yml", NODES)
        return environment

    def test_a_replica_gets_no_database_and_everything_to_take_over(self, pair: Environment):
        inventory = pair.load()
        assert [one["db"] for one in own(inventory, "web1", "archipel_spaces")] == ["db1"]
        assert own(inventory, "db2", "archipel_databases") == []
        assert own(inventory, "db2", "archipel_database_clients") == ["db1", "web1"]
        assert seen(inventory, "db2", "mariadb_client_addresses") == ["192.0.2.12", "192.0.2.11"]
        assert seen(inventory, "db2", "mariadb_listen_addresses") == ["127.0.0.1", "192.0.2.13"]
        nodes = seen(inventory, "web1", "archipel_report")["nodes"]
        assert [node["name"] for node in nodes] == ["web1", "db1"]

    def test_the_role_is_told_who_follows_whom(self, pair: Environment):
        inventory = pair.load()
        assert seen(inventory, "db1", "mariadb_replication_primary") == ""
        assert seen(inventory, "db1", "mariadb_replication_replicas") == ["192.0.2.13"]
        assert seen(inventory, "db2", "mariadb_replication_primary") == "192.0.2.12"
        assert seen(inventory, "db2", "mariadb_replication_replicas") == []
        numbers = {seen(inventory, name, "mariadb_replication_server_id") for name in PAIR}
        assert len(numbers) == 2
        assert all(0 < number < 2**32 for number in numbers)
        passwords = {seen(inventory, name, "mariadb_replication_password") for name in PAIR}
        assert len(passwords) == 1
        assert seen(inventory, "db2", "archipel_database_replica") is True
        assert seen(inventory, "db1", "archipel_database_replica") is False

    def test_the_lines_of_placement_turn_it_round(self, pair: Environment):
        pair.placement("velo-ecole: {id: 70000, web: web1, db: db2}")
        inventory = pair.load()
        assert seen(inventory, "db2", "mariadb_replication_primary") == ""
        assert seen(inventory, "db1", "mariadb_replication_primary") == "192.0.2.13"
        assert own(inventory, "db1", "archipel_databases") == []

    def test_without_a_cluster_nothing_is_different(self, pair: Environment):
        pair.write(
            "nodes.yml", NODES.replace("vars: {archipel_database_cluster: main}", "vars: {}")
        )
        inventory = pair.load()
        assert own(inventory, "db1", "archipel_database_role") == {}
        assert seen(inventory, "db1", "mariadb_replication_replicas") == []
        assert seen(inventory, "db2", "mariadb_replication_primary") == ""
        assert seen(inventory, "db1", "mariadb_replication_password") == ""

    @pytest.mark.parametrize(
        ("before", "after", "said"),
        [
            ("main}", "Main Cluster}", "archipel_database_cluster: found"),
            ("main}", "7}", 'archipel_database_cluster: found "7"'),
            (", db2: {ansible_host: 192.0.2.13}", "", "found main for db1 alone"),
        ],
    )
    def test_a_wrong_one_ends_the_run(self, pair: Environment, before: str, after: str, said: str):
        pair.write("nodes.yml", NODES.replace(before, after))
        code, found = check(pair)
        assert code != 0
        assert said in found
