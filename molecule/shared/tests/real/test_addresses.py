# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Links that only Nextcloud itself makes, on the published port: see test_full.py."""

from __future__ import annotations

import email
import email.policy
import re
import secrets
import urllib.parse

import pytest
from testinfra.host import Host

from tests.support.association import Association, member
from tests.support.browser import Browser, Visit
from tests.support.layout import Layout
from tests.support.scenario import Scenario

SLUG = "velo-ecole"
OCS = {"OCS-APIRequest": "true", "Accept": "application/json"}


@pytest.fixture(scope="module")
def velo(scenario: Scenario) -> Association:
    return member(scenario, SLUG)


@pytest.fixture(scope="module")
def account(scenario: Scenario, velo: Association) -> tuple[str, str]:
    """Its member, with the password that the login page takes."""
    password = secrets.token_urlsafe(24)
    name = velo.account[0]
    scenario.occ(SLUG, f"user:resetpassword --password-from-env {name}", OC_PASS=password)
    return name, password


@pytest.fixture
def origin(browser: Browser, velo: Association) -> str:
    return f"https://{velo.host}:{browser.port}"


def test_somebody_logs_in(
    browser: Browser, velo: Association, account: tuple[str, str], origin: str
):
    visit = Visit(browser, velo.host)
    page = visit.login(account)
    assert page.status == 200
    assert visit.trail[-1].startswith(f"{origin}/apps/")
    assert f'data-user="{account[0]}"' in page.text


def test_a_client_is_led_through_its_login(browser: Browser, velo: Association, origin: str):
    answer = browser.request("POST", velo.host, "/index.php/login/v2").json()
    assert answer["login"].startswith(f"{origin}/login/v2/flow/")
    assert answer["poll"]["endpoint"] == f"{origin}/login/v2/poll"
    assert Visit(browser, velo.host).open(answer["login"]).status == 200


def test_a_share_link_leads_there(browser: Browser, velo: Association, origin: str):
    assert velo.ask("PUT", velo.path(0), b"x")[0] in {201, 204}
    answer = browser.request(
        "POST",
        velo.host,
        "/ocs/v2.php/apps/files_sharing/api/v1/shares",
        account=velo.account,
        headers={**OCS, "Content-Type": "application/x-www-form-urlencoded"},
        body=urllib.parse.urlencode({"path": "/f0.bin", "shareType": 3}).encode(),
    )
    link = answer.json()["ocs"]["data"]["url"]
    assert link.startswith(f"{origin}/s/")
    assert Visit(browser, velo.host).open(link).status == 200


def test_the_invitation_leads_there(node: Host, browser: Browser, velo: Association, origin: str):
    letter = node.file(Layout(SLUG).invitation).content
    message = email.message_from_bytes(letter, policy=email.policy.default)
    body = message.get_body(("plain",))
    assert body is not None
    links = [link for link in re.findall(r"https?://\S+", body.get_content()) if velo.host in link]
    assert links
    for link in links:
        assert link == origin or link.startswith(f"{origin}/")
        # A link is good for once and some days: old ones lead to the login.
        assert Visit(browser, velo.host).open(link).status == 200
