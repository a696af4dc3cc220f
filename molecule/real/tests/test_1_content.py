# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What members of an association do in their space, through public interfaces alone."""

from __future__ import annotations

import pytest

from tests.support import content
from tests.support.associations import PAGES, Associations, Content
from tests.support.scenario import Scenario


@pytest.fixture(scope="module")
def filled(associations: Associations) -> dict[str, Content | Exception]:
    """Every space with content in it, or what it refused."""
    return associations.fill_all()


def test_every_kind_of_content_can_be_made(filled: dict[str, Content | Exception], slug: str):
    found = filled[slug]
    assert not isinstance(found, Exception), found
    assert len(found["Files"]) == content.FILES
    assert [kind for kind, value in found.items() if not value] == []


def test_what_nobody_changes_stays_as_it_is(
    associations: Associations, filled: dict[str, Content | Exception]
):
    """What changes by itself would be no witness later."""
    assert associations.changed(associations.slugs) == {}


def test_the_newest_release_has_every_kind_that_its_applications_allow(
    scenario: Scenario,
    associations: Associations,
    filled: dict[str, Content | Exception],
    full: str,
):
    """What is not made is named in the catalogue as missing."""
    release = scenario.spaces[full]["release"]
    without = scenario.module("ansible.builtin.debug", var="archipel_releases")
    missing = set(without["archipel_releases"][release]["without"])
    expected = {type(k).__name__ for k in content.KINDS if k.application not in missing}
    assert set(associations.kept(full)) == expected


def test_every_page_of_the_menu_opens(associations: Associations, slug: str):
    pages = associations.pages(slug)
    assert set(PAGES) < set(pages)
    assert pages == dict.fromkeys(pages, 200)


def test_a_run_changes_nothing_in_spaces_that_are_used(scenario: Scenario):
    assert scenario.converge("site.yml") == []
