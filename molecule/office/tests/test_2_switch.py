# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The suite is changed again and again, never under the hands of somebody who writes."""

from __future__ import annotations

import json

import pytest

from tests.support.coediting import left_open
from tests.support.scenario import Scenario
from tests.support.suites import Inside

SLUG = "amap-du-val"
# The space's own program, fifty times there and back; each answer on a line.
HUNDRED = f"""
set -eu
space=space-{SLUG}
systemctl start space-occ@{SLUG}.target
trap 'systemctl stop space-occ@{SLUG}.target' EXIT
export NEXTCLOUD_CONFIG_DIR=/srv/spaces/{SLUG}/config
apply() {{
    printf %s "$1" | setpriv --reuid=$space --regid=$space --groups=$space,archipel-db \\
        php -d apc.enable_cli=1 -d memory_limit=512M /srv/spaces/{SLUG}/release/occ archipel:apply |
        tr -d '\\n'
    echo
}}
for turn in $(seq 50); do
    apply "$1"
    apply "$2"
done
"""


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


def test_a_hundred_switches_leave_a_healthy_space(scenario: Scenario, inside: Inside):
    policy = json.loads(scenario.occ(SLUG, "config:app:get archipel office_policy"))
    both = [json.dumps({"office": {**policy, "default": to}}) for to in ("onlyoffice", "collabora")]
    answers = scenario.machine.execute("sh", "-c", HUNDRED, "sh", *both).splitlines()
    first = "set the office suites"
    there = [first, "disable application richdocuments", "enable application onlyoffice"]
    back = [first, "disable application onlyoffice", "enable application richdocuments"]
    assert [json.loads(answer)["changes"] for answer in answers] == [there, back] * 50
    # As the registry has it, and nothing is left to do.
    assert scenario.converge("spaces.yml", "-e", f"only={SLUG}") == []
    assert enabled(scenario) == "collabora"
    assert json.loads(scenario.occ(SLUG, "status --output=json"))["needsDbUpgrade"] is False
    assert inside.opened(SLUG).status == 200
    assert inside.app(SLUG, "onlyoffice/open").status != 200


def test_a_document_that_is_open_is_waited_for(scenario: Scenario, inside: Inside):
    assert inside.opened(SLUG).status == 200
    registry(scenario, "onlyoffice")
    scenario.converge("spaces.yml", "-e", f"only={SLUG}")
    assert enabled(scenario) == "collabora"
    scenario.sql(f"DELETE FROM `space_{SLUG}`.oc_richdocuments_wopi")
    scenario.converge("spaces.yml", "-e", f"only={SLUG}")
    assert enabled(scenario) == "onlyoffice"


def test_people_who_edit_are_waited_for(scenario: Scenario, inside: Inside):
    """The other suite's server says how many they are."""
    assert enabled(scenario) == "onlyoffice"
    registry(scenario, "collabora")
    with left_open(scenario.machine, inside.server(SLUG, "onlyoffice")["url"]):
        scenario.converge("spaces.yml", "-e", f"only={SLUG}")
        assert enabled(scenario) == "onlyoffice"
    scenario.converge("spaces.yml", "-e", f"only={SLUG}")
    assert enabled(scenario) == "collabora"
