# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Databases on other nodes than the files."""

from __future__ import annotations

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import _distant
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._placement import Place
from tests.unit.environment import ROOT, Environment
from tests.unit.playbooks.test_check import built, check
from tests.unit.plugins.inventory.test_registry import own, seen

THREE = """\
web: {hosts: {web1: {ansible_host: 192.0.2.11}}}
db: {hosts: {db1: {ansible_host: 192.0.2.12}}}
office: {hosts: {office1: {ansible_host: 192.0.2.13}}}
"""


@pytest.mark.parametrize(
    ("places", "web", "db", "expected"),
    [
        ([], ["n1"], ["n1"], {}),
        ([], ["n1", "n2"], ["n1", "n2"], {}),
        ([Place(1, "n1", "n1")], ["n1"], ["n1"], {}),
        # A node without a database of its own will need one elsewhere.
        ([], ["w1", "w2"], ["d1"], {"d1": ["w1", "w2"]}),
        ([], ["n1", "w1"], ["n1"], {"n1": ["w1"]}),
        # A space that was moved halfway.
        ([Place(1, "n1", "n2")], ["n1", "n2"], ["n1", "n2"], {"n2": ["n1"]}),
        # Both, and a node that is gone.
        ([Place(1, "w1", "old")], ["w1"], ["d1"], {"d1": ["w1"]}),
    ],
)
def test_who_reaches_whom(places: list[Place], web: list[str], db: list[str], expected: object):
    assert _distant.list_clients(places, web, db) == expected


def test_an_address_of_the_node_itself_is_none():
    addresses = {"a": ["127.0.0.1", "::1"], "b": ["fd00::2", "10.0.0.2"], "c": []}
    assert _distant.find_hosts(["a", "b", "c", "d"], addresses) == {"b": "10.0.0.2"}


class TestThreeNodes:
    @pytest.fixture
    def three(self, environment: Environment) -> Environment:
        (environment.root / "group_vars/all/00-baseline").symlink_to(ROOT / "group_vars/all")
        environment.policy(archipel_release=None, archipel_releases=None, archipel_offices=None)
        environment.write("nodes.yml", THREE)
        return environment

    def test_need_no_more_than_their_addresses(self, three: Environment):
        inventory = three.load()
        assert own(inventory, "db1", "archipel_database_clients") == ["web1"]
        assert seen(inventory, "web1", "archipel_database_addresses") == {
            "servers": {"db1": "192.0.2.12"},
            "clients": {"web1": "192.0.2.11"},
            "problems": [],
        }
        code, said = check(three)
        assert code == 0, said
        config = (built(three) / "web1/config/velo-ecole.php").read_text()
        assert "'dbhost' => '192.0.2.12'" in config
        statements = (built(three) / "db1/database/velo-ecole.sql").read_text()
        assert "@'192.0.2.11'" in statements

    def test_and_then_the_server_is_on_the_network_with_tls_there(self, three: Environment):
        inventory = three.load()
        assert seen(inventory, "db1", "mariadb_listen_addresses") == ["127.0.0.1", "192.0.2.12"]
        assert seen(inventory, "web1", "mariadb_listen_addresses") == []
        assert seen(inventory, "db1", "mariadb_client_addresses") == ["192.0.2.11"]
        assert seen(inventory, "web1", "mariadb_client_addresses") == []
        assert seen(inventory, "db1", "mariadb_tls_certificate").endswith("database/fullchain.pem")
        (request,) = (
            one
            for one in seen(inventory, "db1", "certificates_requests")
            if one["name"] == "database"
        )
        assert request["domains"] == ["192.0.2.12"]

    def test_all_that_have_no_address_are_named_at_once(self, three: Environment):
        names = THREE.replace("192.0.2.11", "web1.example").replace("192.0.2.12", "127.0.0.1")
        three.write("nodes.yml", names)
        code, said = check(three)
        assert code != 0
        for name, why in (("db1", "it has databases of spaces on web1"),
                          ("web1", "spaces on it have databases on db1")):  # fmt: skip
            assert f"host_vars/{name}.yml: archipel_addresses: missing, and {why}; allowed" in said

    def test_one_node_needs_none(self, environment: Environment):
        inventory = environment.load()
        assert own(inventory, "node1", "archipel_database_clients") == []
