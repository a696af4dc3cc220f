# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The kinds of content, each made by a member; what is there already is left as it is."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tools.content import calendars
from tools.content.association import Association, Card
from tools.person import Person

# Kinds of shares and of participants, as Nextcloud numbers them.
TO_GROUP, BY_LINK, GROUP, ACCOUNT = 1, 3, 1, 1
EVERYBODY = "members"
SHARES = "apps/files_sharing/api/v1/shares"
BOARDS = "deck/api/v1.0/boards"
COLLECTIVES = "apps/collectives/api/v1.0/collectives"


@dataclass(frozen=True)
class Work:
    """What is to be made, by whom, and on which day."""

    one: Person
    wanted: Association
    today: datetime.date


@dataclass(frozen=True)
class Made:
    """What came of it: where one finds it, and how many things were not there before."""

    path: str
    added: int


# --- files --------------------------------------------------------------------------------


def make_files(work: Work) -> Made:
    """Send the files that are not there, with their folders."""
    home = f"files/{work.one.name}"
    known: dict[str, set[str]] = {}
    added = 0
    for path, text in work.wanted["files"].items():
        *folders, name = path.split("/")
        place = home
        for folder in folders:
            if folder not in _names(work.one, place, known):
                work.one.dav("MKCOL", f"{place}/{folder}")
                known[place].add(folder)
                known[f"{place}/{folder}"] = set()
                added += 1
            place = f"{place}/{folder}"
        if name not in _names(work.one, place, known):
            work.one.dav("PUT", f"{place}/{name}", text)
            known[place].add(name)
            added += 1
    return Made("/apps/files/", added)


def _names(one: Person, place: str, known: dict[str, set[str]]) -> set[str]:
    """Return the names in a folder of DAV, asked once."""
    if place not in known:
        # The folder itself is listed too, by the name that it has outside.
        paths = [href.rstrip("/") for href in one.listed(f"{place}/")]
        own = min(paths, key=len)
        known[place] = {path.rpartition("/")[2] for path in paths if path != own}
    return known[place]


def make_shares(work: Work) -> Made:
    """Share the folders with the members, and one with whoever has its link."""
    one, added, address = work.one, 0, ""
    for folder in sorted({path.partition("/")[0] for path in work.wanted["files"]}):
        there = {int(row["share_type"]): row for row in one.ocs("GET", f"{SHARES}?path=/{folder}")}
        if TO_GROUP not in there:
            one.ocs("POST", SHARES, path=f"/{folder}", shareType=TO_GROUP, shareWith=EVERYBODY)
            added += 1
        if folder == work.wanted["link"]:
            row = there.get(BY_LINK)
            if row is None:
                row = one.ocs("POST", SHARES, path=f"/{folder}", shareType=BY_LINK)
                added += 1
            address = f"/s/{row['token']}"
    return Made(address, added)


# --- calendar, board, collective ----------------------------------------------------------


def make_calendar(work: Work) -> Made:
    """Make a calendar that all members see, and its events."""
    one, wanted = work.one, work.wanted["calendar"]
    home, added = f"calendars/{one.name}", 0
    known: dict[str, set[str]] = {}
    place = f"{home}/{wanted['id']}"
    if wanted["id"] not in _names(one, home, known):
        body = calendars.describe(wanted["name"], wanted["color"])
        one.dav("MKCALENDAR", f"{place}/", body, Content_Type="application/xml")
        known[place] = set()
        added += 1
    # To share with somebody again changes nothing.
    shared = calendars.share_with(EVERYBODY)
    one.dav("POST", f"{place}/", shared, Content_Type="application/xml")
    for event in wanted["events"]:
        name = f"{event['id']}.ics"
        if name not in _names(one, place, known):
            text = calendars.write_event(event, work.today, one.host)
            one.dav("PUT", f"{place}/{name}", text, Content_Type="text/calendar; charset=utf-8")
            added += 1
    return Made("/apps/calendar/", added)


def make_board(work: Work) -> Made:
    """Make a board that all members may change, its lists and their cards."""
    one, wanted, added = work.one, work.wanted["board"], 0
    board = _titled(one.api("GET", BOARDS), wanted["name"])
    if board is None:
        color = wanted["color"].lstrip("#")
        board = one.api("POST", BOARDS, title=wanted["name"], color=color)
        added += 1
    at = f"{BOARDS}/{board['id']}"
    if not any(row["type"] == GROUP for row in one.api("GET", at)["acl"]):
        may = {"permissionEdit": True, "permissionShare": False, "permissionManage": False}
        one.api("POST", f"{at}/acl", type=GROUP, participant=EVERYBODY, **may)
    stacks = f"{at}/stacks"
    there = one.api("GET", stacks)
    for order, (title, cards) in enumerate(wanted["lists"].items()):
        stack = _titled(there, title)
        if stack is None:
            stack = one.api("POST", stacks, title=title, order=order)
            added += 1
        titles = {card["title"] for card in stack.get("cards") or []}
        for number, card in enumerate(cards):
            if card["title"] not in titles:
                said = _card(card, number, work.today)
                one.api("POST", f"{stacks}/{stack['id']}/cards", **said)
                added += 1
    return Made(f"/apps/deck/board/{board['id']}", added)


def _titled(rows: list[dict[str, Any]], title: str) -> dict[str, Any] | None:
    return next((row for row in rows if row["title"] == title and not row.get("deletedAt")), None)


def _card(card: Card, order: int, today: datetime.date) -> dict[str, Any]:
    said: dict[str, Any] = {"title": card["title"], "type": "plain", "order": order}
    if "note" in card:
        said["description"] = card["note"]
    if "due" in card:
        said["duedate"] = f"{today + datetime.timedelta(days=card['due'])}T18:00:00+00:00"
    return said


def make_collective(work: Work) -> Made:
    """Make a knowledge base with everybody in it, and its pages."""
    one, wanted, added = work.one, work.wanted["collective"], 0
    rows = one.ocs("GET", COLLECTIVES)["collectives"]
    found = next((row for row in rows if row["name"] == wanted["name"]), None)
    if found is None:
        made = one.ocs("POST", COLLECTIVES, name=wanted["name"], emoji=wanted["emoji"])
        found = made["collective"]
        added += 1
    members = f"apps/circles/circles/{found['circleId']}/members"
    there = {member["userId"] for member in one.ocs("GET", members)}
    for someone in work.wanted["people"]:
        if someone["account"] not in there:
            one.ocs("POST", members, userId=someone["account"], type=ACCOUNT)
    return Made("/apps/collectives/", added + _write_pages(work, found["id"]))


def _write_pages(work: Work, collective: int) -> int:
    """Write the pages of a collective; return how many were not there before."""
    one, added = work.one, 0
    address = f"{COLLECTIVES}/{collective}/pages"
    there = one.ocs("GET", address)["pages"]
    first = next(page for page in there if not page["parentId"])
    for title, text in work.wanted["collective"]["pages"].items():
        page = _titled(there, title)
        # A run may have ended before anything was written into one.
        if page is None or not page["size"]:
            if page is None:
                page = one.ocs("POST", f"{address}/{first['id']}", title=title)["page"]
                added += 1
            one.dav("PUT", f"files/{one.name}/{_file(page)}", text)
    return added


def _file(page: dict[str, Any]) -> str:
    parts = (page["collectivePath"], page["filePath"], page["fileName"])
    return "/".join(part.strip("/") for part in parts if part)


# What it is called → the application that it needs, and what makes it. In this order: folders
# are shared once they are there.
KINDS: dict[str, tuple[str, Callable[[Work], Made]]] = {
    "files": ("files", make_files),
    "link": ("files_sharing", make_shares),
    "calendar": ("calendar", make_calendar),
    "board": ("deck", make_board),
    "page": ("collectives", make_collective),
}


def missing(applications: frozenset[str]) -> list[str]:
    """Return the kinds that a space cannot have, for want of their application. Pure."""
    return [kind for kind, (needed, _) in KINDS.items() if needed not in applications]


def make_all(work: Work, applications: frozenset[str]) -> Iterator[tuple[str, Made]]:
    """Make every kind that the space can have."""
    for kind, (needed, make) in KINDS.items():
        if needed in applications:
            yield kind, make(work)
