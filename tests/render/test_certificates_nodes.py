# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Certificates of several nodes: who orders what, who fetches it, and who has the secret."""

from __future__ import annotations

import base64
import typing as t

import pytest

from tests.policy.tree import ROOT, load
from tests.render.test_certificates import VALID, holds, value
from tests.render.test_platform import render

WILDCARD = {"name": "wildcard", "domains": ["*.spaces.example", "spaces.example"]}
OFFICES = [{"name": "office", "domains": [f"office{n}.spaces.example"]} for n in (1, 2)]
ADDRESSED = {"name": "database", "domains": ["10.0.0.2"]}
NODES = {
    "node1": [WILDCARD],
    "node2": [WILDCARD, ADDRESSED],
    "Office1.example": [OFFICES[0]],
    "office2.example": [OFFICES[1]],
}
SECRET = {"RFC2136_TSIG_SECRET": "c2VjcmV0"}


def seen(name: str, node: str, **changes: t.Any) -> t.Any:
    """Return a variable of the role as a task of one node sees it."""
    return value(name, **facts(node) | changes)


def facts(node: str) -> dict[str, t.Any]:
    return VALID | {
        "inventory_hostname": node,
        "hostvars": {name: {"certificates_requests": asked} for name, asked in NODES.items()},
        "certificates_requests": NODES[node],
        "certificates_acme_nodes": list(NODES),
        "certificates_acme_issuer": "node1",
        "certificates_acme_issuer_address": "10.0.0.1",
        "certificates_acme_dns_environment": SECRET,
    }


def test_one_node_orders_for_all_and_the_same_certificate_once():
    assert seen("__certificates_acme_node", "node1")["requests"] == {
        "wildcard": WILDCARD["domains"],
        "office1.example--office": ["office1.spaces.example"],
        "office2.example--office": ["office2.spaces.example"],
    }
    assert seen("__certificates_acme_node", "node1")["issuer"] == {}


def test_the_others_fetch_what_is_theirs():
    node = seen("__certificates_acme_node", "Office1.example")
    assert node["requests"] == {"office": ["office1.spaces.example"]}
    assert node["issuer"] == {
        "node": "node1",
        "address": "10.0.0.1",
        "port": 22,
        "user": "archipel-certificates",
        "key": "/etc/archipel/handover/key",
        "known_hosts": "/etc/archipel/handover/known_hosts",
    }


def test_each_key_is_for_one_command_with_the_names_of_its_node():
    public = {"content": base64.b64encode(b"ssh-ed25519 AAAA node2\n").decode()}
    for node, names in {
        "node2": "wildcard=wildcard",
        "Office1.example": "office=office1.example--office",
    }.items():
        line = seen("__certificates_handover_line", node, __certificates_handover_public=public)
        program = f"/usr/local/libexec/archipel/certificates --give {names}"
        assert line == f'restrict,command="{program}" ssh-ed25519 AAAA node2\n'


@pytest.mark.parametrize(
    ("node", "issuer", "has"),
    [
        ("node1", "node1", True),
        ("node2", "node1", False),
        ("node2", "", True),
        ("node1", "controller", False),
    ],
)
def test_who_does_not_order_by_the_dns_has_no_secret_of_it(node, issuer, has):
    known = facts(node) | {"certificates_acme_issuer": issuer}
    text = render("certificates", "etc/archipel/certificates.env.j2", **known)
    assert ("c2VjcmV0" in text) == has


@pytest.mark.parametrize(
    ("node", "changes", "fetches"),
    [
        ("node1", {}, False),
        ("node2", {}, True),
        ("node2", {"certificates_acme_issuer": ""}, False),
        ("node2", {"certificates_acme_issuer": "controller"}, False),
        ("node2", {"certificates_requests": [ADDRESSED]}, False),
    ],
)
def test_who_fetches(node, changes, fetches):
    assert seen("__certificates_acme_fetches", node, **changes) is fetches


def test_with_the_controller_nodes_order_own_domains_alone():
    node = seen("__certificates_acme_node", "node1", certificates_acme_issuer="controller")
    assert (node["requests"], node["issuer"]) == ({}, {})


def test_one_node_alone_lets_nobody_fetch():
    alone = {"certificates_acme_nodes": ["node1"]}
    assert seen("__certificates_acme_others", "node1", **alone) == []
    assert seen("__certificates_acme_others", "node1") == list(NODES)[1:]


@pytest.mark.parametrize(
    "changes",
    [
        {"certificates_acme_issuer": "node9"},
        {"certificates_acme_issuer_port": 0},
        {"certificates_acme_issuer_port": 65536},
        {"certificates_acme_addresses": ["node1.example"]},
        {"certificates_acme_addresses": ["192.0.2.1:80"]},
        {"certificates_acme_addresses": ["192.0.2.0/24"]},
    ],
)
def test_an_order_that_nobody_would_give_is_refused(changes):
    (task,) = (
        task
        for task in load(ROOT / "roles/certificates/tasks/preflight.yml")
        if "nobody would give" in task["name"]
    )
    conditions = task["ansible.builtin.assert"]["that"]
    good = facts("node2") | {"certificates_acme_addresses": ["192.0.2.1", "2001:db8::1"]}
    assert all(holds(one, **good) for one in conditions)
    assert not all(holds(one, **good | changes) for one in conditions)
