# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""One more file, one more space; the others are not touched in anything."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

import pytest
from testinfra.host import Host

from tests.support.browser import Browser
from tests.support.layout import Layout
from tests.support.scenario import Change, Scenario, Space
from tools import ROOT

SLUG = "chorale-des-halles"
FILE = ROOT / f"molecule/shared/ninth/{SLUG}.yml"
UNITS = (
    "space-php@{}.socket",
    "space-php@{}.service",
    "space-redis@{}.service",
    "space-cron@{}.timer",
)


@dataclass(frozen=True)
class Ninth:
    """The others before and after, and what the run did."""

    before: dict[str, str]
    after: dict[str, str]
    changes: list[Change]


@pytest.fixture(scope="module")
def ninth(scenario: Scenario, node: Host, browser: Browser) -> Ninth:
    """Wake everyone, look, add the file, converge the spaces, look again."""
    others = scenario.spaces
    for space in scenario.in_status("approved").values():
        browser.get(space["domains"][0], "/status.php")
    before = look(node, others)
    shutil.copy(FILE, scenario.registry(SLUG))
    changes = scenario.converge("spaces.yml")
    return Ninth(before, look(node, others), changes)


def look(node: Host, spaces: dict[str, Space]) -> dict[str, str]:
    """Return slug → every file's owner, mode and time, and when each service started."""
    return {slug: files(node, slug) + services(node, slug) for slug in spaces}


def files(node: Host, slug: str) -> str:
    """What the space does to itself (sessions, logs, its own data) is left out."""
    places = f"{Layout(slug).config} {Layout(slug).vhost} {Layout(slug).php}"
    roots = f"{Layout(slug).home} {Layout(slug).data} {Layout(slug).release}"
    shape = "-printf '%p %u:%g %m %i %T@ %C@\n'"
    return node.check_output(
        f"find {places} {shape} 2>/dev/null | sort; find {roots} -maxdepth 0 {shape} | sort"
    )


def services(node: Host, slug: str) -> str:
    units = " ".join(unit.format(slug) for unit in UNITS)
    names = "Id,ActiveState,MainPID,ActiveEnterTimestampMonotonic,UnitFileState,NRestarts"
    return node.check_output(f"systemctl show {units} --property={names}")


def test_the_ninth_space_works(scenario: Scenario, browser: Browser, ninth: Ninth):
    space = scenario.spaces[SLUG]
    answer = browser.get(space["domains"][0], "/status.php")
    assert (answer.status, answer.json()["installed"]) == (200, True)


def test_the_others_are_not_touched(ninth: Ninth):
    assert ninth.before
    assert ninth.after == ninth.before


def test_the_run_speaks_of_the_ninth_alone(ninth: Ninth):
    assert ninth.changes
    others = [change for change in ninth.changes for slug in ninth.before if slug in change.spaces]
    assert others == []


def test_a_further_run_changes_nothing(scenario: Scenario, ninth: Ninth):
    assert ninth.changes
    assert scenario.converge("spaces.yml") == []


def test_everyone_still_answers(browser: Browser, scenario: Scenario, ninth: Ninth):
    assert ninth.after
    for space in scenario.in_status("approved").values():
        assert browser.get(space["domains"][0], "/status.php").status == 200
