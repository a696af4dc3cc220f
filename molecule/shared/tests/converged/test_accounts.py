# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The operator sees how many accounts a space has, as Nextcloud itself counts them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator

import pytest

from tests.support.scenario import Scenario

SLUG = "velo-ecole"
METRICS = "/var/lib/prometheus/node-exporter/archipel_accounts.prom"


@pytest.fixture
def disabled(scenario: Scenario) -> Iterator[str]:
    """A further account that is disabled."""
    name = f"trial-{secrets.token_hex(4)}"
    scenario.occ(SLUG, f"user:add --password-from-env {name}", OC_PASS=secrets.token_urlsafe(24))
    scenario.occ(SLUG, f"user:disable {name}")
    yield name
    scenario.occ(SLUG, f"user:delete {name}")


def reported(scenario: Scenario) -> dict[str, dict[str, int]]:
    """Let the timer's service count now; return what it wrote."""
    scenario.machine.execute("systemctl", "start", "archipel-accounts.service")
    text = scenario.machine.execute("cat", "/var/lib/archipel/accounts.json")
    spaces: dict[str, dict[str, int]] = json.loads(text)["spaces"]
    return spaces


def test_a_disabled_account_takes_no_seat(scenario: Scenario, disabled: str):
    before = reported(scenario)
    assert set(before) >= set(scenario.in_status("approved"))
    counted = json.loads(scenario.occ(SLUG, "archipel:status"))["accounts"]
    assert (before[SLUG]["used"], before[SLUG]["limit"]) == (counted["used"], counted["limit"])
    scenario.occ(SLUG, f"user:enable {disabled}")
    assert reported(scenario)[SLUG]["used"] == before[SLUG]["used"] + 1
    metrics = scenario.machine.execute("cat", METRICS)
    assert f'archipel_space_accounts_used{{space="{SLUG}"}} {before[SLUG]["used"] + 1}\n' in metrics
