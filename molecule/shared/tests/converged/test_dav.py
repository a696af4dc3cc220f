# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A member puts a file and gets it back."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import pytest
from testinfra.host import Host

from tests.support.browser import Browser
from tests.support.layout import Layout
from tests.support.scenario import Scenario, Space

OWN, OTHER = "velo-ecole", "amap-du-val"
PATH = "/remote.php/dav/files/testeur/r%C3%A9union.txt"
TEXT = "Compte rendu : à bicyclette 🚲\n".encode()


@dataclass(frozen=True)
class Member:
    """An account of one space."""

    host: str
    account: tuple[str, str]


@pytest.fixture(scope="module")
def member(scenario: Scenario, spaces: dict[str, Space]) -> Member:
    """Make an account as an administrator would, with a password nobody knows."""
    password = secrets.token_urlsafe(24)
    if "testeur" not in scenario.occ(OWN, "user:list --output=json"):
        scenario.occ(OWN, "user:add --password-from-env testeur", OC_PASS=password)
    else:
        scenario.occ(OWN, "user:resetpassword --password-from-env testeur", OC_PASS=password)
    return Member(spaces[OWN]["domains"][0], ("testeur", password))


def test_what_is_put_is_what_is_got(browser: Browser, member: Member):
    put = browser.request("PUT", member.host, PATH, account=member.account, body=TEXT)
    assert put.status in {201, 204}
    got = browser.request("GET", member.host, PATH, account=member.account)
    assert (got.status, got.body) == (200, TEXT)


def test_an_upload_of_unknown_length_arrives_whole(browser: Browser, member: Member):
    """PHP reads nothing of a body whose length it is not told."""
    parts = [TEXT[:7], TEXT[7:]]
    put = browser.request("PUT", member.host, PATH, account=member.account, body=parts)
    assert put.status in {201, 204}
    got = browser.request("GET", member.host, PATH, account=member.account)
    assert (got.status, got.body) == (200, TEXT)


def test_the_file_belongs_to_the_space(browser: Browser, node: Host, member: Member):
    browser.request("PUT", member.host, PATH, account=member.account, body=TEXT)
    stored = node.file(f"{Layout(OWN).data}/testeur/files/réunion.txt")
    assert stored.content == TEXT
    assert (stored.user, stored.group) == (Layout(OWN).user, Layout(OWN).user)
    assert stored.mode & 0o007 == 0


def test_without_a_password_nothing_is_given(browser: Browser, member: Member):
    assert browser.request("GET", member.host, PATH).status == 401
    wrong = (member.account[0], "wrong")
    assert browser.request("GET", member.host, PATH, account=wrong).status == 401


def test_an_account_opens_its_own_space_only(
    browser: Browser, spaces: dict[str, Space], member: Member
):
    host = spaces[OTHER]["domains"][0]
    assert browser.request("GET", host, PATH, account=member.account).status == 401
