# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The pages that an upgrade's check opens, and the words of occ that its rollback relies on."""

from __future__ import annotations

import re

import pytest

from tests.conformance.client import Client
from tests.conformance.conftest import Occ
from tools import ROOT

MENU = "/ocs/v2.php/core/navigation/apps?format=json"
PAGES = ("/apps/dashboard/", "/apps/files/", "/settings/user")
STANDIN = ROOT / "tests/standin/tree/lib/Console.php"
COMMAND = re.compile(r"^ {8}'([a-z:-]+)' => \['([^']*)'", re.MULTILINE)
# Options of every command of occ are described with the program, not with the command.
OPTION = re.compile(r"--([a-z-]+)")


@pytest.fixture(scope="module")
def menu(shared_account: Client) -> list[str]:
    answer = shared_account.get(MENU, OCS_APIRequest="true")
    assert answer.status == 200
    return [entry["href"] for entry in answer.json["ocs"]["data"]]


def test_the_menu_names_the_page_of_each_application(menu: list[str]):
    found = {href.removeprefix("/index.php") for href in menu}
    assert {"/apps/dashboard/", "/apps/files/"} <= found


def test_pages_open_with_an_application_password_alone(shared_account: Client, menu: list[str]):
    """No cookie, no form: Basic authentication is enough for reading."""
    # Whoever has such a password has logged in before, and has a folder. Nextcloud 32 answers
    # 500 to a page of somebody who has neither.
    assert shared_account.dav("PROPFIND", Depth="0").status == 207
    found = {page: shared_account.get(page).status for page in {*PAGES, *menu}}
    assert found == dict.fromkeys(found, 200)


@pytest.mark.parametrize("page", PAGES)
def test_who_is_nobody_is_led_to_the_login(anonymous: Client, page: str):
    # Without this word a program reads in JSON that it is nobody.
    answer = anonymous.get(page, Accept="text/html")
    assert answer.status in {302, 303}
    assert "/login" in answer.headers["Location"]


def test_appdata_is_scanned_by_the_same_words_in_every_release(occ: Occ):
    assert occ("files:scan-app-data", "--no-interaction").code == 0


@pytest.mark.real
def test_the_stand_in_knows_no_command_and_no_option_that_this_release_lacks(occ: Occ):
    """What works on the stand-in alone leaves a real space closed."""
    described = occ("list", "--format=json").json["commands"]
    known = {
        # A command is called by its old names too.
        name: set(command["definition"]["options"])
        for command in described
        for name in (command["name"], *(usage.split()[0] for usage in command["usage"]))
    }
    standin = dict(COMMAND.findall(STANDIN.read_text(encoding="utf-8")))
    assert "user:add-app-password" in standin
    # An installed Nextcloud does not name the command that installs it.
    del standin["maintenance:install"]
    lacking = {
        name: sorted(set(OPTION.findall(usage)) - known.get(name, set()))
        for name, usage in standin.items()
    }
    assert set(standin) - set(known) == set()
    assert {name: options for name, options in lacking.items() if options} == {}
