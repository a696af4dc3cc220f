# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""One name of a space is canonical: what people, programs and Nextcloud itself make of that."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.support.association import Association
from tests.support.associations import Associations
from tests.support.scenario import Scenario
from tools.https import Answer
from tools.person import Person

WELL_KNOWN = {"carddav": "/remote.php/dav", "caldav": "/remote.php/dav"}


class Names:
    """A space under its two names, with somebody who is in it."""

    def __init__(self, scenario: Scenario, associations: Associations, slug: str) -> None:
        self.scenario, self.slug = scenario, slug
        entry = scenario.spaces[slug]
        self.plain = f"{slug}.archipel.localhost"
        (self.own,) = (name for name in entry["domains"] if name != self.plain)
        self.port = urlsplit(entry["url"]).port
        self.zoe = associations.space(slug).zoe

    @property
    def both(self) -> tuple[str, str]:
        """The name below the base domain, and the association's own."""
        return self.plain, self.own

    def origin(self, name: str) -> str:
        """Return what addresses under a name begin with."""
        return f"https://{name}:{self.port}"

    def at(self, name: str) -> Person:
        """Return the same person, who came under a name."""
        return Person(self.zoe.browser, name, self.zoe.name, self.zoe.password)

    def get(self, name: str, path: str) -> Answer:
        """Ask for a page as a browser does that nobody is logged in with."""
        return self.zoe.browser.get(name, path)

    def set(self, canonical: str, *, redirect: bool) -> None:
        """Write into the file which name is the canonical one, and converge."""
        Association(self.scenario, self.slug, ("", "")).write(
            canonical=canonical, redirect=redirect
        )
        only = ("-e", f"only={self.slug}")
        assert self.scenario.converge("spaces.yml", *only) != []
        assert self.scenario.converge("spaces.yml", *only) == []


@pytest.fixture(scope="module")
def names(scenario: Scenario, associations: Associations, full: str) -> Names:
    return Names(scenario, associations, full)


def check_programs(names: Names, shared: dict[str, str]) -> None:
    """What programs do works under each name; links are of the names that are expected."""
    for name in names.both:
        zoe = names.at(name)
        path = f"files/{zoe.name}/names.txt"
        assert zoe.dav("PUT", path, "x").status in {201, 204}
        assert zoe.dav("PROPFIND", f"files/{zoe.name}/").status == 207
        share = zoe.ocs("POST", "apps/files_sharing/api/v1/shares", path="/names.txt", shareType=3)
        assert share["url"].startswith(f"{names.origin(shared[name])}/"), share["url"]
        moved = f"{names.origin(name)}/remote.php/dav/files/{zoe.name}/moved.txt"
        assert zoe.dav("MOVE", path, Destination=moved).status in {201, 204}
        zoe.dav("DELETE", f"files/{zoe.name}/moved.txt")
        flow = zoe.browser.request("POST", name, "/index.php/login/v2").json()
        assert flow["login"].startswith(f"{names.origin(shared[name])}/")
        for service, place in WELL_KNOWN.items():
            led = names.get(name, f"/.well-known/{service}").header("location")
            # Without an origin: whoever came stays under the name that was asked for.
            assert led.rstrip("/") == place


def test_side_by_side_each_name_is_its_own(names: Names):
    assert [names.get(name, "/login").status for name in names.both] == [200, 200]
    check_programs(names, {name: name for name in names.both})


class TestOneLeadsToTheOther:
    @pytest.fixture(scope="class", autouse=True)
    def led(self, names: Names) -> Iterator[None]:
        path = names.scenario.registry(names.slug)
        before = path.read_bytes()
        names.set(names.own, redirect=True)
        yield
        path.write_bytes(before)
        only = ("-e", f"only={names.slug}")
        assert names.scenario.converge("spaces.yml", *only) != []
        assert names.scenario.converge("spaces.yml", *only) == []

    def test_people_are_led(self, names: Names):
        answer = names.get(names.plain, "/login?redirect_url=/apps/files/")
        assert answer.status == 302
        expected = f"{names.origin(names.own)}/login?redirect_url=/apps/files/"
        assert answer.header("location") == expected
        assert names.get(names.own, "/login").status == 200

    def test_programs_are_served_and_links_are_of_the_canonical_name(self, names: Names):
        check_programs(names, dict.fromkeys(names.both, names.own))

    def test_nextcloud_says_the_same_of_itself(self, names: Names):
        said = names.scenario.occ(names.slug, "config:system:get overwrite.cli.url")
        assert said.strip() == names.origin(names.own)


def test_and_back(names: Names):
    assert names.get(names.plain, "/login").status == 200
    check_programs(names, {name: name for name in names.both})
