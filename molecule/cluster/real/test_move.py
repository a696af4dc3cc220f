# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A space of a real Nextcloud moves while somebody stores files in it by WebDAV."""

from __future__ import annotations

import json

import pytest

from tests.support.cluster import Cluster
from tests.support.moving import Account, basic, failures, move, move_under_load
from tests.support.scenario import Scenario


def serves(scenario: Scenario, cluster: Cluster, slug: str, account: Account) -> None:
    """It is whole: for visitors, for who logs in, for occ; its database has the files it has."""
    status = json.loads(cluster.space("db1", slug).text)
    assert {status["installed"], not status["maintenance"], not status["needsDbUpgrade"]} == {True}
    page = cluster.space("db1", slug, "/login")
    assert (page.status, "requesttoken" in page.text) == (200, True), page
    headers = {**basic(account), "OCS-APIRequest": "true"}
    answer = cluster.space("db1", slug, "/ocs/v2.php/cloud/user?format=json", headers=headers)
    assert json.loads(answer.text)["ocs"]["data"]["id"] == account[0]
    node = scenario.spaces[slug]["web"]
    said = json.loads(scenario.occ(slug, "status --output=json", node=node))
    assert (said["installed"], said["versionstring"]) == (True, status["versionstring"])
    scanned = scenario.occ(slug, f"files:scan --no-interaction {account[0]}", node=node)
    numbers = [row.strip("| ").split("|") for row in scanned.splitlines() if row.startswith("|")]
    counted = dict(zip(*([cell.strip() for cell in row] for row in numbers[:2]), strict=True))
    assert {counted[name] for name in ("New", "Updated", "Removed", "Errors")} == {"0"}, scanned


def test_it_is_whole_on_the_other_node_and_when_it_is_taken_back(
    scenario: Scenario,
    cluster: Cluster,
    slug: str,
    account: Account,
    capsys: pytest.CaptureFixture[str],
):
    source = scenario.spaces[slug]["web"]
    target = {"web1": "web2", "web2": "web1"}[source]
    said, stored = move_under_load(scenario, cluster, slug, account, target)
    with capsys.disabled():
        print(f"\n{said}; {len(stored)} files were acknowledged")
    serves(scenario, cluster, slug, account)
    # The node that it left has a list of its users still.
    changes = scenario.converge("spaces.yml")
    assert {change.task.partition(": ")[0] for change in changes} <= {source}
    for kept in ("restore", "discard"):
        options = ("-e", f"kept={kept}", "-e", f"confirm={slug}")
        assert failures(move(scenario, slug, *options)) == {}
        assert scenario.spaces[slug]["web"] == source
        assert cluster.space("db1", slug).status == 200
