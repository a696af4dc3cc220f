# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where an edge leads names to."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.archipel.spaces.plugins.filter.edge_names import edge_names
from tests.unit.environment import ROOT, Environment

NODES = """\
web: {hosts: {web1: {archipel_addresses: [10.0.0.1]}}}
db: {hosts: {web1: {}}}
edge: {hosts: {edge1: {archipel_addresses: [10.0.0.9]}}}
all: {vars: {ansible_connection: local}}
"""


def space(slug: str, web: str, *domains: str, locale: str = "fr") -> t.Any:
    return {"slug": slug, "web": web, "domains": list(domains), "locale": locale}


def test_every_name_leads_to_the_node_of_its_space():
    spaces = [
        space("velo", "web2", "velo.spaces.example", "cloud.velo.example"),
        space("amap", "web1", "amap.spaces.example", locale="en_GB"),
    ]
    assert edge_names(spaces) == (
        "amap.spaces.example web1/amap/en\n"
        "cloud.velo.example web2/velo/fr\n"
        "velo.spaces.example web2/velo/fr\n"
    )


def test_a_space_that_is_not_restored_yet_stays_with_the_node_that_is_lost():
    spaces = [{**space("velo", "web2", "velo.example"), "lost": "web1"}]
    assert edge_names(spaces) == "velo.example web1/velo/fr\n"


def test_a_space_whose_file_is_wrong_keeps_its_names():
    skipped = {
        "slug": "cine",
        "id": 70_000,
        "web": "web1",
        "db": "db1",
        "domains": ["cine.example"],
    }
    # It is known on its web node and on its database node.
    assert edge_names([], t.cast("t.Any", [skipped, skipped])) == "cine.example web1/cine/en\n"


def test_the_form_is_a_name_too():
    assert edge_names([], services={"demande.example": "web1"}) == "demande.example web1/-/en\n"


def test_without_spaces_there_is_nothing():
    assert edge_names([]) == ""


@pytest.mark.parametrize(
    ("own", "ports"),
    [({}, (8443, 80)), ({"nginx_proxy_port": 9443, "nginx_http_port": 8080}, (9443, 8080))],
)
def test_the_edge_asks_nodes_at_the_ports_where_they_listen(
    environment: Environment, own: dict[str, int], ports: tuple[int, int]
):
    (environment.root / "group_vars/all/00-baseline").symlink_to(ROOT / "group_vars/all")
    environment.policy(archipel_release=None, archipel_releases=None, archipel_offices=None)
    environment.write("nodes.yml", NODES)
    environment.write("group_vars/all/zz-own.yml", json.dumps(own))
    options = ("-o", "-m", "ansible.builtin.debug", "-a", "var=edge_nodes")
    said = environment.command("ansible", "edge1", *options).stdout
    (node,) = json.loads(said.partition("=>")[2])["edge_nodes"]
    assert (node["https_port"], node["http_port"]) == ports
