# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What spaces are told can be read by the release each of them runs."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator

import pytest

from tests.support.browser import Browser
from tests.support.scenario import Scenario, Space

SLUG = "velo-ecole"
SHARING = "configkey = 'outgoing_server2server_share_enabled'"


def test_every_setting_of_a_space_can_be_read(scenario: Scenario, approved_slug: str):
    answer = json.loads(scenario.occ(approved_slug, "archipel:check"))
    assert answer == {"problems": [], "imposed": {}}


@pytest.fixture
def typed(scenario: Scenario) -> Iterator[None]:
    """A setting is stored under one type, as earlier versions did it."""
    scenario.sql(f"UPDATE `space_{SLUG}`.oc_appconfig SET type = 4 WHERE {SHARING}")
    yield
    scenario.converge("spaces.yml", "-e", f"only={SLUG}")


@pytest.fixture
def member(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """Make an account that is gone after the test."""
    name, password = f"reader-{secrets.token_hex(4)}", secrets.token_urlsafe(24)
    scenario.occ(SLUG, f"user:add --password-from-env {name}", OC_PASS=password)
    yield name, password
    scenario.occ(SLUG, f"user:delete {name}")


def test_the_next_run_mends_what_no_page_could_read(
    scenario: Scenario,
    browser: Browser,
    spaces: dict[str, Space],
    member: tuple[str, str],
    typed: None,
):
    (change,) = scenario.converge("spaces.yml", "-e", f"only={SLUG}")
    assert "has a type of its own" in str(change)
    assert scenario.sql(f"SELECT type FROM `space_{SLUG}`.oc_appconfig WHERE {SHARING}") == [["2"]]
    assert scenario.converge("spaces.yml", "-e", f"only={SLUG}") == []
    host = spaces[SLUG]["domains"][0]
    assert browser.request("GET", host, "/apps/files/", account=member).status == 200
