# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What visitors of a space see."""

from __future__ import annotations

import html
import ssl

import pytest

from tests.support.browser import Browser
from tests.support.scenario import Space, title

HEADERS = {
    "strict-transport-security": "max-age=15768000",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "x-permitted-cross-domain-policies": "none",
    "x-robots-tag": "noindex, nofollow",
}
PRIVATE = (
    "/config/config.php",
    "/config/managed.config.php",
    "/data/",
    "/lib/base.php",
    "/occ",
    "/.htaccess",
    "/console.php",
    "/README.md",
)

METHODS = ("GET", "HEAD", "OPTIONS", "PROPFIND", "PUT", "DELETE", "MKCOL", "MOVE", "REPORT", "POST")

# Managing applications is the operator's, by page and by OCS, in old and new releases.
CLOSED = (
    "/settings/apps",
    "/index.php/settings/apps/list",
    "/index.php/settings/apps/enable/files",
    "/index.php/apps/appstore",
    "/ocs/v1.php/cloud/apps",
    "/ocs/v2.php/cloud/apps/files",
    "/ocs/v2.php/apps/appstore/api/v1/apps",
    "/index.php//settings/./apps",
)


def test_status_says_installed_and_up_to_date(
    browser: Browser, spaces: dict[str, Space], approved_slug: str
):
    space = spaces[approved_slug]
    answer = browser.get(space["domains"][0], "/status.php")
    assert answer.status == 200
    status = answer.json()
    assert status["installed"] is True
    assert status["maintenance"] is False
    assert status["needsDbUpgrade"] is False
    # A development tree says "35.0.0 dev".
    assert status["versionstring"].split()[0] == space["release"]


def test_login_page_carries_the_name_literally(
    browser: Browser, spaces: dict[str, Space], approved_slug: str
):
    """Whatever an association is called, its name is text and nothing else."""
    space = spaces[approved_slug]
    answer = browser.get(space["domains"][0], "/index.php/login")
    assert answer.status == 200
    assert space["name"] in html.unescape(title(answer.text))
    assert "<b>" not in title(answer.text)


def test_every_domain_leads_to_the_space(
    browser: Browser, spaces: dict[str, Space], approved_slug: str
):
    canonical, *names = spaces[approved_slug]["domains"]
    expected = title(browser.get(canonical, "/index.php/login").text)
    for name in names:
        assert title(browser.get(name, "/index.php/login").text) == expected


def test_every_answer_has_the_security_headers_once(
    browser: Browser, spaces: dict[str, Space], approved_slug: str
):
    for path in ("/index.php/login", "/status.php"):
        answer = browser.get(spaces[approved_slug]["domains"][0], path)
        assert {name: answer.header(name) for name in HEADERS} == HEADERS
        assert "x-powered-by" not in answer.headers


@pytest.mark.parametrize("path", CLOSED)
def test_nobody_manages_applications(browser: Browser, spaces: dict[str, Space], path: str):
    """A belt: Nextcloud's own roles forbid it too."""
    space = next(space for space in spaces.values() if space["status"] == "approved")
    assert browser.get(space["domains"][0], path).status == 403


@pytest.mark.parametrize("path", PRIVATE)
def test_what_is_not_for_visitors_is_not_found(
    browser: Browser, spaces: dict[str, Space], path: str
):
    assert browser.get(spaces["velo-ecole"]["domains"][0], path).status == 404


def test_a_name_that_is_no_space_gets_nothing(browser: Browser, spaces: dict[str, Space]):
    """Neither a requested association, nor a name in another's certificate."""
    base = spaces["velo-ecole"]["domains"][0].split(".", 1)[1]
    for name in (f"nobody.{base}", "elsewhere.example"):
        try:
            answer = browser.get(name, "/status.php")
        except (ssl.SSLError, ConnectionError):
            continue
        assert answer.status in {404, 421}
        assert b"versionstring" not in answer.body


def test_a_foreign_host_header_is_refused(browser: Browser, spaces: dict[str, Space]):
    """The name in TLS is one thing, the name in the request another."""
    answer = browser.get(spaces["velo-ecole"]["domains"][0], "/status.php", Host="evil.example")
    assert answer.status in {400, 404, 421}


def test_a_suspended_space_says_so(browser: Browser, spaces: dict[str, Space], suspended_slug: str):
    """Sync clients try later; they must not take the answer for an empty folder."""
    for path in ("/", "/status.php", "/remote.php/dav/files/"):
        answer = browser.get(spaces[suspended_slug]["domains"][0], path)
        assert answer.status == 503
        assert int(answer.header("retry-after")) > 0
        assert "suspend" in answer.text.lower()


@pytest.mark.parametrize("method", METHODS)
def test_sync_clients_of_a_suspended_space_are_told_to_wait(
    browser: Browser, spaces: dict[str, Space], suspended_slug: str, method: str
):
    """An answer such as 404 or 410 would make them delete, and 405 is no "later"."""
    host = spaces[suspended_slug]["domains"][0]
    answer = browser.request(method, host, "/remote.php/dav/files/x/")
    assert (answer.status, answer.header("retry-after")) == (503, "3600")


@pytest.mark.parametrize("method", METHODS)
def test_sync_clients_of_a_closed_space_are_told_so(
    browser: Browser, spaces: dict[str, Space], closed_slug: str, method: str
):
    host = spaces[closed_slug]["domains"][0]
    assert browser.request(method, host, "/remote.php/dav/files/x/").status == 410


def test_a_closed_space_is_gone(browser: Browser, spaces: dict[str, Space], closed_slug: str):
    for path in ("/", "/status.php", "/remote.php/dav/files/"):
        answer = browser.get(spaces[closed_slug]["domains"][0], path)
        assert answer.status == 410
