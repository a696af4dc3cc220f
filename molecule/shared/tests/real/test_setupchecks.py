# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Nextcloud's own checks find nothing in a space but what docs/setupchecks.md explains.

Run like the other files here, on a scenario with a real release.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.support.layout import Layout, Units
from tests.support.scenario import Scenario
from tools import ROOT

ROW = re.compile(r"^\| `(\w+)` \| (info|warning|error) \| .+ \|$", re.MULTILINE)


@pytest.fixture(scope="module")
def explained() -> dict[str, str]:
    """Check → how serious it may be, as the document says."""
    found = dict(ROW.findall((ROOT / "docs/setupchecks.md").read_text(encoding="utf-8")))
    assert found
    return found


@pytest.fixture(scope="module")
def said(scenario: Scenario) -> dict[str, list[dict[str, Any]]]:
    """Release → what the checks say in its spaces that have run their jobs once."""
    found: dict[str, list[dict[str, Any]]] = {}
    releases = {
        slug: scenario.node.check_output("readlink %s", Layout(slug).release)
        for slug in sorted(scenario.in_status("approved"))
    }
    for slug in {release: slug for slug, release in releases.items()}.values():
        scenario.node.check_output("systemctl start %s", Units(slug).jobs)
        # It ends with a code of its own where something is found.
        answer = scenario.module(
            "archipel.spaces.occ", space=slug, args="setupchecks --output=json"
        )
        checks = json.loads(answer["stdout"])
        found[slug] = [
            {"check": name.rpartition("\\")[2], **check}
            for category in checks.values()
            for name, check in category.items()
        ]
    assert found
    return found


def test_nothing_is_found_that_the_document_does_not_explain(said, explained):
    rank = {"success": 0, "info": 1, "warning": 2, "error": 3}
    new = [
        f"{slug}: {one['check']}: {one['severity']}: {one['description']}"
        for slug, checks in said.items()
        for one in checks
        if rank[one["severity"]] > rank[explained.get(one["check"], "success")]
    ]
    assert new == []


def test_the_checks_were_asked(said):
    assert all(len(checks) > 30 for checks in said.values())
