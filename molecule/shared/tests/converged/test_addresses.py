# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""People reach the spaces under a port of the machine's own: no answer may lead elsewhere."""

from __future__ import annotations

import pytest
from testinfra.host import Host

from tests.support.browser import Browser, Visit
from tests.support.scenario import Scenario

SLUG = "velo-ecole"
# The plain port is not published: asked on the machine itself.
PLAIN = """
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1")
connection.request("GET", "/login?a=b", headers={"Host": sys.argv[1]})
answer = connection.getresponse()
print(answer.status, answer.getheader("location"), sep="\\n")
"""
REDIRECTS = {
    "/": "/login",
    "/.well-known/caldav": "/remote.php/dav/",
    "/.well-known/carddav": "/remote.php/dav/",
    "/.well-known/webfinger": "/index.php/.well-known/webfinger",
    "/.well-known/nodeinfo": "/index.php/.well-known/nodeinfo",
    "/.well-known/elsewhere?a=b": "/index.php/.well-known/elsewhere?a=b",
    "/remote": "/remote.php/remote",
    "/remote/caldav": "/remote.php/remote/caldav",
    # Folders of the release, without their slash.
    "/core": "/core/",
    "/core/css": "/core/css/",
}


@pytest.fixture
def host(scenario: Scenario) -> str:
    return str(scenario.spaces[SLUG]["domains"][0])


@pytest.mark.parametrize(("path", "leads_to"), REDIRECTS.items())
def test_redirects_keep_the_port(browser: Browser, host: str, path: str, leads_to: str):
    there = browser.get(host, path).header("location")
    assert there in {leads_to, f"https://{host}:{browser.port}{leads_to}"}


def test_calendar_clients_of_apple_keep_the_port(browser: Browser, host: str):
    answer = browser.get(host, "/?a=b", **{"User-Agent": "DavClnt"})
    assert answer.header("location") == "/remote.php/webdav/?a=b"


def test_the_plain_port_leads_to_the_public_one(node: Host, browser: Browser, host: str):
    assert node.check_output("python3 -c %s %s", PLAIN, host).splitlines() == [
        "301",
        f"https://{host}:{browser.port}/login?a=b",
    ]


def test_a_visitor_ends_at_the_login(browser: Browser, host: str):
    visit = Visit(browser, host)
    assert visit.open("/").status == 200
    assert visit.trail[-1] == f"https://{host}:{browser.port}/login"


@pytest.mark.parametrize("name", ["HOST:1", "HOST:99999999", "HOST", "HOST:8443.evil.example"])
def test_what_a_client_says_of_the_port_is_in_no_link(browser: Browser, host: str, name: str):
    """Or the link that resets a password could be made to lead to somebody else's service."""
    answer = browser.get(host, "/", Host=name.replace("HOST", host))
    found = answer.headers.get("location", [f"https://{host}:{browser.port}/login"])
    assert found == [f"https://{host}:{browser.port}/login"]


@pytest.mark.parametrize("path", ["/updater/", "/updater", "/updater/index.php", "/updater/x/y"])
def test_nobody_reaches_the_program_that_would_replace_a_release(
    browser: Browser, host: str, path: str
):
    answer = browser.get(host, path)
    assert answer.status == 404
    # It is nginx that says so: PHP would not be asked.
    assert "set-cookie" not in answer.headers
