# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A third web node: nothing moves because of it, and what is new comes to it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.cluster import ADDRESSES, Cluster
from tests.support.scenario import Scenario
from tools import scenario as scenarios

SUITE = os.environ.get("ARCHIPEL_LAB_SUITE", "trixie")
NEW = "chorale-des-halles"
FILE = Path(__file__).parents[2] / f"shared/ninth/{NEW}.yml"


@pytest.fixture(scope="module", autouse=True)
def third(scenario: Scenario, cluster: Cluster) -> Iterator[None]:
    """One more machine, known to the inventory."""
    machine = cluster.machines["web3"]
    network = f"archipel-cluster={ADDRESSES['web3']}"
    machine.up(SUITE, [":22", ":443"], network=network)
    path = scenario.environment / "nodes.yml"
    before = path.read_text(encoding="utf-8")
    nodes = yaml.safe_load(before)
    nodes["web"]["hosts"]["web3"] = {"archipel_addresses": [ADDRESSES["web3"]]}
    path.write_text(json.dumps(nodes), encoding="utf-8")
    reached = scenario.environment / "host_vars/web3.yml"
    reached.write_text(json.dumps(scenarios.connection(machine)), encoding="utf-8")
    yield
    path.write_text(before, encoding="utf-8")


def test_nothing_moves_because_of_it(scenario: Scenario, cluster: Cluster):
    lock = scenario.registry_folder / "placement.yml"
    before = lock.read_text(encoding="utf-8")
    scenario.converge("platform.yml")
    assert scenario.converge("spaces.yml")
    assert lock.read_text(encoding="utf-8") == before
    assert {space["web"] for space in scenario.spaces.values()} == {"web1", "web2"}
    for slug in scenario.in_status("approved"):
        assert cluster.space("db1", slug).status == 200


def test_a_new_space_comes_to_it_and_the_edge_leads_there(
    scenario: Scenario, cluster: Cluster, capsys: pytest.CaptureFixture[str]
):
    scenario.registry(NEW).write_bytes(FILE.read_bytes())
    before = cluster.since("haproxy.service")
    began = time.monotonic()
    scenario.converge("spaces.yml")
    assert cluster.space("db1", NEW, "/status.php/new").status == 200
    with capsys.disabled():
        print(f"\napproved, and answered through the edge {time.monotonic() - began:.0f} s later")
    assert scenario.spaces[NEW]["web"] == "web3"
    assert cluster.logged("web3", "/status.php/new ")
    assert cluster.since("haproxy.service") == before, "its backend was there already"


def test_a_node_that_leaves_while_it_has_spaces_ends_every_run(scenario: Scenario):
    path = scenario.environment / "nodes.yml"
    before = path.read_text(encoding="utf-8")
    nodes = json.loads(before)
    del nodes["web"]["hosts"]["web3"]
    path.write_text(json.dumps(nodes), encoding="utf-8")
    try:
        said = scenario.refusal("spaces.yml")
    finally:
        path.write_text(before, encoding="utf-8")
    assert "web3" in said
    assert NEW in said


def test_it_is_emptied_by_one_command(scenario: Scenario, cluster: Cluster):
    results = scenario.attempt("move.yml", "-e", "drain=web3")
    assert [name for name, one in results.items() if one.get("failed")] == []
    assert scenario.spaces[NEW]["web"] in {"web1", "web2"}
    assert cluster.space("db1", NEW).status == 200
