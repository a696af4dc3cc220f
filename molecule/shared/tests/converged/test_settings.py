# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Imposed settings can be read by the release each of them runs."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator

import pytest
from testinfra.host import Host

from ansible_collections.archipel.spaces.plugins.module_utils._core import _config
from tests.support.browser import Browser
from tests.support.layout import Layout
from tests.support.scenario import Scenario, Space

SLUG = "velo-ecole"
SHARING = "configkey = 'outgoing_server2server_share_enabled'"


def test_every_setting_of_a_space_can_be_read(scenario: Scenario, approved_slug: str):
    answer = json.loads(scenario.occ(approved_slug, "archipel:check"))
    assert answer == {"problems": [], "imposed": {}}


@pytest.mark.parametrize("what", ["columns", "indices", "primary-keys"])
def test_no_index_is_missing(scenario: Scenario, approved_slug: str, what: str):
    """Of the release, and of the applications that were turned on after it was installed."""
    said = scenario.occ(approved_slug, f"db:add-missing-{what} --dry-run")
    assert "Adding" not in said


def test_a_state_file_holds_no_key_of_the_operators(node: Host, approved_slug: str):
    """Each has an id of its own, made before Nextcloud itself had to write one down."""
    folder = Layout(approved_slug).config
    managed = _config.keys(node.file(f"{folder}/managed.config.php").content_string)
    state = _config.keys(node.file(f"{folder}/config.php").content_string)
    assert state & managed == set()
    assert {"instanceid", "secret", "passwordsalt"} <= state


@pytest.fixture
def typed(scenario: Scenario) -> Iterator[None]:
    """A setting is stored under one type, as earlier versions did it."""
    scenario.sql(f"UPDATE `{Layout(SLUG).database}`.oc_appconfig SET type = 4 WHERE {SHARING}")
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
    assert scenario.sql(
        f"SELECT type FROM `{Layout(SLUG).database}`.oc_appconfig WHERE {SHARING}"
    ) == [["2"]]
    assert scenario.converge("spaces.yml", "-e", f"only={SLUG}") == []
    host = spaces[SLUG]["domains"][0]
    assert browser.request("GET", host, "/apps/files/", account=member).status == 200
