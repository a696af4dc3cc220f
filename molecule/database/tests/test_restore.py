# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A space whose database is on another machine is restored over the network, and loses nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from testinfra.host import Host

from tests.support.layout import Layout
from tests.support.scenario import Scenario

SLUG = "velo-ecole"
ONLY, CONFIRM = ("-e", f"only={SLUG}"), ("-e", f"confirm={SLUG}")
RESTORE = "archipel.spaces.spaces_restore"
HOOK = "/run/archipel/kill-at"
KEPT = Layout(SLUG).previous_database
STEPS = ("fetch", "stop", "aside", "load", "place", "finish")


def add_account(scenario: Scenario, name: str) -> None:
    """Add something that one sees in the database."""
    scenario.occ(SLUG, f"user:add --password-from-env {name}", OC_PASS="longer-than-ten-1")


def accounts(scenario: Scenario) -> set[str]:
    """Return those of the accounts above that are there."""
    return {"early", "late"} & set(json.loads(scenario.occ(SLUG, "user:list --output=json")))


def rights(database: Host) -> list[str]:
    """Return the databases that the space's account may use."""
    query = f"SELECT Db FROM mysql.db WHERE User = '{Layout(SLUG).user}'"
    return sorted(database.check_output("mariadb -N -r -e %s", query).replace("\\", "").split())


def is_kept(database: Host) -> bool:
    """Tell whether there is a state from before a restore."""
    return database.check_output("mariadb -N -e %s", f"SHOW DATABASES LIKE '{KEPT}'") != ""


def answers(scenario: Scenario) -> dict[str, Any]:
    """Return what the space says of itself."""
    status = scenario.browser.get(scenario.spaces[SLUG]["domains"][0], "/status.php").json()
    return {"installed": status["installed"], "maintenance": status["maintenance"]}


OPEN = {"installed": True, "maintenance": False}


@pytest.fixture(scope="module")
def backup(scenario: Scenario) -> None:
    """A backup that knows one account, and a space that knows two."""
    add_account(scenario, "early")
    scenario.converge("backup.yml", *ONLY)
    add_account(scenario, "late")


@pytest.mark.usefixtures("backup")
class TestRestore:
    def test_a_restored_space_is_as_it_was(self, scenario: Scenario, database: Host):
        scenario.converge("restore.yml", *ONLY, *CONFIRM)
        assert accounts(scenario) == {"early"}
        assert answers(scenario) == OPEN
        assert is_kept(database)
        # What it needed for that was taken away again.
        assert rights(database) == [Layout(SLUG).database]
        assert scenario.converge("spaces.yml", *ONLY) == []

    def test_no_further_restore_over_what_is_kept(self, scenario: Scenario, database: Host):
        said = scenario.refusal("restore.yml", *ONLY, *CONFIRM)
        assert "from before an earlier restore is still kept" in said
        assert accounts(scenario) == {"early"}

    def test_the_previous_state_comes_back(self, scenario: Scenario, database: Host):
        scenario.converge("restore.yml", *ONLY, *CONFIRM, "-e", "previous=restore")
        assert accounts(scenario) == {"early", "late"}
        assert answers(scenario) == OPEN
        assert not is_kept(database)
        assert rights(database) == [Layout(SLUG).database]

    def test_without_the_right_nothing_is_touched(self, scenario: Scenario, node: Host):
        words = {"space": SLUG, "confirm": SLUG, "distant": True}
        said = scenario.module(RESTORE, **words)["msg"]
        assert f"its account may not use {KEPT}" in said
        assert not node.file(Layout(SLUG).journal).exists
        assert answers(scenario) == OPEN

    def test_killed_at_every_step(self, scenario: Scenario, node: Host, database: Host):
        account = database.check_output(
            "mariadb -N -e %s",
            f"SELECT Host FROM mysql.global_priv WHERE User = '{Layout(SLUG).user}'",
        )
        pattern = KEPT.replace("_", "\\_")
        grant = f"GRANT ALL PRIVILEGES ON `{pattern}`.* TO '{Layout(SLUG).user}'@'{account}'"
        database.check_output("mariadb -e %s", grant)
        for step in STEPS:
            node.check_output(f"echo restore:{step} > {HOOK}")
            scenario.module(RESTORE, space=SLUG, confirm=SLUG, distant=True)
            assert not node.file(HOOK).exists, f"{step} was not reached"
            journal = json.loads(node.file(Layout(SLUG).journal).content_string)
            assert (journal["verb"], journal["step"]) == ("restore", step)
        said = scenario.refusal("spaces.yml", *ONLY)
        assert f"finish it with playbooks/restore.yml -e only={SLUG}" in said
        scenario.converge("restore.yml", *ONLY)
        assert accounts(scenario) == {"early"}
        assert answers(scenario) == OPEN
        assert rights(database) == [Layout(SLUG).database]

    def test_what_was_kept_goes_once_that_is_confirmed(
        self, scenario: Scenario, node: Host, database: Host
    ):
        scenario.converge("restore.yml", *ONLY, *CONFIRM, "-e", "previous=discard")
        assert not is_kept(database)
        assert not node.file(Layout(SLUG).previous).exists
        assert accounts(scenario) == {"early"}
        assert rights(database) == [Layout(SLUG).database]
        assert scenario.converge("spaces.yml", *ONLY) == []
