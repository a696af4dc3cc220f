# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What must be closed is closed, tried from each machine to each other."""

from __future__ import annotations

import pytest

from tests.support.cluster import Cluster

# SSH, DNS, web, portmapper, SMB, HAProxy's and others' usual ports, databases, Redis, PHP.
PORTS = [22, 25, 53, 80, 111, 443, 445, 1936, 3306, 4567, 5432, 5555, 6379, 8080, 8404, 8443]
PORTS += [9000, 9100, 11211, 33060]
WEB = [22, 80, 443, 8443]
ALLOWED = {
    ("web1", "web2"): WEB,
    ("web2", "web1"): WEB,
    ("edge1", "web1"): WEB,
    ("edge1", "web2"): WEB,
    ("db1", "web1"): WEB,
    ("db1", "web2"): WEB,
    ("web1", "edge1"): [22, 80, 443],
    ("web2", "edge1"): [22, 80, 443],
    ("db1", "edge1"): [22, 80, 443],
    ("web1", "db1"): [22, 3306],
    ("web2", "db1"): [22, 3306],
    # The edge has no database to ask.
    ("edge1", "db1"): [22],
}


@pytest.mark.parametrize(("client", "server"), ALLOWED)
def test_what_one_machine_reaches_of_another(cluster: Cluster, client: str, server: str):
    assert cluster.open_ports(client, server, PORTS) == ALLOWED[client, server]


def test_that_a_node_is_asked_whether_it_is_there_is_not_logged(cluster: Cluster):
    assert cluster.logged("web1", "edge.invalid") == []


def test_the_edge_gives_its_programs_interface_to_root_alone(cluster: Cluster):
    socket = cluster.host("edge1").file("/run/haproxy/admin.sock")
    assert (socket.user, socket.mode) == ("root", 0o600)


def test_keys_on_the_edge_are_read_by_root_alone(cluster: Cluster):
    """HAProxy reads them before it gives root up."""
    edge = cluster.host("edge1")
    key = edge.file("/etc/haproxy/archipel/certificates/0.pem.key").linked_to
    assert key == "/etc/archipel/tls/wildcard/privkey.pem"
    assert edge.run("runuser -u haproxy -- cat %s", key).rc != 0
