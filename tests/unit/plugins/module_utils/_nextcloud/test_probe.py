# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What a space must answer before it is opened again."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _probe

PLACE = _probe.Place("amap.example.org", key="a" * 32)
WHOLE = {
    "installed": True,
    "maintenance": False,
    "needsDbUpgrade": False,
    "version": "34.0.4.1",
}
ACCOUNT = ("camille", "token")


class Space:
    """A space that answers as it is told."""

    def __init__(self, **changed):
        self.changed, self.asked, self.kept = changed, [], b""

    def __call__(self, _place, method, path, account=None, body=None):
        self.asked.append(method)
        if method in self.changed:
            return self.changed[method]
        if path == "/status.php":
            return 200, json.dumps(WHOLE | self.changed.get("status", {})).encode()
        if path == "/login":
            return self.changed.get("login", (200, b""))
        if method == "PROPFIND":
            return 401, b""
        if method == "PUT":
            self.kept = body
        return {"PUT": (201, b""), "GET": (200, self.kept), "DELETE": (204, b"")}[method]


@pytest.fixture
def ask(monkeypatch):
    def told(**changed):
        space = Space(**changed)
        monkeypatch.setattr(_probe, "ask", space)
        return space

    return told


def test_a_space_that_serves_is_asked_for_a_file(ask):
    space = ask()
    _probe.check(PLACE, "34.0.4.1", ACCOUNT)
    assert space.asked == ["GET", "GET", "PUT", "GET", "DELETE"]


def test_a_full_space_serves_as_well_as_it_can(ask):
    space = ask(PUT=(507, b"full"), PROPFIND=(207, b""))
    _probe.check(PLACE, "34.0.4.1", ACCOUNT)
    assert space.asked == ["GET", "GET", "PUT", "PROPFIND"]


@pytest.mark.parametrize("name", ["a.dupont@asso.example", "Alice Martin", "d'Arc", "è/ù"])
def test_any_name_is_asked_for_by_itself_and_quoted_in_the_path_alone(ask, monkeypatch, name):
    space, asked = ask(), []

    def noting(place, method, path, account=None, body=None):
        asked.append((path, account))
        return space(place, method, path, account, body)

    monkeypatch.setattr(_probe, "ask", noting)
    _probe.check(PLACE, "34.0.4.1", (name, "token"))
    paths = [path for path, account in asked if account == (name, "token")]
    assert len(paths) == 3
    assert all(path.startswith(f"/remote.php/dav/files/{quote(name, safe='')}/") for path in paths)


def test_what_a_check_that_was_cut_short_has_left_is_taken_away(ask, monkeypatch):
    """One upgrade has one key, whoever goes on with it."""
    space, paths = ask(PUT=(204, b"")), []

    def noting(place, method, path, account=None, body=None):
        paths.append(path)
        space.kept = body or space.kept
        return space(place, method, path, account, body)

    monkeypatch.setattr(_probe, "ask", noting)
    place = _probe.Place("amap.example.org", key="a" * 32)
    for _ in range(2):
        _probe.check(place, "34.0.4.1", ACCOUNT)
    files = {path for path in paths if "/files/" in path}
    assert len(files) == 1
    # It is no way in.
    assert "a" * 16 not in files.pop()


def test_nobody_s_first_login_is_the_check(ask):
    space = ask()
    _probe.check(PLACE, "34.0.4.1", None)
    assert space.asked == ["GET", "GET", "PROPFIND"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"status": {"maintenance": True}}, "maintenance is True, expected False"),
        ({"status": {"needsDbUpgrade": True}}, "needsDbUpgrade is True"),
        ({"status": {"version": "33.0.9.1"}}, "version is '33.0.9.1', expected '34.0.4.1'"),
        ({"status": {"installed": False}}, "installed is False"),
        ({"login": (503, b"closed")}, "the login page: 503, expected 200: closed"),
        ({"PUT": (507, b"full")}, "listing a folder: 401"),
        ({"PUT": (403, b"no")}, "putting a file: 403"),
        ({"DELETE": (500, b"")}, "deleting it: 500"),
    ],
)
def test_whatever_is_wrong_is_said(ask, changed, said):
    ask(**changed)
    with pytest.raises(_probe.ProbeError, match=said):
        _probe.check(PLACE, "34.0.4.1", ACCOUNT)


def test_another_file_than_was_put_is_no_success(ask, monkeypatch):
    space = ask()

    def other(place, method, path, account=None, body=None):
        status, found = space(place, method, path, account, body)
        return status, found[:-1] if method == "GET" and "/files/" in path else found

    monkeypatch.setattr(_probe, "ask", other)
    with pytest.raises(_probe.ProbeError, match="gave another file back"):
        _probe.check(PLACE, "34.0.4.1", ACCOUNT)
    assert space.asked[-1] == "DELETE"


def test_a_page_in_place_of_the_status_is_said(ask):
    ask(GET=(200, b"<html>"))
    with pytest.raises(_probe.ProbeError, match="no JSON"):
        _probe.check(PLACE, "34.0.4.1", ACCOUNT)


def test_nobody_there_is_said():
    nowhere = _probe.Place("amap.example.org", port=1)
    with pytest.raises(_probe.ProbeError, match=r"GET /status.php: .*refused"):
        _probe.ask(nowhere, "GET", "/status.php")


# --- pages -------------------------------------------------------------------------------


@pytest.fixture
def pages(monkeypatch):
    """Let a space have these pages: what each answers with, or where it leads."""

    def have(**found):
        asked = []

        def fetch(place, method, path, account=None, body=None, *, more=None):
            asked.append((path, account, dict(more or {})))
            answer = found.get(path.partition("?")[0].strip("/").replace("/", "_"), 404)
            if isinstance(answer, Exception):
                raise answer
            if isinstance(answer, str):
                return _probe.Answer(302, b"", answer)
            return (
                _probe.Answer(200, answer) if isinstance(answer, bytes) else _probe.Answer(answer)
            )

        monkeypatch.setattr(_probe, "fetch", fetch)
        return asked

    return have


@pytest.mark.parametrize(
    ("where", "status"),
    [
        ("/apps/files/", 200),
        ("https://AMAP.example.org:8443/apps/files/?dir=/", 200),
        ("/apps/deck/", 404),
        # A page that asks for the login is no page that somebody who is logged in sees.
        ("https://amap.example.org/login?redirect_url=/apps/x/", 401),
        ("/index.php/login", 401),
        # What lies outside is not this space's matter.
        ("https://office.example.org/", 302),
        # Round and round.
        ("/apps/x/", 599),
    ],
)
def test_redirects_are_followed_within_the_space(pages, where, status):
    pages(apps_x=where, apps_files=200)
    assert _probe.open_page(PLACE, "/apps/x/", ACCOUNT) == status


def test_pages_are_opened_as_the_account_and_one_that_hangs_is_no_page(pages):
    asked = pages(apps_files=200, apps_deck=_probe.ProbeError("timed out"))
    paths = ["/apps/files/", "/apps/deck/", "/apps/files/"]
    found = _probe.open_pages(PLACE, paths, ACCOUNT)
    assert found == {"/apps/deck/": 599, "/apps/files/": 200}
    assert sorted((path, account) for path, account, _ in asked) == [
        ("/apps/deck/", ACCOUNT),
        ("/apps/files/", ACCOUNT),
    ]


def test_the_menu_names_the_page_of_each_application(pages):
    hrefs = [
        "/apps/files/",
        "https://amap.example.org/apps/notes/",
        "https://elsewhere.example/",
        "#",
    ]
    menu = json.dumps({"ocs": {"data": [{"id": "x", "href": href} for href in hrefs]}}).encode()
    asked = pages(**{"ocs_v2.php_core_navigation_apps": menu})
    assert _probe.menu(PLACE, ACCOUNT) == ["/apps/files/", "/apps/notes/"]
    assert asked[0][2] == {"OCS-APIRequest": "true"}


@pytest.mark.parametrize("answer", [500, b"<html>", b'{"ocs": []}'])
def test_a_space_that_does_not_say_its_menu_is_said(pages, answer):
    pages(**{"ocs_v2.php_core_navigation_apps": answer})
    with pytest.raises(_probe.ProbeError, match="the menu of applications"):
        _probe.menu(PLACE, ACCOUNT)


def test_what_was_broken_before_is_not_the_upgrade_s_doing():
    before = {"/a": 200, "/b": 500, "/c": 302, "/d": 200}
    assert _probe.worse(before, before) == []
    # One that is not opened any more, one that is new.
    assert _probe.worse(before, {"/a": 200, "/e": 500}) == []
    assert _probe.worse(before, {"/a": 500, "/b": 500, "/c": 599, "/d": 401}) == ["/a", "/c", "/d"]


def test_pages_that_are_worse_than_before_are_named(pages):
    pages(a=500, b=_probe.ProbeError("timed out"), c="/login", d=200)
    before = dict.fromkeys(["/a", "/b", "/c", "/d", "/gone"], 200)
    with pytest.raises(_probe.ProbeError) as caught:
        _probe.compare(PLACE, before, ["/a", "/b", "/c", "/d"], ACCOUNT)
    assert str(caught.value) == (
        "pages: /a answers 500, 200 before; /b answers nothing within 120 seconds, 200 before; "
        "/c answers 401 (the login), 200 before"
    )


def test_a_page_that_stumbles_once_is_well(monkeypatch):
    """Pages that are opened together may all want to make the same file."""
    answers = [500, 200]
    monkeypatch.setattr(_probe, "open_page", lambda *_: answers.pop(0))
    _probe.compare(PLACE, {"/a": 200}, ["/a"], ACCOUNT)
    assert answers == []
