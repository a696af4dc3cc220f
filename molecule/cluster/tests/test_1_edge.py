# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Names lead to the node of their space, and the node knows who asks."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.cluster import ADDRESSES, BASE, EDGE, HOLD, Cluster
from tests.support.registry import Registry
from tests.support.scenario import Scenario
from tools.lab.host import podman

OWN = "cloud.velo-ecole.example"
FORGED = "203.0.113.66"


def test_every_name_leads_to_the_node_of_its_space(scenario: Scenario, cluster: Cluster):
    served = {}
    for slug, space in scenario.in_status("approved").items():
        for name in space["domains"]:
            answer = cluster.ask("db1", name, f"/status.php/probe-{slug}")
            assert answer.status == 200, (name, answer)
        served[slug] = {node for node in ("web1", "web2") if cluster.logged(node, f"probe-{slug} ")}
    assert served == {s: {space["web"]} for s, space in scenario.in_status("approved").items()}
    assert {"web1", "web2"} == {space["web"] for space in scenario.spaces.values()}


def test_an_own_domain_is_one_of_them(cluster: Cluster):
    assert json.loads(cluster.ask("web2", OWN).text)["installed"] is True


def test_a_space_that_is_suspended_says_so_itself(cluster: Cluster):
    answer = cluster.space("db1", "theatre-du-quai", "/")
    assert (answer.status, "suspendu" in answer.text) == (503, True), answer


@pytest.mark.parametrize("name", [f"nobody.{BASE}", "elsewhere.example"])
def test_a_name_that_no_space_has_is_shown_no_certificate(cluster: Cluster, name: str):
    answer = cluster.ask("db1", name)
    assert answer.status == 0
    assert "Error" in answer.text
    assert "CERTIFICATE" not in answer.text


def test_plain_requests_are_led_to_the_encrypted_port(cluster: Cluster):
    host = f"velo-ecole.{BASE}"
    assert cluster.plain("db1", host, "/x?y=z") == (301, f"https://{host}/x?y=z")
    path = "/.well-known/acme-challenge/word"
    assert cluster.plain("db1", host, path)[0] == 404
    assert cluster.logged("web1", path), "the node of the space was asked"


class TestWhoAsks:
    def address(self, cluster: Cluster, word: str) -> str:
        (line,) = cluster.logged("web1", word)
        return line.split()[0]

    def test_is_known_through_the_edge(self, cluster: Cluster):
        cluster.space("web2", "velo-ecole", "/status.php/plain")
        assert self.address(cluster, "/status.php/plain ") == ADDRESSES["web2"]

    @pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded"])
    def test_is_not_what_a_client_says_of_itself(self, cluster: Cluster, header: str):
        value = f"for={FORGED}" if header == "Forwarded" else FORGED
        path = f"/status.php/forged-{header}"
        assert cluster.space("db1", "velo-ecole", path, headers={header: value}).status == 200
        assert self.address(cluster, f"{path} ") == ADDRESSES["db1"]

    def test_is_not_what_somebody_else_than_the_edge_says(self, cluster: Cluster):
        """PROXY protocol, sent to the very port that takes it from the edge."""
        preface = f"PROXY TCP4 {FORGED} 10.0.0.1 4711 443\r\n"
        path = "/status.php/forged-proxy"
        options = {"address": ADDRESSES["web1"], "port": 8443, "preface": preface}
        assert cluster.space("db1", "velo-ecole", path, **options).status == 200
        assert self.address(cluster, f"{path} ") == ADDRESSES["db1"]

    def test_comes_by_that_port_as_the_edge_does_or_not_at_all(self, cluster: Cluster):
        answer = cluster.space("db1", "velo-ecole", address=ADDRESSES["web1"], port=8443)
        assert answer.status == 0


@pytest.fixture(scope="class")
def before_the_node(scenario: Scenario) -> Iterator[None]:
    """It ends TLS: a header says who the client is."""
    given = {"nginx_proxy_port": 0, "nginx_proxy_addresses": []}
    given["nginx_forwarded_addresses"] = [ADDRESSES["db1"]]
    options = ("--tags", "nginx", "--limit", "web2")
    assert scenario.converge("platform.yml", *options, "-e", json.dumps(given)) != []
    yield
    scenario.converge("platform.yml", *options)


@pytest.fixture(scope="class")
def before_the_edge(scenario: Scenario) -> Iterator[None]:
    """It passes TLS through: it says so in front of the connection."""
    given = {"edge_trusted_proxies": [ADDRESSES["db1"]]}
    options = ("--tags", "edge", "--limit", "edge1")
    assert scenario.converge("platform.yml", *options, "-e", json.dumps(given)) != []
    yield
    scenario.converge("platform.yml", *options)


class TestSomebodyElsesProxy:
    """It is believed once it is named, and nobody beside it."""

    @pytest.mark.parametrize(
        ("client", "said", "counted"),
        [
            ("db1", FORGED, FORGED),
            # The client made up what stands before.
            ("db1", f"198.51.100.7, {FORGED}", FORGED),
            ("db1", f"{FORGED}, {ADDRESSES['db1']}", FORGED),
            ("web1", FORGED, ADDRESSES["web1"]),
        ],
    )
    def test_by_a_header(
        self, cluster: Cluster, before_the_node: None, client: str, said: str, counted: str
    ):
        path = f"/status.php/header-{client}-{said.replace(', ', '-')}"
        options = {"address": ADDRESSES["web2"], "headers": {"X-Forwarded-For": said}}
        assert cluster.space(client, "repair-cafe-brest", path, **options).status == 200
        (line,) = cluster.logged("web2", f"{path} ")
        assert line.split()[0] == counted

    def test_by_the_proxy_protocol(self, cluster: Cluster, before_the_edge: None):
        preface = f"PROXY TCP4 {FORGED} 10.0.0.1 4711 443\r\n"
        path = "/status.php/before-the-edge"
        assert cluster.space("db1", "velo-ecole", path, preface=preface).status == 200
        (line,) = cluster.logged("web1", f"{path} ")
        assert line.split()[0] == FORGED
        # It must say so; and others are no proxies, whatever they say.
        assert cluster.space("db1", "velo-ecole").status == 0
        assert cluster.space("web2", "velo-ecole", preface=preface).status == 0
        path = "/status.php/beside-it"
        assert cluster.space("web2", "velo-ecole", path).status == 200
        (line,) = cluster.logged("web1", f"{path} ")
        assert line.split()[0] == ADDRESSES["web2"]


class TestNames:
    NEW = "neu.velo-ecole.example"

    @pytest.fixture
    def given(self, registry: Registry):
        """One more domain, for the time of a test."""
        registry.give("velo-ecole", OWN, self.NEW)
        yield
        registry.give("velo-ecole", OWN)
        registry.converge()

    def test_are_exchanged_without_a_reload(
        self, scenario: Scenario, cluster: Cluster, registry: Registry, given: None
    ):
        # The local authority's certificate names the domains that it may sign: of the machines, the
        # space's own node has the new one.
        client = scenario.spaces["velo-ecole"]["web"]
        before = cluster.since("haproxy.service")
        assert cluster.ask(client, self.NEW).status == 0
        changes = registry.converge()
        exchanged = "exchange | Exchange the names that HAProxy routes by"
        assert [one.task for one in changes if one.task.endswith(exchanged)] != []
        assert cluster.ask(client, self.NEW).status == 200
        assert cluster.since("haproxy.service") == before
        # On disk for restarts as well.
        cluster.host("edge1").check_output("systemctl restart haproxy.service")
        assert cluster.ask(client, self.NEW).status == 200

    def test_that_are_gone_lead_nowhere(self, scenario: Scenario, cluster: Cluster):
        assert cluster.ask(scenario.spaces["velo-ecole"]["web"], self.NEW).status == 0
        assert cluster.ask("db1", OWN).status == 200


def test_a_client_that_floods_stops_nobody_else(cluster: Cluster):
    """It opens more connections than one client may; the next ones are refused."""
    machine = cluster.machines["db1"]
    given = f"number, address, port = 400, {EDGE!r}, 443\n"
    command = [*podman(), "exec", "-i", machine.container, "python3", "-c", f"{given}{HOLD}"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as flood:
        assert flood.stdin is not None
        assert flood.stdout is not None
        assert flood.stdout.readline() == "400\n"
        assert cluster.space("db1", "velo-ecole").status == 0
        other = cluster.space("web2", "velo-ecole")
        assert (other.status, other.seconds < 5) == (200, True), other
        flood.stdin.close()
    cluster.await_status("db1", "velo-ecole", 200, seconds=30)
