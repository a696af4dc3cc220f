# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""After a reboot every space answers, without anyone converging anything."""

from __future__ import annotations

from testinfra.host import Host

from tests.support.browser import Browser
from tests.support.layout import Units
from tests.support.scenario import Scenario, Space


def test_the_machine_did_reboot_and_everything_started(scenario: Scenario, node: Host):
    uptime = float(node.check_output("ps -o etimes= -p 1"))
    assert uptime < 300
    assert node.check_output("systemctl --failed --no-legend --plain") == ""
    assert scenario.show("mariadb.service", "ActiveState") == {"ActiveState": "active"}


def test_the_space_wakes_by_itself(browser: Browser, spaces: dict[str, Space], approved_slug: str):
    answer = browser.get(spaces[approved_slug]["domains"][0], "/status.php")
    assert (answer.status, answer.json()["installed"]) == (200, True)


def test_its_jobs_have_their_clock_back(node: Host, approved_slug: str):
    assert node.service(Units(approved_slug).jobs_timer).is_running


def test_suspended_stays_suspended(browser: Browser, spaces: dict[str, Space], suspended_slug: str):
    assert browser.get(spaces[suspended_slug]["domains"][0]).status == 503


def test_closed_stays_closed(browser: Browser, spaces: dict[str, Space], closed_slug: str):
    assert browser.get(spaces[closed_slug]["domains"][0]).status == 410
