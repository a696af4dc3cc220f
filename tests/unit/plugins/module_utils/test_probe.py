# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What a space must answer before its door is opened."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils import _probe

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
