# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Office suites as data: who is served by which, and a suite nobody has heard of just works."""

from __future__ import annotations

import typing as t

import pytest
import yaml

from ansible_collections.archipel.spaces.plugins.filter.office_problems import office_problems
from ansible_collections.archipel.spaces.plugins.filter.office_refused import office_refused
from ansible_collections.archipel.spaces.plugins.filter.office_tenants import office_tenants
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import _offices
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._offices import (
    Offices,
    Server,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._render import _connectors
from tests.unit.environment import ROOT, Environment

KEY = "a master key of more than thirty-two characters"
# The longest name of a shard.
LONGEST = "o" * 20
CATALOGUE = yaml.safe_load((ROOT / "group_vars/all/applications.yml").read_text(encoding="utf-8"))[
    "archipel_office_suites"
]
# A suite that no code knows.
DUMMY: dict[str, t.Any] = {
    "name": "Bureau imaginaire",
    "application": "imaginary",
    "role": "example.spaces.imaginary",
    "host": "{shard}.{domain}",
    "settings": {"server": "{url}/api", "on": True, "hosts": ["{space_host}"]},
    "config": {"imaginary": {"key": "{secret}", "from": "{addresses}"}},
}
SUITES = {**CATALOGUE, "imaginary": DUMMY}
NODES = """\
web: {hosts: {node1: {ansible_host: 192.0.2.11}}}
db: {hosts: {node1: {}}}
office:
  hosts:
    office1:
      ansible_host: 198.51.100.21
      archipel_office_shards:
        - {name: collabora1, suite: collabora}
        - {name: onlyoffice1, suite: onlyoffice, port: 8001}
        - {name: onlyoffice2, suite: onlyoffice, port: 8002, connections: 50}
"""


@pytest.fixture
def served(environment: Environment) -> Environment:
    """An environment with an office node and three spaces."""
    environment.write("nodes.yml", NODES)
    environment.policy(archipel_office_suites=SUITES)
    environment.space("amap", domains=["amap.example"])
    environment.space("quai", status="suspended", decision={**DECIDED})
    return environment


DECIDED = {"by": "moderation", "on": "2024-05-30", "reason": "why"}


@pytest.mark.parametrize(
    ("domain", "server"),
    [
        ("collabora1.office.example.net", "collabora1"),
        ("quai.onlyoffice1.office.example.net", "onlyoffice1"),
    ],
)
def test_the_host_of_an_office_server_is_no_domain_of_a_space(
    served: Environment, domain: str, server: str
):
    """On the same node the order of files would decide for which of the two nginx answers."""
    elsewhere = {
        name: {**suite, "host": suite["host"].replace("{domain}", "office.example.net")}
        for name, suite in SUITES.items()
        if "host" in suite
    }
    served.policy(archipel_office_suites=elsewhere)
    served.space("amap", domains=["cloud.office.example.net", domain])
    (problem,) = served.problems()
    assert problem.startswith(f'spaces/amap.yml:13: domains.1: found "{domain}", which is the host')
    assert problem.endswith(
        f"of the office server {server}; allowed: names of the association; take it out here"
    )


class TestInventory:
    def test_a_space_finds_a_server_of_each_suite(self, served: Environment):
        spaces = served.load().get_host("node1").vars["archipel_spaces"]
        servers = {space["slug"]: space["office_servers"] for space in spaces}
        assert servers["amap"]["collabora"] == {
            "shard": "collabora1",
            "host": "collabora1.spaces.example.org",
            "url": "https://collabora1.spaces.example.org",
            "addresses": ["198.51.100.21"],
            "rotation": 0,
        }
        # A name for each space, on the shard with the fewest of them.
        assert {one["onlyoffice"]["host"] for one in servers.values()} == {
            "amap.onlyoffice1.spaces.example.org",
            "quai.onlyoffice2.spaces.example.org",
            "velo-ecole.onlyoffice1.spaces.example.org",
        }

    def test_a_node_knows_its_servers_and_their_spaces(self, served: Environment):
        own = served.load().get_host("office1").vars
        assert own["archipel_office_servers"][1] == {
            "name": "onlyoffice1",
            "suite": "onlyoffice",
            "port": 8001,
            "connections": 20,
            "host": "onlyoffice1.spaces.example.org",
            "domain": "*.onlyoffice1.spaces.example.org",
        }
        assert own["archipel_office_servers"][0]["domain"] == "collabora1.spaces.example.org"
        assert own["archipel_office_spaces"][0] == {
            "slug": "amap",
            "hosts": ["amap.spaces.example.org", "amap.example"],
            "suite": "collabora",
            "shard": "collabora1",
            "host": "collabora1.spaces.example.org",
            "rotation": 0,
        }
        assert len(own["archipel_office_spaces"]) == 6

    def test_the_lock_file_says_so_and_keeps_it(self, served: Environment):
        served.placement(
            "amap: {id: 70000, web: node1, db: node1, office: {onlyoffice: onlyoffice2}}"
        )
        inventory = served.load()
        pending = inventory.groups["nodes"].vars["archipel_placement"]["pending"]
        assert pending["amap"]["office"] == {"collabora": "collabora1", "onlyoffice": "onlyoffice2"}

    def test_the_report_names_load_and_capacity(self, served: Environment):
        report = served.load().groups["nodes"].vars["archipel_report"]["offices"]
        assert [(one["name"], one["spaces"], one["connections"]) for one in report] == [
            ("collabora1", 3, None),
            ("onlyoffice1", 2, 20),
            ("onlyoffice2", 1, 50),
        ]

    def test_a_third_suite_is_data(self, served: Environment):
        """Catalogue, offer and shard: nothing else, and the whole chain knows it."""
        shard = "        - {name: imaginary1, suite: imaginary}\n"
        served.write("nodes.yml", NODES + shard)
        served.policy(
            archipel_office_suites=SUITES,
            archipel_offices=["collabora", "onlyoffice", "imaginary"],
        )
        served.space("velo-ecole", office="imaginary")
        inventory = served.load()
        assert inventory.get_host("office1").vars["archipel_office_servers"][-1]["suite"] == (
            "imaginary"
        )
        space = inventory.get_host("velo-ecole").vars["space"]
        config, settings = _connectors.configure(space, SUITES, KEY)
        url = "https://imaginary1.spaces.example.org"
        assert settings["imaginary"] == {
            "server": f"{url}/api",
            "on": True,
            "hosts": ["velo-ecole.spaces.example.org"],
        }
        served_ = inventory.get_host("office1").vars["archipel_office_spaces"]
        tenants = {one["slug"]: one for one in office_tenants(served_, "imaginary", KEY)}
        assert config["imaginary"] == {
            "key": tenants["velo-ecole"]["secret"],
            "from": "198.51.100.21",
        }

    def test_a_space_with_errors_keeps_its_place(self, served: Environment):
        served.placement(
            "amap: {id: 70000, web: node1, db: node1, "
            "office: {collabora: collabora1, onlyoffice: onlyoffice2}}"
        )
        served.options(on_invalid="skip")
        served.space("amap", ring="tomorrow")
        known = served.load().get_host("office1").vars["archipel_office_spaces"]
        assert [(one["suite"], one["shard"]) for one in known if one["slug"] == "amap"] == [
            ("collabora", "collabora1"),
            ("onlyoffice", "onlyoffice2"),
        ]

    def test_a_closed_space_is_served_no_more(self, served: Environment):
        served.placement("amap: {id: 70000, web: node1, db: node1}")
        served.space("amap", status="closed", closed_on="2024-06-30", decision={**DECIDED})
        known = served.load().get_host("office1").vars["archipel_office_spaces"]
        assert "amap" not in {one["slug"] for one in known}

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ("suite: collabora}", "suite: colabora}", 'unknown suite "colabora"; allowed'),
            ("suite: collabora}", "suite: colabora}", 'Did you mean "collabora"?'),
            ("        - {name: collabora1, suite: collabora}\n", "", "collabora has no server"),
            ("name: onlyoffice2", "name: onlyoffice1", "the name onlyoffice1 is on office1"),
            ("name: collabora1", "name: Collabora_1", "allowed: 2 to 20 lower-case letters"),
            ("name: onlyoffice2", f"name: {LONGEST}x", f'found the name "{LONGEST}x"; allowed: 2'),
            ("name: onlyoffice2", "name: o", 'found the name "o"; allowed: 2 to 20'),
            ("name: onlyoffice2", "name: office-", "a letter first and no hyphen last"),
            ("port: 8001", "port: none", 'found the port "none" of onlyoffice1'),
            ("port: 8001", "prot: 8001", "allowed: name, suite, port, connections"),
            ("name: collabora1", "name: amap", 'the slug "amap" is the name of an office server'),
            ("198.51.100.21", "office1.example", "archipel_addresses: missing for office1"),
            (
                "ansible_host: 198.51.100.21",
                "archipel_addresses: [office1.example]",
                "allowed: an IP address of the node",
            ),
        ],
    )
    def test_what_is_wrong_is_said(self, served: Environment, old: str, new: str, said: str):
        assert old in NODES
        served.write("nodes.yml", NODES.replace(old, new))
        problems = served.problems()
        assert any(said in problem for problem in problems), problems

    def test_the_longest_name_is_taken(self, served: Environment):
        served.write("nodes.yml", NODES.replace("name: onlyoffice2", f"name: {LONGEST}"))
        servers = served.load().get_host("office1").vars["archipel_office_servers"]
        assert LONGEST in {one["name"] for one in servers}

    def test_a_server_that_is_gone_is_not_replaced_silently(self, served: Environment):
        served.placement("amap: {id: 70000, web: node1, db: node1, office: {collabora: old}}")
        [problem] = served.problems()
        assert problem.startswith('placement.yml:5: amap: the collabora server "old" is gone')
        assert 'take "collabora: old" out of this line' in problem

    def test_a_rotation_of_a_space_that_is_not_there(self, served: Environment):
        served.policy(archipel_office_suites=SUITES, archipel_office_rotations={"amapp": 1})
        [problem] = served.problems()
        assert 'there is no file of a space amapp. Did you mean "amap"?' in problem

    def test_without_servers_nothing_is_wired(self, environment: Environment):
        environment.policy(archipel_office_suites=SUITES)
        space = environment.load().get_host("velo-ecole").vars["space"]
        assert space["office_servers"] == {}
        assert _connectors.configure(space, SUITES, KEY) == ({}, {})


def test_servers_take_the_suites_limit_unless_they_name_one():
    declared: t.Any = {
        "n": [{"name": "o1", "suite": "onlyoffice"}, {"name": "c1", "suite": "collabora"}]
    }
    assert _offices.read_servers(declared, CATALOGUE) == [
        Server("o1", "onlyoffice", "n", None, 20),
        Server("c1", "collabora", "n", None, None),
    ]
    assert Offices().shards(["collabora"]) == []


def test_nodes_left_out_are_named():
    servers = [
        {"name": "c1", "node": "a"},
        {"name": "o1", "node": "a"},
        {"name": "o2", "node": "b"},
    ]
    hostvars = {"a": {"playbook_office_problem": "Install it: no."}, "b": {"x": True, "y": True}}
    assert office_problems(servers, hostvars, ["x", "y"]) == [
        "a: its office servers (c1, o1) were not converged; everything else was. Install it: no."
    ]
    [silent] = office_problems(servers[2:], {"b": {"x": True}}, ["x", "y"])
    assert silent.endswith("The node does not answer.")


def test_spaces_that_a_suite_held_back_are_named_whatever_the_suite():
    hostvars = {"a": {"imaginary_refused": {"velo": "why"}, "others": {"amap": "no"}}, "b": {}}
    assert office_refused(hostvars, SUITES, ["a", "b"]) == {"velo": "why"}
    assert office_refused(hostvars, {"x": {"name": "X", "application": "x"}}, ["a", "b"]) == {}
