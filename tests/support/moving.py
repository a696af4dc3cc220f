# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Spaces that move between machines of the cluster, and what is in them before and afterwards."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.support.cluster import Cluster, Writer
from tests.support.scenario import Scenario

# Login name and password of somebody who works in a space.
Account = tuple[str, str]


def move(scenario: Scenario, slug: str, *options: str) -> dict[str, dict[str, Any]]:
    """Run the playbook for one space; return each task's result by its name."""
    return scenario.attempt("move.yml", "-e", f"only={slug}", *options)


def failures(results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the tasks that failed, with what they said."""
    return {name: one.get("msg") for name, one in results.items() if one.get("failed")}


def ensure_account(scenario: Scenario, slug: str, account: Account) -> None:
    """Let somebody work in a space; who does already keeps what they have."""
    (name, password), node = account, scenario.spaces[slug]["web"]
    if name not in json.loads(scenario.occ(slug, "user:list --output=json", node=node)):
        adding = f"user:add --password-from-env {name}"
        scenario.occ(slug, adding, node=node, OC_PASS=password)


def basic(account: Account) -> dict[str, str]:
    """Return the header by which somebody is known."""
    return {"Authorization": f"Basic {base64.b64encode(':'.join(account).encode()).decode()}"}


def read(cluster: Cluster, slug: str, paths: list[str], account: Account) -> dict[str, str]:
    """Return the checksums of files, as their owner is served them."""
    found = cluster.read("db1", slug, paths, basic(account))
    assert {status for status, _ in found.values()} == {200}
    return {path: digest for path, (_, digest) in found.items()}


def move_under_load(
    scenario: Scenario, cluster: Cluster, slug: str, account: Account, target: str
) -> tuple[str, dict[str, str]]:
    """Move a space while somebody stores files in it; all that was acknowledged is there.

    Returns what the run said of it, and path → checksum of those files.
    """
    writer = Writer(cluster, "db1", slug, account)
    try:
        writer.await_more(20)
        results = move(scenario, slug, "-e", f"to={target}")
        assert failures(results) == {}
        writer.await_more(20)
    finally:
        stored = writer.end()
    assert read(cluster, slug, list(stored), account) == stored
    assert scenario.spaces[slug]["web"] == target
    return str(results["move_batch | Say how it went"]["msg"]), stored
