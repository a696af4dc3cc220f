# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Pictures of the demo: which are taken, which are kept, and what is said of the others."""

from __future__ import annotations

import base64
import contextlib
import datetime
import json
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.pretended import Pretended
from tools import chromium, pictures, views
from tools.chromium import BrowserError, PageError
from tools.content import association
from tools.content.fill import Given, Space, fill
from tools.demo_content import Node
from tools.lab import LabError

WANTED = association.read_all()
HOST = "velo-ecole.example"
SPACE = Space("velo-ecole", "Vélo-école", HOST, WANTED["velo-ecole"])
LISTED: list[dict[str, t.Any]] = [
    {"slug": "velo-ecole", "name": "Vélo", "status": "approved", "domains": [HOST]},
    {"slug": "theatre", "name": "Théâtre", "status": "suspended", "domains": ["theatre.example"]},
]
PATHS = {
    "files": "/apps/files/",
    "link": "/s/abc",
    "calendar": "/apps/calendar/",
    "board": "/apps/deck/board/1",
    "page": "/apps/collectives/",
    "my-space": "/settings/admin/archipel",
}
WHOLE = Given(PATHS, (), False)


class TestViews:
    def test_every_kind_has_one_and_says_what_must_be_read_there(self):
        found = {view.name: view for view in views.of_space(SPACE, WHOLE)}
        assert list(found) == ["login", *PATHS, "my-space-phone"]
        assert found["files"].shows == ("Communication",)
        assert found["calendar"].shows == ("Cours pour adultes",)
        assert found["board"].shows == ("Trouver six bénévoles pour la buvette",)
        assert found["link"].shows == ("Affiche de la bourse aux vélos",)
        assert {view.language for view in found.values()} == {"fr"}
        assert found["my-space-phone"].width < found["my-space"].width
        # Whoever has a link, or is about to log in, has no account.
        assert [name for name, view in found.items() if not view.slug] == ["login", "link"]

    def test_kinds_that_are_missing_have_none(self):
        given = Given({"files": "/apps/files/"}, ("board",), False)
        assert [view.name for view in views.of_space(SPACE, given)] == ["login", "files"]

    def test_the_stand_in_has_a_login_page_alone(self):
        (view,) = views.of_space(SPACE, Given({"files": "/remote.php/dav/"}, (), True))
        assert (view.name, view.shows) == ("login", ("Log in",))

    def test_one_suspended_and_one_closed_space_are_shown(self):
        closed = {"status": "closed", "domains": ["closed.example"]}
        found = list(views.of_states([*LISTED, closed, {**closed, "domains": ["other.example"]}]))
        assert [(one.name, one.host) for one in found] == [
            ("suspended", "theatre.example"),
            ("closed", "closed.example"),
        ]
        assert list(views.of_states(LISTED[:1])) == []


class Page:
    """A page that shows some words."""

    def __init__(self, text: dict[str, str], headers: list[dict[str, str]]) -> None:
        self._text, self._headers = text, headers
        self._url = ""

    def view(self, width: int, *, height: int) -> None:
        assert width > 0 < height

    def send(self, **headers: str) -> None:
        self._headers.append(headers)

    def open(self, url: str) -> None:
        if url not in self._text:
            raise PageError(f"{url}: net::ERR_CONNECTION_REFUSED")
        self._url = url

    def until(self, script: str, seconds: float) -> None:
        words = json.loads(script.rpartition("(")[2].rstrip(")"))
        if not any(word in self._text[self._url] for word in words):
            raise PageError("never so")

    def ask(self, script: str) -> str:
        return "fr-FR" if script.endswith("lang") else ""

    def picture(self) -> bytes:
        return self._url.encode()


class Chrome:
    """A browser to which the demo is some texts."""

    def __init__(self, text: dict[str, str]) -> None:
        self.text = text
        self.headers: list[dict[str, str]] = []

    def page(self, *, width: int) -> Page:
        return Page(self.text, self.headers)


ORIGIN = f"https://{HOST}:8443"
SUSPENDED = {"https://theatre.example:8443/": "Cet espace est suspendu"}
BARE = {f"{ORIGIN}{path}": "Nextcloud" for path in ("/login", *PATHS.values())}
FILLED = {
    **BARE,
    **SUSPENDED,
    f"{ORIGIN}/apps/files/": "Bureau Communication Cours",
    f"{ORIGIN}/settings/admin/archipel": "Tenue à jour pour vous",
}


class Demo:
    """A demo with content, and a browser."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, text: dict[str, str]) -> None:
        self.space, self.chrome = Pretended(), Chrome(text)
        node = Node(Path("inventories/demo"), https=8443, ssh=2222)
        self.node = node
        monkeypatch.setattr(Node, "browser", lambda *_: self.space)
        monkeypatch.setattr(Node, "occ", lambda _, *told: self.space.occ(*told))
        monkeypatch.setattr(self.space, "certificate", lambda _: "PEM", raising=False)

        @contextlib.contextmanager
        def opened(certificate: str) -> Iterator[Chrome]:
            assert certificate == "PEM"
            yield self.chrome

        monkeypatch.setattr(pictures, "chromium", opened)

    def fill(self) -> None:
        fill(SPACE, t.cast(t.Any, self.space), self.space.occ, datetime.date(2026, 9, 2))

    def take(self, folder: Path) -> None:
        pictures.take_all(self.node, LISTED, Path("ca.pem"), folder)


def taken(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.webp"))


def test_pages_that_show_what_they_should_are_kept_and_the_others_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    demo = Demo(monkeypatch, FILLED)
    demo.fill()
    demo.take(tmp_path)
    names = ["fr/files.webp", "fr/my-space-phone.webp", "fr/my-space.webp", "fr/suspended.webp"]
    assert taken(tmp_path) == names
    index = json.loads((tmp_path / "tour.json").read_text(encoding="utf-8"))
    assert index == {
        "fr/files.webp": "Nextcloud 33.0.3",
        "fr/my-space-phone.webp": "Nextcloud 33.0.3",
        "fr/my-space.webp": "Nextcloud 33.0.3",
        "fr/suspended.webp": "the node itself",
    }
    said = capsys.readouterr().out
    assert "left out: calendar (velo-ecole.example): /apps/calendar/ does not show “Cours" in said
    # The board has the number that it was given.
    assert "left out: board" in said
    assert "4 pictures" in said
    assert "5 left out" in said


def test_who_looks_has_a_password_of_a_device_for_as_long_as_it_takes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    demo = Demo(monkeypatch, FILLED)
    demo.fill()
    demo.take(tmp_path)
    sent = {headers.get("Authorization", "") for headers in demo.chrome.headers}
    pairs = {base64.b64decode(one.removeprefix("Basic ")).decode() for one in sent if one}
    assert [pair.partition(":")[0] for pair in pairs] == ["nadia"]
    assert demo.space.accounts["nadia"] not in pairs.pop()
    assert demo.space.devices == {}
    assert {headers.get("Accept_Language") for headers in demo.chrome.headers} == {"fr", None}


def test_the_password_is_taken_back_when_the_folder_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    demo = Demo(monkeypatch, FILLED)
    demo.fill()
    (tmp_path / "fr").write_text("a file where a folder should be", encoding="utf-8")
    with pytest.raises(LabError, match=r"fr/.*\.webp: .*make demo-tour TO="):
        demo.take(tmp_path)
    assert demo.space.devices == {}


def test_a_password_that_stays_behind_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    demo = Demo(monkeypatch, FILLED)
    demo.fill()
    demo.space.fails_at = 1
    with pytest.raises(LabError, match="an application password is left behind: "):
        demo.take(tmp_path)


def test_where_every_page_stays_bare_it_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    demo = Demo(monkeypatch, BARE)
    demo.fill()
    with pytest.raises(LabError, match=r"no picture was kept in .*; 9 were left out"):
        demo.take(tmp_path)
    assert taken(tmp_path) == []


def test_a_browser_that_ends_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    demo = Demo(monkeypatch, FILLED)
    demo.fill()

    def gone(**_: object) -> Page:
        raise BrowserError("the browser has ended")

    monkeypatch.setattr(demo.chrome, "page", gone)
    with pytest.raises(LabError, match="no picture was kept"):
        demo.take(tmp_path)
    assert "left out: login (velo-ecole.example): the browser has ended" in capsys.readouterr().out


def test_a_demo_without_content_is_told_what_makes_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    demo = Demo(monkeypatch, FILLED)
    with pytest.raises(LabError, match="no content in velo-ecole yet"):
        demo.take(tmp_path)


def test_a_host_without_chromium_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    demo = Demo(monkeypatch, FILLED)
    demo.fill()
    monkeypatch.setattr(pictures, "chromium", chromium.chromium)
    monkeypatch.setattr(chromium, "key_of", lambda _: "key")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match="missing on this host: chromium"):
        demo.take(tmp_path)
    assert demo.space.devices == {}


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    demo = Demo(monkeypatch, FILLED)
    demo.fill()

    def refuse(_: str) -> str:
        raise OSError("certificate verify failed")

    monkeypatch.setattr(demo.space, "certificate", refuse)
    with pytest.raises(LabError, match=f"{HOST}:8443 shows no certificate to trust: .*failed"):
        demo.take(tmp_path)


class TestKeeping:
    def test_one_of_the_stand_in_does_not_replace_one_of_the_real_thing(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ):
        index: dict[str, str] = {}
        assert pictures.keep(tmp_path, index, "fr/a.webp", "stand-in for Nextcloud 33.0.3", b"1")
        assert pictures.keep(tmp_path, index, "fr/a.webp", "Nextcloud 33.0.3", b"2")
        of = "stand-in for Nextcloud 34.0.4"
        assert not pictures.keep(tmp_path, index, "fr/a.webp", of, b"3")
        assert (tmp_path / "fr/a.webp").read_bytes() == b"2"
        assert pictures.read_index(tmp_path) == {"fr/a.webp": "Nextcloud 33.0.3"}
        assert "not replaced: fr/a.webp is of Nextcloud 33.0.3" in capsys.readouterr().out

    def test_a_folder_without_an_index_has_no_pictures(self, tmp_path: Path):
        assert pictures.read_index(tmp_path) == {}

    @pytest.mark.parametrize("text", ["{", "[1]", "7"])
    def test_an_index_that_is_none_is_named(self, tmp_path: Path, text: str):
        (tmp_path / "tour.json").write_text(text, encoding="utf-8")
        with pytest.raises(LabError, match=r"tour\.json: .*Remove it"):
            pictures.read_index(tmp_path)
