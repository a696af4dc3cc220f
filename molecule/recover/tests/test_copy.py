# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A copy of a space moves to the other node and back: it is kept in wherever it is."""

from __future__ import annotations

import json

import pytest

from tests.support.network import HELD, Network
from tests.support.sandbox import Programs
from tests.support.scenario import Scenario
from tools import scenario as scenarios

SOURCE, COPY = "velo-ecole", "velo-essai"
AGREED = ("-e", json.dumps({"consent": "Camille, by word of mouth"}), "-e", "by=nadia")
OF_COPY = ("-e", f"only={COPY}")
# What answers nobody here; what matters is whether a datagram leaves.
OUTSIDE = "192.0.2.1"
NODES = ("node1", "node2")


@pytest.fixture(scope="module")
def networks(scenario: Scenario) -> dict[str, Network]:
    """What spaces reach, by node."""
    machines = {"node1": scenario.machine, **scenarios.further("recover")}
    return {name: Network(Programs(machine)) for name, machine in machines.items()}


@pytest.fixture(scope="module")
def homes(scenario: Scenario) -> tuple[str, str]:
    """The node of the space, and the other one."""
    home = scenario.spaces[SOURCE]["web"]
    return home, next(node for node in NODES if node != home)


def kept_in(network: Network) -> bool:
    """Tell whether nothing leaves the copy for anywhere but itself."""
    outside = {network.udp(COPY, OUTSIDE, 53), network.tcp(COPY, OUTSIDE, 443)}
    return outside <= HELD and network.tcp(COPY, network.own_address(COPY), 443) == ""


def moved(scenario: Scenario, *options: str) -> None:
    """Run the playbook for the copy; whatever failed is shown."""
    results = scenario.attempt("move.yml", *OF_COPY, *options)
    assert {name: one for name, one in results.items() if one.get("failed")} == {}


def test_it_moves_without_its_space(
    scenario: Scenario, networks: dict[str, Network], homes: tuple[str, str]
):
    home, other = homes
    scenario.converge("clone.yml", "-e", f"only={SOURCE}", "-e", f"into={COPY}", *AGREED)
    assert kept_in(networks[home])
    moved(scenario, "-e", f"to={other}")
    place = scenario.spaces[COPY]
    assert (place["web"], place["db"]) == (other, other)
    assert scenario.spaces[SOURCE]["web"] == home
    assert kept_in(networks[other])
    assert networks[home].udp(SOURCE, OUTSIDE, 53) == ""


def test_it_is_not_made_again_where_its_space_is(scenario: Scenario, homes: tuple[str, str]):
    said = scenario.refusal("clone.yml", "-e", f"only={SOURCE}", "-e", f"into={COPY}")
    assert f"into: {COPY} has its place on {homes[1]}, {SOURCE} is on {homes[0]}" in said


def test_it_is_taken_back_to_a_firewall_that_has_forgotten_it(
    scenario: Scenario, networks: dict[str, Network], homes: tuple[str, str]
):
    home, _ = homes
    scenario.converge("spaces.yml")
    rules = "nft list table inet archipel_spaces"
    assert "@copies" not in networks[home].machine.execute(*rules.split())
    moved(scenario, "-e", "kept=restore", "-e", f"confirm={COPY}")
    assert scenario.spaces[COPY]["web"] == home
    assert kept_in(networks[home])


def test_it_goes(scenario: Scenario):
    scenario.converge("moderate.yml", *OF_COPY, "-e", "decision=close")
    scenario.converge("spaces.yml", *OF_COPY)
    moved(scenario, "-e", "kept=discard", "-e", f"confirm={COPY}")
    scenario.converge("purge.yml", *OF_COPY, "-e", "purge_pause=0")
    for name, machine in {"node1": scenario.machine, **scenarios.further("recover")}.items():
        for path in (f"/srv/spaces/{COPY}", f"/srv/spaces/.left-{COPY}"):
            assert machine.execute("sh", "-c", f"ls -d {path} || true") == "", f"{name}: {path}"
    scenario.registry(COPY).unlink()
    scenario.converge("spaces.yml")
    assert scenario.converge("spaces.yml") == []
