# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Two edges with a common address: one has it, and the other one when that does not answer."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator

import pytest
import yaml

from tests.support.cluster import ADDRESSES, Cluster
from tests.support.scenario import Scenario
from tools import scenario as scenarios
from tools.lab.host import until

SUITE = os.environ.get("ARCHIPEL_LAB_SUITE", "trixie")
SHARED, SLUG = "10.89.79.5", "velo-ecole"
EDGES = ("edge1", "edge2")


@pytest.fixture(scope="module", autouse=True)
def second(scenario: Scenario, cluster: Cluster) -> Iterator[None]:
    """One more edge, and an address for both."""
    machine = cluster.machines["edge2"]
    network = f"archipel-cluster={ADDRESSES['edge2']}"
    machine.up(SUITE, [":22", ":443"], network=network)
    path = scenario.environment / "nodes.yml"
    before = path.read_text(encoding="utf-8")
    nodes = yaml.safe_load(before)
    nodes["edge"]["hosts"]["edge2"] = {"archipel_addresses": [ADDRESSES["edge2"]]}
    nodes["edge"]["vars"] = {
        "edge_shared_addresses": [f"{SHARED}/24"],
        "edge_shared_interface": cluster.host("edge1").check_output(
            "ip -o -4 addr show to %s | cut -d' ' -f2", ADDRESSES["edge1"]
        ),
    }
    path.write_text(json.dumps(nodes), encoding="utf-8")
    reached = scenario.environment / "host_vars/edge2.yml"
    reached.write_text(json.dumps(scenarios.connection(machine)), encoding="utf-8")
    yield
    path.write_text(before, encoding="utf-8")


def holders(cluster: Cluster, *names: str) -> list[str]:
    """Return which of these edges have the address."""
    shown = "ip -o -4 addr show to %s"
    return [name for name in names if cluster.host(name).check_output(shown, SHARED)]


def answers(cluster: Cluster) -> bool:
    return cluster.space("db1", SLUG, address=SHARED, timeout=2).status == 200


def moved(cluster: Cluster, to: str) -> float:
    """Wait until one edge has the address and answers under it; return the seconds."""
    began = time.monotonic()
    until(30, f"{to} to have the address", lambda: holders(cluster, to) == [to])
    until(30, "an answer under it", lambda: answers(cluster))
    return time.monotonic() - began


def test_one_of_them_has_it_and_a_second_run_changes_nothing(scenario: Scenario, cluster: Cluster):
    assert scenario.converge("platform.yml") != []
    until(30, "an answer under it", lambda: answers(cluster))
    assert len(holders(cluster, *EDGES)) == 1
    assert scenario.converge("platform.yml") == []


@pytest.mark.parametrize("ended", ["haproxy", "machine"])
def test_the_other_one_has_it_when_it_ends(
    cluster: Cluster, ended: str, capsys: pytest.CaptureFixture[str]
):
    (first,) = holders(cluster, *EDGES)
    (other,) = {*EDGES} - {first}
    if ended == "machine":
        cluster.machines[first].kill()
    else:
        cluster.host(first).check_output("systemctl stop haproxy.service")
    try:
        seconds = moved(cluster, other)
    finally:
        if ended == "machine":
            cluster.machines[first].boot()
        else:
            cluster.host(first).check_output("systemctl start haproxy.service")
    with capsys.disabled():
        print(f"\n{ended} of {first}: {other} answered after {seconds:.1f} s")
    # Who has it keeps it: each exchange ends connections.
    time.sleep(10)
    assert holders(cluster, *EDGES) == [other]
    assert answers(cluster)


def test_edges_without_a_common_address_give_it_up(scenario: Scenario, cluster: Cluster):
    path = scenario.environment / "nodes.yml"
    nodes = json.loads(path.read_text(encoding="utf-8"))
    del nodes["edge"]["vars"]
    path.write_text(json.dumps(nodes), encoding="utf-8")
    assert scenario.converge("platform.yml", "--tags", "edge") != []
    assert holders(cluster, *EDGES) == []
    for name in EDGES:
        assert not cluster.host(name).service("keepalived").is_running
    assert scenario.converge("platform.yml", "--tags", "edge") == []
