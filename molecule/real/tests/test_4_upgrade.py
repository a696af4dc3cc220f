# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""From one major to the next, with one space whose migration fails. The tests follow each other."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support import real
from tests.support.associations import Associations
from tests.support.fixtures import SCENARIO
from tests.support.scenario import Scenario

SUMMARY = "Show the summary"
OLD, NEW = real.versions(SCENARIO.name)
# What says that a space is closed, or on its way.
CLOSED = "find /var/lib/archipel/closed /var/lib/archipel/life -type f 2>/dev/null"


def named(scenario: Scenario, slug: str, kind: str) -> set[str]:
    """Return the names of the tables or views of a space."""
    where = f"table_schema = 'space_{slug}' AND table_type = '{kind}'"
    listed = f"SELECT table_name FROM information_schema.tables WHERE {where}"
    return {row[0] for row in scenario.sql(listed)}


def clear(scenario: Scenario, slug: str) -> None:
    """Take out of the way what the fixture put there."""
    for name in named(scenario, slug, "VIEW"):
        scenario.sql(f"DROP VIEW `space_{slug}`.`{name}`")


@pytest.fixture(scope="module")
def moving(scenario: Scenario) -> list[str]:
    """The spaces that run the older release at first."""
    return sorted(
        slug for slug, space in scenario.in_status("approved").items() if space["ring"] != "canary"
    )


@pytest.fixture(scope="module")
def broken(moving: list[str]) -> str:
    """The space that cannot be migrated."""
    return moving[0]


@pytest.fixture(scope="module")
def pages(associations: Associations, moving: list[str]) -> dict[str, dict[str, int]]:
    """How the pages of these spaces answer before anything happens to them."""
    return {slug: associations.pages(slug) for slug in moving}


@pytest.fixture(scope="module")
def in_the_way(scenario: Scenario, full: str, broken: str) -> Iterator[set[str]]:
    """Something else has the names of the tables that the newer release makes."""
    old, new = (named(scenario, slug, "BASE TABLE") for slug in (broken, full))
    names = new - old
    assert names
    for name in names:
        scenario.sql(f"CREATE VIEW `space_{broken}`.`{name}` AS SELECT 1 AS one")
    yield names
    clear(scenario, broken)


def test_1_what_cannot_be_migrated_comes_back_alone(
    scenario: Scenario,
    associations: Associations,
    moving: list[str],
    broken: str,
    pages: dict[str, dict[str, int]],
    in_the_way: set[str],
):
    assert {slug: associations.releases()[slug] for slug in moving} == dict.fromkeys(moving, OLD)
    only = f"only={','.join(moving)}"
    results = scenario.attempt("upgrade.yml", "-e", f"release={NEW}", "-e", only, "-e", "budget=1")
    assert SUMMARY in results, [one.get("msg") for one in results.values() if one.get("failed")]
    said = json.dumps(results[SUMMARY]["msg"], ensure_ascii=False)
    assert f"{broken}: rolled back, closed for " in said
    # The reason is what the database said about the table.
    assert [name for name in in_the_way if name in said], said
    expected = {slug: OLD if slug == broken else NEW for slug in moving}
    assert {slug: associations.releases()[slug] for slug in moving} == expected
    assert scenario.node.run(CLOSED).stdout == ""


def test_2_the_one_that_came_back_has_every_page_and_everything_in_it(
    associations: Associations, broken: str, pages: dict[str, dict[str, int]]
):
    assert associations.pages(broken) == pages[broken]
    assert associations.changed([broken]) == {}


def test_3_the_others_have_everything_on_the_new_release(
    associations: Associations, moving: list[str], broken: str, pages: dict[str, dict[str, int]]
):
    others = [slug for slug in moving if slug != broken]
    assert associations.changed(others) == {}
    for slug in others:
        now = associations.pages(slug)
        assert now == dict.fromkeys(now, 200), slug
        assert set(pages[slug]) <= set(now), slug


def test_4_once_it_is_mended_the_last_one_follows(
    scenario: Scenario,
    associations: Associations,
    moving: list[str],
    broken: str,
    in_the_way: set[str],
):
    clear(scenario, broken)
    scenario.converge("upgrade.yml", "-e", f"release={NEW}")
    assert set(associations.releases().values()) == {NEW}
    assert associations.changed(associations.slugs) == {}
    # A second run has nothing to do, nor has an ordinary one.
    assert scenario.converge("upgrade.yml", "-e", f"release={NEW}") == []
    assert scenario.converge("spaces.yml") == []


def test_5_what_is_only_in_the_new_release_can_be_made_in_an_upgraded_space(
    associations: Associations, broken: str, full: str
):
    found = associations.fill(broken)
    assert set(found) == set(associations.kept(full))
    assert [kind for kind, value in found.items() if not value] == []
