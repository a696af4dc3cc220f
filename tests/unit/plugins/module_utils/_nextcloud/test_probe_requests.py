# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What programs ask a space for, before an upgrade and after it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _probe
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import (
    _probe_requests as requests,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._policy import _policy

PLACE = _probe.Place("amap.example.org", key="a" * 32)
VISIT = requests.Visit(PLACE, ("camille", "token"), {"link": "Ab3", "room": "xyz"})
POLICY = Path(__file__).parents[5] / "group_vars/all/upgrades.yml"


def href(name, path, prefix="d"):
    return f"<{prefix}:{name}><d:href>{path}</d:href></{prefix}:{name}>"


def ocs(data):
    return json.dumps({"ocs": {"meta": {"status": "ok"}, "data": data}})


DAV = "/remote.php/dav"
HOME, BOOKS = f"{DAV}/calendars/camille/", f"{DAV}/addressbooks/users/camille/"
LISTED = "<d:multistatus><d:response><d:href>/x</d:href><d:getetag/></d:response></d:multistatus>"
TALK = "/ocs/v2.php/apps/spreed/api/v4"
CONTENT = {
    "/status.php": json.dumps({"version": "33.0.3.2"}),
    "/ocs/v2.php/cloud/capabilities": ocs({"capabilities": {"dav": {}, "files": {}}}),
    "/ocs/v2.php/cloud/user": ocs({"id": "camille"}),
    "/ocs/v2.php/apps/notifications/api/v2/notifications": ocs([]),
    f"{DAV}/files/camille/": LISTED,
    f"{DAV}/principals/users/camille/": (
        href("calendar-home-set", HOME, "cal") + href("addressbook-home-set", BOOKS, "card")
    ),
    f"{DAV}/": href("current-user-principal", f"{DAV}/principals/users/camille/"),
    HOME: "<d:collection/><cal:calendar/><cal:calendar xmlns:x='y'/><cal:calendar-color/>",
    BOOKS: "<d:collection/><card:addressbook/>",
    "/index.php/apps/deck/api/v1.0/boards": "[{}, {}, {}]",
    f"{TALK}/listed-room": ocs([]),
    f"{TALK}/room/xyz": ocs({"token": "xyz"}),
    "/ocs/v2.php/apps/collectives/api/v1.0/collectives": ocs({"collectives": [{}]}),
    "/s/Ab3": "<html>",
    "/public.php/dav/files/Ab3/": LISTED,
}
LEADS = dict.fromkeys(
    ("/.well-known/caldav", "/.well-known/carddav"), f"https://AMAP.example.org{DAV}/"
)


class Space:
    """A space with something of everything."""

    def __init__(self, monkeypatch, **changed):
        self.content = {**CONTENT, **changed}
        self.asked = []
        monkeypatch.setattr(_probe, "fetch", self)

    def __call__(self, _place, method, path, account=None, body=None, *, more=None):
        path = path.partition("?")[0]
        self.asked.append((method, path, account, dict(more or {})))
        if path in LEADS:
            return _probe.Answer(301, b"", LEADS[path])
        found = self.content.get(path, 404)
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        if isinstance(found, Exception):
            raise found
        if isinstance(found, int):
            return _probe.Answer(found)
        return _probe.Answer(207 if method == "PROPFIND" else 200, found.encode())


ALL = list(requests.KINDS)


def test_everything_is_found_and_counted(monkeypatch):
    Space(monkeypatch)
    assert requests.ask(VISIT, ALL) == {
        "client: status.php": [200, 1],
        "client: capabilities": [200, 2],
        "client: the account": [200, 1],
        "client: the folder": [207, 1],
        "client: the files in it": [207, 1],
        "client: the folder's mark of changes": [207, 1],
        "client: notifications": [200, 1],
        "calendars: the principal": [207, 1],
        "calendars: the home": [207, 1],
        "calendars: its calendars": [207, 2],
        "contacts: the principal": [207, 1],
        "contacts: the home": [207, 1],
        "contacts: its addressbooks": [207, 1],
        "deck: boards": [200, 3],
        "talk: open conversations": [200, 1],
        "talk: a conversation": [200, 1],
        "collectives: collectives": [200, 1],
        "public_link: its page": [200, 0],
        "public_link: what it shares": [207, 1],
    }


def test_it_only_reads_and_a_public_link_is_opened_by_nobody(monkeypatch):
    space = Space(monkeypatch)
    requests.ask(VISIT, ALL)
    assert {method for method, *_ in space.asked} == {"GET", "PROPFIND"}
    alone = {path for _, path, account, _ in space.asked if account is None}
    assert alone == {"/status.php", "/s/Ab3", "/public.php/dav/files/Ab3/"}
    depths = {m.get("Depth") for how, _, _, m in space.asked if how == "PROPFIND"}
    assert depths == {"0", "1"}


def test_talk_is_never_asked_for_the_list_that_makes_messages(monkeypatch):
    space = Space(monkeypatch)
    requests.ask(VISIT, ["talk"])
    assert f"{TALK}/room" not in {path for _, path, *_ in space.asked}


def test_what_is_not_there_is_not_asked_for(monkeypatch):
    space = Space(monkeypatch)
    found = requests.ask(requests.Visit(PLACE, ("camille", "token")), ["talk", "public_link"])
    assert list(found) == ["talk: open conversations"]
    assert len(space.asked) == 1


@pytest.mark.parametrize("name", ["a.dupont@asso.example", "Alice Martin", "è/ù"])
def test_any_name_is_quoted(monkeypatch, name):
    space = Space(monkeypatch)
    requests.ask(requests.Visit(PLACE, (name, "token")), ["client"])
    assert all(" " not in path and "è" not in path for _, path, *_ in space.asked)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, ""),
        ({HOME: 500}, "calendars: its calendars answers 500, 207 before"),
        ({HOME: "<d:collection/>"}, "calendars: its calendars: nothing is there, 2 before"),
        ({f"{DAV}/": "<d:multistatus/>"}, "calendars: the principal: nothing is there, 1 before"),
        ({"/index.php/apps/deck/api/v1.0/boards": "[]"}, "deck: boards: nothing is there, 3"),
        ({"/index.php/apps/deck/api/v1.0/boards": "<html>"}, "deck: boards: nothing is there"),
        # How many there are is people's.
        ({"/index.php/apps/deck/api/v1.0/boards": "[{}]"}, ""),
        ({f"{TALK}/room/xyz": 404}, "talk: a conversation answers 404, 200 before"),
        ({"/s/Ab3": 404}, "public_link: its page answers 404, 200 before"),
        ({"/status.php": 503}, "client: status.php answers 503, 200 before"),
        ({f"{DAV}/files/camille/": _probe.ProbeError("timed out")}, "answers nothing within"),
        ({"/ocs/v2.php/cloud/capabilities": ocs({"capabilities": []})}, "capabilities: nothing"),
        # Once is no fault: the release has only just started.
        ({HOME: [500, CONTENT[HOME]]}, ""),
    ],
)
def test_what_is_worse_than_before_is_named(monkeypatch, changed, said):
    Space(monkeypatch)
    before = requests.ask(VISIT, ALL)
    Space(monkeypatch, **changed)
    if said:
        with pytest.raises(_probe.ProbeError, match=f"^requests: .*{said}"):
            requests.compare(VISIT, before, ALL)
    else:
        requests.compare(VISIT, before, ALL)


def test_what_was_broken_before_is_not_the_upgrade_s_doing(monkeypatch):
    Space(monkeypatch, **{HOME: 500, "/s/Ab3": 404})
    before = requests.ask(VISIT, ALL)
    requests.compare(VISIT, before, ALL)
    Space(monkeypatch)
    requests.compare(VISIT, before, ALL)


def test_a_login_in_place_of_an_answer_is_none(monkeypatch):
    Space(monkeypatch)
    monkeypatch.setitem(LEADS, "/s/Ab3", "https://amap.example.org/index.php/login?x=1")
    assert requests.ask(VISIT, ["public_link"])["public_link: its page"] == [401, 0]


def test_applications_that_are_off_are_not_asked():
    assert requests.possible(ALL, {"files", "spreed"}) == [
        "client",
        "calendars",
        "contacts",
        "talk",
        "public_link",
    ]


def test_things_are_chosen_once_and_only_while_they_are_there():
    rows = {"oc_share WHERE share_type": [("Ab3",)], "r.type IN": [("xyz",)]}

    def execute(statement):
        return next((found for text, found in rows.items() if text in statement[0]), [])

    chosen = requests.things_of(execute, "camille", ["talk", "public_link"])
    assert chosen == {"link": "Ab3", "room": "xyz"}
    assert requests.things_of(execute, "camille", ["client"]) == {}
    rows["oc_share WHERE token"] = [("Ab3",)]
    assert requests.things_left(execute, "camille", chosen) == {"link": "Ab3"}


def test_the_policy_names_all_of_them_and_a_wrong_one_is_said():
    policy = yaml.safe_load(POLICY.read_text(encoding="utf-8"))
    assert policy["archipel_upgrade_requests"] == ALL
    known = _policy.SCHEMA.root["properties"]["archipel_upgrade_requests"]["items"]["enum"]
    assert known == ALL
    wrong = _policy.SCHEMA.faults({"archipel_upgrade_requests": ["calendar"]}, _policy._context())
    (said,) = [one.text for one in wrong if one.place[0] == "archipel_upgrade_requests"]
    assert 'Did you mean "calendars"' in said
