# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What spaces may reach in private networks: what the policy configures them to use."""

from __future__ import annotations

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import _reachable

PARTS = {
    "web": ["10.0.0.1"],
    "db": ["10.0.0.1", "10.0.0.2"],
    "office": ["10.0.0.3"],
    "talk": ["10.0.0.4"],
}


def services(parts=None, own=(), relay=None, databases=None, port=443, others=()):
    found = _reachable.list_services(parts or {}, own, relay or {}, databases or {}, port, others)
    return [(one["host"], one["ports"], one["protocol"]) for one in found]


def test_a_node_by_itself_has_nothing_private_to_reach():
    alone = {part: ["127.0.0.1"] for part in PARTS}
    assert services(alone, own=["127.0.0.1"]) == []


def test_the_parts_of_a_platform_are_reached_where_they_serve():
    assert services(PARTS, own=["10.0.0.1"], port=8443) == [
        ("10.0.0.2", [3306], "tcp"),
        ("10.0.0.3", [443, 8443], "tcp"),
        ("10.0.0.4", [443, 8443], "tcp"),
    ]


def test_a_database_is_reached_by_the_name_that_spaces_have_for_it():
    assert services(databases={"db1": "db1.internal"}) == [("db1.internal", [3306], "tcp")]


@pytest.mark.parametrize("host", ["127.0.0.1", "mail.internal", "::1"])
def test_a_relay_is_reached_wherever_it_is(host: str):
    assert services(relay={"host": host, "port": 587}) == [(host, [587], "tcp")]
    assert services(relay={"host": host}) == [(host, [25], "tcp")]


def test_what_else_the_policy_names_is_reached():
    s3, ldap = {"host": "s3", "ports": [9000]}, {"host": "t", "ports": [7], "protocol": "udp"}
    assert services(others=[s3, ldap]) == [("s3", [9000], "tcp"), ("t", [7], "udp")]


def test_each_is_named_once():
    assert len(services(PARTS, databases={"a": "10.0.0.2", "b": "10.0.0.2"}, others=[])) == 4
