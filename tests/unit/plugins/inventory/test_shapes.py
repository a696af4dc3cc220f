# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the inventory gives has the shapes that its types say."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._core import _space
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import _distant
from tests.support.shapes import differences
from tests.unit.environment import Environment
from tests.unit.plugins.plugin_utils._inventory.test_offices import NODES, SUITES

CLOSED = {"by": "moderation", "on": "2024-05-30", "reason": "why"}
OF_NODES = {
    "archipel_spaces": list[_space.SpaceEntry],
    "archipel_databases": list[_space.SpaceEntry],
    "archipel_skipped": list[_space.Skipped],
    "archipel_office_servers": list[_space.ServerOfNode],
    "archipel_office_spaces": list[_space.ServedSpace],
}
SHARED = {
    "archipel_report": _space.Report,
    "archipel_placement": _space.Pending,
    "archipel_database_addresses": _distant.DatabaseAddresses,
}


@pytest.fixture
def variables(environment: Environment) -> dict[str, dict[str, t.Any]]:
    """Variables of each node, and those of all, of an environment with something of everything."""
    environment.write("nodes.yml", NODES)
    environment.policy(archipel_office_suites=SUITES)
    environment.options(on_invalid="skip")
    environment.placement(
        "cine: {id: 70000, web: node1, db: node1}", "wrong: {id: 70001, web: node1, db: node1}"
    )
    environment.space("amap", domains=["amap.example"], theme={"color": "#00679e"})
    environment.space("cine", status="closed", closed_on="2024-06-30", decision=CLOSED)
    environment.space("asked", status="requested", decision=None)
    environment.space("wrong", ring="tomorrow")
    inventory = environment.load()
    hosts = {str(host.name): host.vars for host in inventory.groups["nodes"].get_hosts()}
    return {**hosts, "all": inventory.groups["nodes"].vars}


@pytest.mark.parametrize("name", OF_NODES)
def test_what_a_node_is_given(variables: dict[str, dict[str, t.Any]], name: str):
    values = [one[name] for node, one in variables.items() if node != "all"]
    assert any(values), "there is something to look at"
    assert [one for value in values for one in differences(value, OF_NODES[name])] == []


@pytest.mark.parametrize("name", SHARED)
def test_what_all_are_given(variables: dict[str, dict[str, t.Any]], name: str):
    assert differences(variables["all"][name], SHARED[name]) == []
