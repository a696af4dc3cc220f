# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The nodes of the spaces that a run is for: all that it needs, and no others."""

from __future__ import annotations

import json
import typing as t

import pytest
import yaml

from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import _chosen
from tests.unit.environment import ROOT, Environment

CATALOGUE = yaml.safe_load((ROOT / "group_vars/all/applications.yml").read_text(encoding="utf-8"))[
    "archipel_office_suites"
]
NODES = """\
web:
  hosts:
    node1: {ansible_host: 192.0.2.1}
    node-2: {ansible_host: 192.0.2.2}
    node3: {ansible_host: 192.0.2.3}
db:
  hosts:
    node1: {}
    db1: {ansible_host: 192.0.2.11}
    db2: {ansible_host: 192.0.2.12}
office:
  hosts:
    office1:
      ansible_host: 198.51.100.21
      archipel_office_shards: [{name: collabora1, suite: collabora}]
    office2:
      ansible_host: 198.51.100.22
      archipel_office_shards: [{name: collabora2, suite: collabora}]
    office3: {ansible_host: 198.51.100.23}
"""
OFFICES: t.Any = [
    {"name": "collabora1", "suite": "collabora", "node": "office1"},
    {"name": "collabora2", "suite": "collabora", "node": "office2"},
]


def entry(slug: str, **changes: t.Any) -> t.Any:
    usual = {"status": "approved", "ring": "stable", "office": "collabora", "web": "node1"}
    return {"slug": slug, "db": "db1", "office_servers": {}, **usual, **changes}


ENTRIES: t.Any = [
    entry("amap", office_servers={"collabora": {"shard": "collabora1"}}),
    entry("cine", web="node-2", db="db2", ring="canary"),
    entry("quai", web="node3", status="closed", office_servers={"collabora": {"shard": "gone"}}),
]


@pytest.mark.parametrize(
    ("words", "members", "nodes"),
    [
        (["amap"], [], {"node1", "db1", "office1"}),
        (["cine"], [], {"node-2", "db2"}),
        (["amap", "cine"], [], {"node1", "db1", "office1", "node-2", "db2"}),
        (["ring_canary"], [], {"node-2", "db2"}),
        (["on_node_2"], [], {"node-2", "db2"}),
        # A server that is declared nowhere any more is on no node.
        (["status_closed"], [], {"node3", "db1"}),
        (["large"], ["cine"], {"node-2", "db2"}),
        (["large"], [], set()),
        (["ama"], [], set()),
    ],
)
def test_a_space_has_the_nodes_of_its_parts(words: list[str], members: list[str], nodes: set[str]):
    assert _chosen.find_nodes(ENTRIES, words, members, OFFICES) == nodes


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("amap", {"amap"}),
        (" amap, ring_canary ,", {"amap", "ring_canary"}),
        (["amap", "cine"], {"amap", "cine"}),
        (",", set()),
        ("", set()),
        ([], set()),
        (7, {"7"}),
    ],
)
def test_a_selection_is_words_or_a_list_of_them(value: object, words: set[str]):
    assert _chosen.split(value) == words


@pytest.fixture
def three(environment: Environment) -> Environment:
    environment.write("nodes.yml", NODES)
    environment.policy(archipel_offices=["collabora"], archipel_office_suites=CATALOGUE)
    for slug in ("amap", "cine", "quai"):
        environment.space(slug)
    environment.placement(
        "amap: {id: 70000, web: node1, db: node1, office: {collabora: collabora1}}",
        "cine: {id: 70001, web: node-2, db: db2, office: {collabora: collabora2}}",
        "quai: {id: 70002, web: node-2, db: db1, office: {collabora: collabora2}}",
    )
    return environment


def groups(environment: Environment, *options: str) -> dict[str, t.Any]:
    done = environment.command("ansible-inventory", "--list", *options)
    assert done.returncode == 0, done.stderr
    return t.cast("dict[str, t.Any]", json.loads(done.stdout))


@pytest.mark.parametrize(
    ("options", "nodes"),
    [
        (["only=amap"], {"node1", "office1"}),
        (["only=cine"], {"node-2", "db2", "office2"}),
        (["only=quai,amap"], {"node1", "node-2", "db1", "office1", "office2"}),
        (["only=on_node_2"], {"node-2", "db1", "db2", "office2"}),
        (['{"only": ["cine"]}'], {"node-2", "db2", "office2"}),
        (["only={{ which }}", "which=amap"], {"node1", "office1"}),
        # A restore opens the space that it restores into.
        (["only=amap", "into=quai"], {"node1", "office1", "node-2", "db1", "office2"}),
        (["only=cine2"], set()),
    ],
)
def test_a_selection_makes_a_group_of_nodes(
    three: Environment, options: list[str], nodes: set[str]
):
    given = [part for option in options for part in ("-e", option)]
    listing = groups(three, *given)
    assert set(listing.get("chosen_nodes", {"hosts": []}).get("hosts", [])) == nodes
    assert "chosen_nodes" in listing["all"]["children"]


@pytest.mark.parametrize(
    "options",
    [[], ["only="], ["only=,"], ["only={{ inventory_hostname }}"], ['{"only": "{{ none }"}']],
)
def test_without_one_there_is_no_such_group(three: Environment, options: list[str]):
    """Nor where it can only be told on a node: plays take all of them then."""
    listing = groups(three, *(part for option in options for part in ("-e", option)))
    assert "chosen_nodes" not in listing["all"]["children"]


def test_a_group_of_ones_own_selects_too(three: Environment):
    three.options(groups={"large": "space.slug == 'cine'"})
    assert set(groups(three, "-e", "only=large")["chosen_nodes"]["hosts"]) == {
        "node-2", "db2", "office2",
    }  # fmt: skip


def test_the_edge_is_part_of_every_selection(three: Environment):
    """It leads every name to its node."""
    three.write("nodes.yml", f"{NODES}edge: {{hosts: {{edge1: {{ansible_host: 192.0.2.9}}}}}}\n")
    assert "edge1" in groups(three, "-e", "only=amap")["chosen_nodes"]["hosts"]


@pytest.mark.parametrize(
    "playbook", ["backup", "invite", "platform", "restore", "rollback", "site", "spaces", "status"]
)
def test_no_play_of_a_run_for_one_space_begins_elsewhere(three: Environment, playbook: str):
    path = str(ROOT / f"playbooks/{playbook}.yml")
    done = three.command("ansible-playbook", path, "--list-hosts", "-e", "only=amap")
    assert done.returncode == 0, done.stderr
    words = done.stdout.split()
    assert "node1" in words
    others = {"node-2", "node3", "db1", "db2", "office2", "office3"}
    assert others.isdisjoint(words), done.stdout


def test_without_a_selection_all_nodes_are_converged(three: Environment):
    done = three.command("ansible-playbook", str(ROOT / "playbooks/spaces.yml"), "--list-hosts")
    assert {"node1", "node-2", "node3", "db1", "db2", "office1"} <= set(done.stdout.split())
