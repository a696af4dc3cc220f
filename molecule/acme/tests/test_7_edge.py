# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""An edge comes: it orders the wildcard, and challenges of own domains arrive through it."""

from __future__ import annotations

import json
import os

import pytest
import testinfra
import yaml

from tests.support import acme
from tests.support.acme import ANY, BASE, Authority, Certificates
from tests.support.registry import Registry
from tests.support.scenario import Scenario
from tools import ROOT
from tools import scenario as scenarios
from tools.lab.host import until
from tools.lab.machine import Machine

SLUG, NEW = "velo-ecole", "through-the-edge.velo-ecole.example"
ACCESS = "/var/log/nginx/access.log"
SUITE = os.environ.get("ARCHIPEL_LAB_SUITE", "trixie")


@pytest.fixture(scope="module")
def edge(scenario: Scenario, authority: Authority) -> Certificates:
    """One more machine, in the group edge of the inventory."""
    machine = Machine(acme.EDGE_NAME, ROOT / "build/lab" / acme.EDGE_NAME)
    machine.up(SUITE, [":22", ":443"], network=f"archipel-acme={acme.EDGE}")
    acme.introduce(machine, authority.run(f"cat {acme.TRUSTED}"))
    path = scenario.environment / "nodes.yml"
    nodes = yaml.safe_load(path.read_text(encoding="utf-8"))
    nodes["edge"] = {"hosts": {"edge1": {"archipel_addresses": [acme.EDGE]}}}
    path.write_text(json.dumps(nodes), encoding="utf-8")
    reached = scenario.environment / "host_vars/edge1.yml"
    reached.write_text(json.dumps(scenarios.connection(machine)), encoding="utf-8")
    url = f"ssh://{machine.name}?controlpersist=60"
    host = testinfra.get_host(url, ssh_config=str(machine.ssh_config))
    return Certificates(host, acme.EDGE)


def serial(node: Certificates) -> str:
    return node.host.check_output(
        "openssl x509 -noout -serial -in /etc/archipel/tls/wildcard/fullchain.pem"
    )


def test_it_takes_over_from_the_node_that_ordered(
    scenario: Scenario, first: Certificates, second: Certificates, edge: Certificates
):
    before = serial(first)
    assert scenario.converge("platform.yml") != []
    scenario.converge("spaces.yml")
    assert serial(edge) not in {"", before}
    for node in (first, second):
        node.settle()
        assert node.run() == "success"
        assert serial(node) == serial(edge)
    assert scenario.converge("platform.yml", "--tags", "certificates,nginx,edge") == []


def test_the_secret_of_the_dns_is_on_it_alone(
    scenario: Scenario, first: Certificates, second: Certificates, edge: Certificates
):
    path = scenario.environment / "group_vars/all/zzz-secret.yml"
    variables = json.loads(path.read_text())["certificates_acme_dns_environment"]
    looked = "grep -rlF -e %s /etc /var/lib/archipel /usr/local /root"
    found = {
        node.address: node.host.run(looked, variables["RFC2136_TSIG_SECRET"]).stdout.split()
        for node in (first, second, edge)
    }
    assert found == {
        first.address: [],
        second.address: [],
        edge.address: ["/etc/archipel/certificates.env"],
    }


def test_what_it_renews_the_others_fetch(
    first: Certificates, second: Certificates, edge: Certificates
):
    before = serial(edge)
    edge.let_end("wildcard")
    assert edge.run() == "success"
    assert serial(edge) != before
    for node in (first, second):
        assert node.run() == "success"
        assert serial(node) == serial(edge)


def test_a_challenge_of_an_own_domain_arrives_through_it(
    authority: Authority, first: Certificates, edge: Certificates, registry: Registry
):
    """The edge knows the name before its node does: the first pass has it, and nobody waits."""
    authority.lead(NEW, edge.address)
    registry.give(SLUG, NEW)
    assert registry.converge() != []
    until(300, "a pass to know the name", lambda: NEW in first.report())
    first.settle()
    assert first.problem(NEW) == ""
    shown = authority.shown(NEW, edge.address)
    assert (shown["names"], shown["trusted"]) == ({NEW}, True)
    asked = first.host.check_output("grep -F /.well-known/acme-challenge/ %s", ACCESS)
    assert f"{edge.address} " in asked


def test_a_space_that_moves_has_its_certificate_on_the_other_node(
    authority: Authority,
    scenario: Scenario,
    second: Certificates,
    edge: Certificates,
):
    results = scenario.attempt("move.yml", "-e", f"only={SLUG}", "-e", "to=node2")
    failed = {name: one.get("msg") for name, one in results.items() if one.get("failed")}
    assert failed == {}
    until(300, "a pass to know the name", lambda: NEW in second.report())
    second.settle()
    assert second.problem(NEW) == ""
    shown = authority.shown(NEW, edge.address)
    assert (shown["names"], shown["trusted"]) == ({NEW}, True)
    assert authority.shown(NEW, second.address)["serial"] == shown["serial"]
    below = authority.shown(f"{SLUG}.{BASE}", edge.address)
    assert below == authority.shown(ANY, second.address)
