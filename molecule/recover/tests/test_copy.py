# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A copy of a space moves to the other node, is one there too, and goes.

The tests follow each other.
"""

from __future__ import annotations

import json

import pytest

from tests.support.cluster import Cluster
from tests.support.layout import Layout
from tests.support.moving import basic, ensure_account, failures, move
from tests.support.network import Network
from tests.support.sandbox import Programs
from tests.support.scenario import Scenario

COPY = "velo-essai"
OF_COPY = ("-e", f"only={COPY}")
HOME, OTHER = "node1", "node2"
NADIA = ("nadia", "longer-than-ten-1")
FILE = "/remote.php/dav/files/nadia/of-the-copy.txt"
# What answers nobody here; what matters is whether a datagram leaves.
OUTSIDE = "192.0.2.1"
SECRETS = ("instanceid", "secret", "passwordsalt")


def network(cluster: Cluster, node: str) -> Network:
    """Return what spaces of a node reach."""
    return Network(Programs(cluster.machines[node]))


def secrets(cluster: Cluster, node: str, slug: str) -> dict[str, str]:
    """Return what a space of a node has to itself."""
    path = f"{Layout(slug).home}/config/config.php"
    read = "grep -oP \"^  '%s' => '\\K[^']+\" %s"
    return {key: cluster.host(node).check_output(read % (key, path)) for key in SECRETS}


@pytest.fixture(scope="module")
def source(scenario: Scenario) -> str:
    """Return a space with somebody who works in it."""
    slug = min(slug for slug, space in scenario.spaces.items() if space["web"] == HOME)
    ensure_account(scenario, slug, NADIA)
    return slug


@pytest.fixture(scope="module")
def before(scenario: Scenario, cluster: Cluster, source: str) -> dict[str, str]:
    """Return the secrets of the copy, on the node where it is made."""
    agreed = json.dumps({"consent": "Nadia, by word of mouth"})
    scenario.converge("clone.yml", "-e", f"only={source}", "-e", f"into={COPY}", "-e", agreed)
    assert scenario.spaces[COPY]["web"] == HOME
    stored = cluster.space(OTHER, COPY, FILE, method="PUT", body="word", headers=basic(NADIA))
    assert stored.status == 201, stored
    return secrets(cluster, HOME, COPY)


def test_1_it_moves_with_its_database(
    scenario: Scenario, cluster: Cluster, before: dict[str, str], capsys: pytest.CaptureFixture[str]
):
    results = move(scenario, COPY, "-e", f"to={OTHER}")
    assert failures(results) == {}
    with capsys.disabled():
        print(f"\n{results['move_batch | Say how it went']['msg']}")
    place = scenario.spaces[COPY]
    assert (place["web"], place["db"]) == (OTHER, OTHER)
    assert cluster.host(HOME).file(f"/srv/spaces/.left-{COPY}/data").is_directory


def test_2_it_is_served_there(cluster: Cluster, before: dict[str, str]):
    assert cluster.space(HOME, COPY, "/status.php/moved-copy").status == 200
    assert cluster.logged(OTHER, "/status.php/moved-copy ")
    found = cluster.space(HOME, COPY, FILE, headers=basic(NADIA))
    assert (found.status, found.text) == (200, "word")


def test_3_it_has_its_own_secrets_still(cluster: Cluster, source: str, before: dict[str, str]):
    assert secrets(cluster, OTHER, COPY) == before
    own = secrets(cluster, HOME, source)
    differing = {key for key in SECRETS if own[key] != before[key]}
    assert differing == {"instanceid", "secret"}


def test_4_nothing_goes_out_of_it(scenario: Scenario, cluster: Cluster, before: dict[str, str]):
    for key, value in {"mail_smtpmode": "null", "has_internet_connection": "false"}.items():
        said = scenario.occ(COPY, f"config:system:get {key}", node=OTHER)
        assert said.strip() == value
    there = network(cluster, OTHER)
    others = {slug for slug, space in scenario.spaces.items() if space["web"] == OTHER} - {COPY}
    other = min(others)
    assert there.udp(other, OUTSIDE, 53) == ""
    assert there.udp(COPY, OUTSIDE, 53) != ""
    assert there.tcp(COPY, OUTSIDE, 443) in {"EACCES", "EPERM", "EHOSTUNREACH"}
    # It is no prisoner of itself.
    assert there.tcp(COPY, there.own_address(COPY), 443) == ""


def test_5_everybody_sees_what_it_is(
    scenario: Scenario, cluster: Cluster, source: str, before: dict[str, str]
):
    noted = json.loads(scenario.occ(COPY, "config:app:get archipel copy_of", node=OTHER))
    assert noted["space"] == source
    assert "noindex" in cluster.space(HOME, COPY, "/login").headers["x-robots-tag"]


def test_6_what_it_left_is_removed(scenario: Scenario, cluster: Cluster, before: dict[str, str]):
    options = ("-e", "kept=discard", "-e", f"confirm={COPY}")
    assert failures(move(scenario, COPY, *options)) == {}
    home = cluster.host(HOME)
    assert not home.file(f"/srv/spaces/.left-{COPY}").exists
    assert not home.user(Layout(COPY).user).exists
    assert (
        home.check_output(f"mariadb -N -e \"SHOW DATABASES LIKE '{Layout(COPY).database}'\"") == ""
    )
    assert cluster.space(HOME, COPY).status == 200


def test_7_it_goes_like_any_space_and_without_waiting(
    scenario: Scenario, cluster: Cluster, source: str, before: dict[str, str]
):
    scenario.converge("moderate.yml", *OF_COPY, "-e", "decision=close")
    scenario.converge("spaces.yml", *OF_COPY)
    scenario.converge("purge.yml", *OF_COPY, "-e", "purge_pause=0")
    scenario.registry(COPY).unlink()
    there = cluster.host(OTHER)
    assert not there.file(f"/srv/spaces/{COPY}").exists
    assert (
        there.check_output(f"mariadb -N -e \"SHOW DATABASES LIKE '{Layout(COPY).database}'\"") == ""
    )
    # As the timer does some minutes later, on both nodes.
    for node in (HOME, OTHER):
        network(cluster, node).look()
        ruled = cluster.host(node).check_output("nft list table inet archipel_spaces")
        assert "@copies" not in ruled
    # The list of users of either node, and the names of the edge.
    scenario.converge("spaces.yml")
    assert scenario.converge("spaces.yml") == []
    assert cluster.space(OTHER, COPY).status == 0
    assert cluster.space(OTHER, source).status == 200
