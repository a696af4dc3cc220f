# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What visitors and clients see before they have logged in."""

from __future__ import annotations

import html
import time
from collections.abc import Callable

import pytest

from tests.conformance.client import Client
from tests.conformance.conftest import STANDIN, Occ

HARMLESS = '"A & B" {{ 7*7 }} é 🚲'
HOSTILE = f"<script>alert(1)</script> {HARMLESS}"


def eventually(ask: Callable[[], str], good: Callable[[str], bool]) -> str:
    """Ask again for a while: newer releases keep settings for some seconds in a local cache."""
    until = time.monotonic() + 15
    while not good(answer := ask()) and time.monotonic() < until:
        time.sleep(0.5)
    return answer


def test_a_stand_in_says_that_it_is_one(anonymous: Client):
    """Both marks or none: no test may take one for the other."""
    answer = anonymous.get("/status.php")
    assert (answer.json["productname"] == STANDIN) == (answer.headers["X-Archipel-Standin"] == "1")


def test_front_page_leads_to_the_login(anonymous: Client):
    answer = anonymous.get("/")
    assert answer.status == 302
    assert answer.headers["Location"].endswith("/login")


def test_login_page(anonymous: Client):
    answer = anonymous.get("/login")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "data-requesttoken=" in answer.text
    assert "frame-ancestors" in answer.headers["Content-Security-Policy"]
    assert "HttpOnly" in "".join(answer.headers.get_all("Set-Cookie", []))
    assert 'lang="fr"' in answer.text


def test_name_of_the_space_is_text_and_nothing_else(occ: Occ, anonymous: Client):
    occ("config:app:set", "theming", "name", f"--value={HOSTILE}")
    try:
        page = eventually(lambda: anonymous.get("/login").text, lambda text: "7*7" in text)
    finally:
        occ("config:app:delete", "theming", "name")
    assert "<script>alert(1)</script>" not in page
    title = page.split("<title>", 1)[1].split("</title>", 1)[0]
    # Tags may be shown or taken out; the rest is there as it was written.
    assert HARMLESS in html.unescape(title)


def test_unknown_page(anonymous: Client):
    assert anonymous.get("/index.php/no/such/page").status == 404


def test_unknown_host_name_is_refused(anonymous: Client):
    """By Nextcloud, or by the web server before it."""
    assert anonymous.get("/login", Host="evil.example").status in (400, 421)


@pytest.mark.parametrize("path", ["/robots.txt", "/core/css/guest.css"])
def test_static_files(anonymous: Client, path: str):
    assert anonymous.get(path).status == 200


class TestOcs:
    def test_capabilities_need_no_account(self, anonymous: Client):
        answer = anonymous.ocs("/cloud/capabilities").json["ocs"]
        assert answer["meta"]["statuscode"] == 200
        version = answer["data"]["version"]
        full = anonymous.get("/status.php").json["version"]
        assert full.startswith(f"{version['major']}.{version['minor']}.{version['micro']}.")

    def test_xml_is_the_default(self, anonymous: Client):
        answer = anonymous.ocs("/cloud/capabilities", "")
        assert answer.xml.findtext("meta/status") == "ok"

    def test_old_address_counts_differently(self, anonymous: Client):
        answer = anonymous.get("/ocs/v1.php/cloud/capabilities?format=json", OCS_APIRequest="true")
        assert answer.json["ocs"]["meta"]["statuscode"] == 100

    def test_account_must_log_in(self, anonymous: Client):
        answer = anonymous.ocs("/cloud/user")
        assert answer.status == 401
        assert answer.json["ocs"]["meta"]["statuscode"] == 997

    def test_account_sees_itself(self, occ: Occ, shared_account: Client):
        occ("group:add", "archipel-group")
        occ("group:adduser", "archipel-group", shared_account.account)
        data = shared_account.ocs("/cloud/user").json["ocs"]["data"]
        occ("group:delete", "archipel-group")
        assert data["id"] == shared_account.account
        assert data["groups"] == ["archipel-group"]
        assert {"used", "quota"} <= set(data["quota"])
