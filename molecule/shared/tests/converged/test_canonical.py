# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A space under several names: side by side, or all pages under one, and back again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from testinfra.host import Host

from tests.support.association import Association
from tests.support.browser import Answer, Browser
from tests.support.network import STATE
from tests.support.scenario import Scenario

SLUG, DOMAIN = "velo-ecole", "cloud.velo-ecole.example"


@pytest.fixture(scope="module")
def platform(scenario: Scenario) -> str:
    return f"{SLUG}.archipel.localhost"


@pytest.fixture(scope="module")
def browser(scenario: Scenario, node: Host) -> Browser:
    """A browser that trusts what own domains are signed by, too."""
    chain = node.file("/etc/archipel/tls/domains/chain.pem").content_string
    return Browser(port=scenario.machine.port(443), authority=chain)


@pytest.fixture(scope="class")
def led(scenario: Scenario) -> Iterator[None]:
    """All pages of the space are under its own domain."""
    path = scenario.registry(SLUG)
    kept = path.read_bytes()
    Association(scenario, SLUG, ("", "")).write(canonical=DOMAIN, redirect=True)
    scenario.converge("spaces.yml", "-e", f"only={SLUG}")
    yield
    path.write_bytes(kept)
    scenario.converge("spaces.yml", "-e", f"only={SLUG}")


def public(scenario: Scenario, host: str) -> str:
    """Return how links name a host: with the port that people use."""
    port = scenario.spaces[SLUG]["url"].partition("://")[2].partition(":")[2]
    return f"{host}:{port}" if port else host


def leads(answer: Answer) -> str:
    return answer.header("location") if answer.status in range(300, 400) else str(answer.status)


def test_side_by_side_each_name_is_itself(scenario: Scenario, browser: Browser, platform: str):
    """Before: nothing leads from one to another, and links are made of the one that was asked."""
    for host in (platform, DOMAIN):
        assert browser.get(host, "/index.php/login").status == 200


@pytest.mark.usefixtures("led")
class TestLed:
    def test_pages_under_the_other_name_lead_to_the_same_ones(
        self, scenario: Scenario, browser: Browser, platform: str
    ):
        base = f"https://{public(scenario, DOMAIN)}"
        for path in ("/", "/index.php/login?redirect_url=%2Fs%2Fx%20y", "/index.php/s/Abc"):
            answer = browser.get(platform, path)
            assert (answer.status, leads(answer)) == (302, f"{base}{path}")
            assert answer.header("strict-transport-security")
            assert "cache-control" not in answer.headers
        assert browser.get(DOMAIN, "/index.php/login").status == 200

    def test_programs_are_answered_under_the_name_that_they_know(
        self, browser: Browser, platform: str
    ):
        """A client that was set up with the other name goes on to sync."""
        assert browser.get(platform, "/status.php").json()["installed"] is True
        answer = browser.request("PROPFIND", platform, "/remote.php/dav/files/x/")
        assert answer.status == 401
        script = browser.get(platform, "/index.php/login", **{"Sec-Fetch-Mode": "same-origin"})
        assert script.status == 200

    @pytest.mark.parametrize("service", ["carddav", "caldav"])
    def test_well_known_addresses_keep_scheme_host_and_port(
        self, browser: Browser, platform: str, service: str
    ):
        """What is said without a host is under the one that was asked."""
        for host in (platform, DOMAIN):
            answer = browser.get(host, f"/.well-known/{service}")
            assert (answer.status, leads(answer)) == (301, "/remote.php/dav/")

    def test_nextcloud_s_own_links_are_of_the_canonical_name(
        self, scenario: Scenario, platform: str
    ):
        """What it does without being asked, and mails, too."""
        url = scenario.occ(SLUG, "config:system:get overwrite.cli.url").strip()
        assert url == f"https://{public(scenario, DOMAIN)}" == scenario.spaces[SLUG]["url"]
        assert scenario.spaces[SLUG]["domains"] == [DOMAIN, platform]

    def test_it_reaches_itself_under_both(self, node: Host, platform: str):
        """Its sandbox leads both to its own address, and nginx answers there as this space."""
        text = node.file(f"/etc/nginx/archipel/{SLUG}.conf").content_string
        assert f">{DOMAIN};" in text
        first = node.check_output("head -n 1 %s", f"{STATE}/hosts/{SLUG}")
        assert first.split()[1:] == [DOMAIN, platform]
        node.check_output("nginx -t -q")


def test_afterwards_both_are_served_again(scenario: Scenario, browser: Browser, platform: str):
    """It took one run, and nothing of it is left."""
    assert scenario.converge("spaces.yml", "--check", "-e", f"only={SLUG}") == []
    url = scenario.occ(SLUG, "config:system:get overwrite.cli.url").strip()
    assert url == f"https://{public(scenario, platform)}"
    for host in (platform, DOMAIN):
        assert browser.get(host, "/index.php/login").status == 200
