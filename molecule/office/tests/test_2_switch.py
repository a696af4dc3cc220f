# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The suite is changed again and again, never under the hands of somebody who writes."""

from __future__ import annotations

import json

import pytest

from tests.support.scenario import Scenario
from tests.support.suites import Inside

SLUG = "amap-du-val"


def enabled(scenario: Scenario) -> str:
    return str(json.loads(scenario.occ(SLUG, "archipel:status"))["office"]["enabled"])


def registry(scenario: Scenario, suite: str) -> None:
    path = scenario.registry(SLUG)
    kept = [row for row in path.read_text().splitlines() if not row.startswith("office")]
    path.write_text("\n".join([*kept, f"office: {suite}", "office_pinned: true", ""]))


@pytest.fixture(autouse=True)
def nobody_writes(scenario: Scenario) -> None:
    scenario.sql(f"DELETE FROM `space_{SLUG}`.oc_richdocuments_wopi")


def test_the_registry_switches_both_ways(scenario: Scenario, inside: Inside):
    registry(scenario, "onlyoffice")
    scenario.converge("spaces.yml", "-e", f"only={SLUG}")
    assert enabled(scenario) == "onlyoffice"
    assert inside.accepts(SLUG)
    registry(scenario, "collabora")
    scenario.converge("spaces.yml", "-e", f"only={SLUG}")
    assert enabled(scenario) == "collabora"
    assert inside.opened(SLUG).status == 200


def test_a_document_that_is_open_is_waited_for(scenario: Scenario, inside: Inside):
    assert inside.opened(SLUG).status == 200
    registry(scenario, "onlyoffice")
    scenario.converge("spaces.yml", "-e", f"only={SLUG}")
    assert enabled(scenario) == "collabora"
    scenario.sql(f"DELETE FROM `space_{SLUG}`.oc_richdocuments_wopi")
    scenario.converge("spaces.yml", "-e", f"only={SLUG}")
    assert enabled(scenario) == "onlyoffice"
