# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Team folders: made by a space's administrators, nobody's account, inside the space's limit.

Run like the other files here, on a scenario whose real release holds `groupfolders`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.association import member
from tests.support.browser import Answer
from tests.support.full import MIB, SIZE, Full, small
from tests.support.layout import Layout
from tests.support.scenario import Scenario

SLUG = "amap-du-val"
FOLDERS = "/index.php/apps/groupfolders/folders"
NAME = "Commun à tous"


@dataclass(frozen=True)
class Team:
    """A space with little room, one of its administrators, and a member's client."""

    scenario: Scenario
    member: Full
    administrator: Full

    def status(self) -> dict[str, Any]:
        """Return what "My space" shows."""
        return dict(json.loads(self.scenario.occ(SLUG, "archipel:status")))

    def storage(self) -> int:
        """Return how much of its storage the space uses."""
        return int(self.status()["storage"]["used"])


def ask(client: Full, method: str, path: str = "", **values: str) -> Answer:
    """Send a request to the application's own interface."""
    body = urlencode(values).encode() if values else None
    return client.request(
        method,
        f"{FOLDERS}{path}?format=json",
        body,
        OCS_APIRequest="true",
        Content_Type="application/x-www-form-urlencoded",
    )


def dav(client: Full, method: str, name: str = "", body: bytes | None = None, **headers: str):
    """Send a request about something in the team folder, as somebody sees it."""
    path = f"/remote.php/dav/files/{client.account[0]}/Commun%20%C3%A0%20tous/{name}"
    return client.request(method, path, body, **headers)


@pytest.fixture(scope="module")
def team(scenario: Scenario) -> Iterator[Team]:
    """Somebody who joins the administrators, and somebody who does not."""
    with small(scenario, SLUG) as client:
        bureau = member(scenario, SLUG, "tresoriere")
        for group in ("members", "space-admins"):
            scenario.occ(SLUG, f"group:adduser {group} tresoriere")
        scenario.occ(SLUG, f"group:adduser members {client.account[0]}")
        yield Team(scenario, client, Full(client.browser, client.host, bureau.account))
        scenario.occ(SLUG, "user:delete tresoriere")


@pytest.fixture(scope="module")
def folder(team: Team) -> Iterator[int]:
    """A team folder of all members."""
    made = ask(team.administrator, "POST", mountpoint=NAME)
    assert said(made) == 100, made.text
    number = int(made.json()["ocs"]["data"]["id"])
    shared = ask(team.administrator, "POST", f"/{number}/groups", group="members")
    assert said(shared) == 100, shared.text
    yield number
    gone = ask(team.administrator, "DELETE", f"/{number}")
    assert said(gone) == 100, gone.text


@pytest.fixture
def filled(team: Team, folder: int) -> Iterator[Team]:
    """The same, with a team folder that fills the space."""
    names = []
    for size in (4 * MIB, 512 * 1024, 64 * 1024):
        for number in range(1000):
            name = f"fill-{size}-{number}"
            done = dav(team.member, "PUT", name, b"x" * size)
            if done.status != 201:
                break
            names.append(name)
        # Where the last bytes fit by the look of it and then do not, Nextcloud says 500 in a team
        # folder, and 413 in an account: see Full.fill.
        assert done.status in {413, 500, 507}, done.status
    yield team
    left = {name: dav(team.member, "DELETE", name).status for name in names}
    # One of them may be gone already; in a full space each can still be deleted.
    assert set(left.values()) <= {204, 404}, left
    empty(team)


def empty(team: Team) -> None:
    """Empty the trash of a member, where what was in the team folder is too."""
    trash = f"/remote.php/dav/trashbin/{team.member.account[0]}/trash"
    assert team.member.request("DELETE", trash).status == 204


def said(answer: Answer) -> int:
    """Return what OCS says itself: what this application refuses is an HTTP 200."""
    return int(answer.json()["ocs"]["meta"]["statuscode"])


def test_their_page_is_an_administrator_s_and_nobody_else_s(team: Team):
    page = "/index.php/settings/admin/groupfolders"
    assert team.administrator.request("GET", page, OCS_APIRequest="true").status == 200
    assert team.member.request("GET", page, OCS_APIRequest="true").status == 403


def test_a_member_makes_none(team: Team, folder: int):
    assert said(ask(team.member, "POST", mountpoint="Mine")) == 403
    assert said(ask(team.member, "DELETE", f"/{folder}")) == 403
    assert said(ask(team.member, "POST", f"/{folder}/quota", quota="-3")) == 403
    listed = ask(team.administrator, "GET").json()["ocs"]["data"]
    assert [one["mount_point"] for one in listed.values()] == [NAME]


def test_it_takes_nobody_s_seat(team: Team):
    before = json.loads(team.scenario.occ(SLUG, "user:list --output=json"))
    used = team.status()["accounts"]["used"]
    number = ask(team.administrator, "POST", mountpoint="Passager").json()["ocs"]["data"]["id"]
    assert json.loads(team.scenario.occ(SLUG, "user:list --output=json")) == before
    assert team.status()["accounts"]["used"] == used
    assert said(ask(team.administrator, "DELETE", f"/{number}")) == 100


def test_what_is_in_it_belongs_to_no_account(team: Team, folder: int):
    assert dav(team.member, "PUT", "proces-verbal.txt", b"ordre du jour").status == 201
    assert dav(team.administrator, "GET", "proces-verbal.txt").body == b"ordre du jour"
    data = Layout(SLUG).data
    path = f"{data}/__groupfolders/{folder}/files/proces-verbal.txt"
    assert team.scenario.node.file(path).content == b"ordre du jour"
    assert dav(team.member, "DELETE", "proces-verbal.txt").status == 204


@pytest.mark.parametrize("counted", ["index", "disk"])
def test_my_space_counts_it(team: Team, folder: int, counted: str):
    """By Nextcloud's index, and by a file system that shows the limit as its own size."""
    limit = team.scenario.occ(SLUG, "config:app:get archipel storage").strip()
    if counted == "disk":
        team.scenario.occ(SLUG, f"config:app:set archipel storage --value={SIZE}")
    before = team.storage()
    assert team.status()["storage"]["counted"] == counted
    assert dav(team.member, "PUT", "film.bin", b"x" * (8 * MIB)).status == 201
    assert 8 * MIB <= team.storage() - before < 9 * MIB
    assert dav(team.member, "DELETE", "film.bin").status == 204
    team.scenario.occ(SLUG, f"config:app:set archipel storage --value={limit}")


def test_at_the_limit_it_takes_nothing_more_and_neither_do_accounts(filled: Team):
    assert dav(filled.member, "PUT", "one-more.bin", b"x" * MIB).status == 507
    assert filled.member.put("mine.bin", MIB) == 507
    assert dav(filled.member, "GET", "one-more.bin").status == 404


def test_a_quota_of_the_folder_does_not_reach_beyond_the_space(filled: Team, folder: int):
    wide = ask(filled.administrator, "POST", f"/{folder}/quota", quota=str(1 << 40))
    assert said(wide) == 100, wide.text
    assert dav(filled.member, "PUT", "one-more.bin", b"x" * MIB).status == 507
    # What is full and has a quota of its own lets go of nothing: docs/applications.md.
    back = ask(filled.administrator, "POST", f"/{folder}/quota", quota="-3")
    assert said(back) == 100, back.text


def test_a_full_space_is_emptied_through_the_folder_s_trash(filled: Team):
    assert dav(filled.member, "DELETE", f"fill-{4 * MIB}-0").status == 204
    trash = f"/remote.php/dav/trashbin/{filled.member.account[0]}/trash"
    listed = filled.member.request("PROPFIND", trash, Depth="1")
    assert f"fill-{4 * MIB}-0" in listed.text
    assert dav(filled.member, "PUT", "still-full.bin", b"x" * MIB).status == 507
    empty(filled)
    assert dav(filled.member, "PUT", "room-again.bin", b"x" * MIB).status == 201
    assert dav(filled.member, "DELETE", "room-again.bin").status == 204


def test_the_delegation_is_ours_alone(team: Team):
    rows = team.scenario.sql(
        f"SELECT group_id FROM `{Layout(SLUG).database}`.oc_authorized_groups "
        "WHERE class = 'OCA\\\\GroupFolders\\\\Settings\\\\Admin'"
    )
    assert rows == [["space-admins"]]
