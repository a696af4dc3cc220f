# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A space moves while somebody works in it, is killed on its way, and comes back."""

from __future__ import annotations

import json

import pytest

from tests.support.cluster import BASE, Cluster
from tests.support.moving import failures, move, move_under_load
from tests.support.scenario import Scenario

SLUG, OTHER = "velo-ecole", "amap-du-val"
OWN = "cloud.velo-ecole.example"
ACCOUNT = ("nadia", "longer-than-ten-1")
KILL_AT = "/run/archipel/kill-at"


def test_a_space_moves_while_files_are_stored_in_it(
    scenario: Scenario, cluster: Cluster, capsys: pytest.CaptureFixture[str]
):
    """Whatever was acknowledged is there afterwards."""
    adding = f"user:add --password-from-env {ACCOUNT[0]}"
    scenario.occ(SLUG, adding, node="web1", OC_PASS=ACCOUNT[1])
    said, stored = move_under_load(scenario, cluster, SLUG, ACCOUNT, "web2")
    with capsys.disabled():
        print(f"\n{said}; {len(stored)} files were acknowledged")
    assert cluster.host("web1").file(f"/srv/spaces/.left-{SLUG}/data").is_directory
    assert not cluster.host("web1").file(f"/srv/spaces/{SLUG}").exists


def test_it_is_reached_under_all_its_names_and_the_others_never_left(
    scenario: Scenario, cluster: Cluster
):
    for name in (f"{SLUG}.{BASE}", OWN):
        assert json.loads(cluster.ask("db1", name).text)["installed"] is True
    line = cluster.host("edge1").check_output(
        "grep -F %s /etc/haproxy/archipel/names.map", f"{SLUG}.{BASE} "
    )
    assert line == f"{SLUG}.{BASE} web2/{SLUG}/fr"
    assert cluster.space("db1", OTHER).status == 200


def test_the_next_run_changes_nothing_but_the_node_that_it_left(
    scenario: Scenario, cluster: Cluster
):
    """That one has a list of its users still, and a certificate for domains that it has no more."""
    changes = scenario.converge("spaces.yml")
    assert {change.task.partition(": ")[0] for change in changes} <= {"web1"}
    assert scenario.converge("spaces.yml") == []
    for name in (f"{SLUG}.{BASE}", OWN):
        assert cluster.ask("db1", name).status == 200
    assert cluster.host("web1").file(f"/srv/spaces/.left-{SLUG}/data").is_directory


def test_what_it_left_is_no_mistake_of_anybody(scenario: Scenario):
    """The comparison with the registry says whose it is, and what ends it."""
    results = scenario.attempt("drift.yml", "-e", "drift_fails=true", "--limit", "web1")
    assert failures(results) == {}
    said = json.dumps([one["msg"] for name, one in results.items() if "Say what differs" in name])
    assert f"-e only={SLUG} -e confirm={SLUG} with -e kept=discard removes it" in said
    assert "too many" not in said


def test_nobody_can_fetch_anything_any_more(cluster: Cluster):
    assert cluster.open_ports("web2", "web1", [8322]) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("-e", "to=web2"), f"{SLUG}: "),
        (("-e", "to=web9"), "allowed: a web node, web1, web2"),
        (("-e", "kept=discard"), f"Say it with -e confirm={SLUG}"),
        ((), "allowed: -e only=<spaces> -e to=<web node>"),
    ],
)
def test_what_makes_no_sense_is_refused(scenario: Scenario, options: tuple[str, ...], said: str):
    assert said in scenario.refusal("move.yml", "-e", f"only={SLUG}", *options)


def test_a_space_does_not_come_back_to_what_it_left(scenario: Scenario, cluster: Cluster):
    """It serves where it is, and what to do is said."""
    results = move(scenario, SLUG, "-e", "to=web1")
    assert "kept=discard" in json.dumps(failures(results))
    assert cluster.space("db1", SLUG).status == 200


def test_it_is_taken_back(scenario: Scenario, cluster: Cluster):
    options = ("-e", "kept=restore", "-e", f"confirm={SLUG}")
    assert failures(move(scenario, SLUG, *options)) == {}
    assert scenario.spaces[SLUG]["web"] == "web1"
    assert cluster.space("db1", SLUG).status == 200
    assert cluster.ask("db1", OWN).status == 200
    assert cluster.host("web2").file(f"/srv/spaces/.left-{SLUG}/data").is_directory


def test_what_was_left_is_removed(scenario: Scenario, cluster: Cluster):
    options = ("-e", "kept=discard", "-e", f"confirm={SLUG}")
    assert failures(move(scenario, SLUG, *options)) == {}
    assert not cluster.host("web2").file(f"/srv/spaces/.left-{SLUG}").exists
    assert not cluster.host("web2").file(f"/etc/nginx/archipel/{SLUG}.conf").exists
    assert not cluster.host("web2").user(f"space-{SLUG}").exists
    assert cluster.space("db1", SLUG).status == 200


@pytest.mark.parametrize("step", ["offer", "close", "dump", "handing", "leave"])
def test_a_node_that_is_killed_at_a_step_goes_on_in_the_next_run(
    scenario: Scenario, cluster: Cluster, step: str
):
    source, target = scenario.spaces[OTHER]["web"], "web2"
    target = {"web1": "web2", "web2": "web1"}[source]
    cluster.host(source).check_output("printf move:%s > %s", step, KILL_AT)
    results = move(scenario, OTHER, "-e", f"to={target}")
    assert failures(results), "the run says that it did not get there"
    assert failures(move(scenario, OTHER, "-e", f"to={target}")) == {}
    assert scenario.spaces[OTHER]["web"] == target
    assert cluster.space("db1", OTHER).status == 200
    options = ("-e", "kept=discard", "-e", f"confirm={OTHER}")
    assert failures(move(scenario, OTHER, *options)) == {}


def test_a_node_without_the_release_takes_none(scenario: Scenario, cluster: Cluster):
    source = scenario.spaces[OTHER]["web"]
    target = {"web1": "web2", "web2": "web1"}[source]
    folder = "/srv/nextcloud/releases/33.0.9"
    # What runs there goes on with what it has open; for a moment nobody asks for more.
    cluster.host(target).check_output("mv %s %s.gone", folder, folder)
    try:
        results = move(scenario, OTHER, "-e", f"to={target}")
    finally:
        cluster.host(target).check_output("mv %s.gone %s", folder, folder)
    assert "does not have release 33.0.9" in json.dumps(failures(results))
    assert cluster.space("db1", OTHER).status == 200
