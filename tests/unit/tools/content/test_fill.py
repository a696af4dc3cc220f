# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Content is put into a space once, whatever interrupts it; passwords are told once."""

from __future__ import annotations

import copy
import datetime
from typing import Any, cast

import pytest

from tests.support.pretended import APPLICATIONS, Pretended
from tools.content import association
from tools.content.fill import MY_SPACE, Space, Told, accounts_of, fill, remembered
from tools.https import Browser
from tools.lab import LabError

TODAY = datetime.date(2026, 9, 2)
WANTED = association.read_all()
SLUGS = sorted(WANTED)
STANDIN = ("activity", "dashboard", "files", "photos")


def space(slug: str = "velo-ecole") -> Space:
    return Space(slug, "Vélo-école", f"{slug}.example.org", WANTED[slug])


def run(pretended: Pretended, slug: str = "velo-ecole", **options: Any) -> Told:
    return fill(space(slug), cast(Browser, pretended), pretended.occ, TODAY, **options)


def content(one: Pretended) -> Any:
    """What is in a space, without numbers that it gave."""
    boards = [
        {
            "title": board["title"],
            "acl": board["acl"],
            "stacks": [(stack["title"], stack["cards"]) for stack in board["stacks"]],
        }
        for board in one.boards
    ]
    pages = [[page["title"] for page in row["pages"]] for row in one.collectives]
    tree = {path: text for path, text in one.tree.items() if path.count("/") > 2}
    # A calendar that is shared twice is shared.
    tree = {path: "" if path.endswith("/") else text for path, text in tree.items()}
    people = (sorted(one.accounts), one.languages, sorted(one.members))
    return copy.deepcopy((boards, pages, tree, one.shares, people))


@pytest.mark.parametrize("slug", SLUGS)
def test_a_space_gets_all_kinds(slug: str):
    pretended = Pretended()
    told = run(pretended, slug)
    wanted = WANTED[slug]
    assert list(told.given.paths) == ["files", "link", "calendar", "board", "page", "my-space"]
    assert (told.given.missing, told.given.standin) == ((), False)
    assert told.given.paths["link"] == "/s/aBcDeF123"
    assert told.given.paths["my-space"] == MY_SPACE
    home = f"files/{wanted['people'][0]['account']}"
    for path, text in wanted["files"].items():
        assert pretended.tree[f"{home}/{path}"] == text
    for title, text in wanted["collective"]["pages"].items():
        assert (
            pretended.tree[f"{home}/.Collectives/{wanted['collective']['name']}/{title}.md"] == text
        )
    events = [path for path in pretended.tree if path.endswith(".ics")]
    assert len(events) == len(wanted["calendar"]["events"])
    (board,) = pretended.boards
    cards = {row["title"]: [card["title"] for card in row["cards"]] for row in board["stacks"]}
    lists = wanted["board"]["lists"]
    assert cards == {name: [card["title"] for card in rows] for name, rows in lists.items()}
    assert told.added > 25


def test_all_members_see_it_and_read_their_language():
    pretended = Pretended()
    run(pretended)
    assert pretended.languages == {"nadia": "fr", "karim": "fr"}
    assert sorted(pretended.members) == ["karim", "nadia"]
    assert [row["type"] for row in pretended.boards[0]["acl"]] == [1]
    shared = {(row["path"], row["share_type"]) for row in pretended.shares}
    assert shared == {
        ("/Bureau", 1),
        ("/Communication", 1),
        ("/Communication", 3),
        ("/Cours", 1),
    }
    assert "principals/groups/members" in pretended.tree["calendars/nadia/cours-et-ateliers/"]
    assert any("--group=space-admins" in one for one in pretended.commands if "user:add" in one)


def test_everybody_gets_a_password_of_their_own_that_no_command_shows():
    pretended = Pretended()
    told = run(pretended)
    first, second = told.accounts
    assert (first.administers, second.administers) == (True, False)
    assert pretended.accounts["nadia"] == first.password
    assert pretended.accounts["karim"] == second.password
    assert len({first.password, second.password, "unknown"}) == 3
    said = "\n".join([*pretended.commands, *map(str, pretended.settings.items())])
    assert first.password not in said
    assert second.password not in said
    assert pretended.accounts["administration"] == "unknown"


def test_the_password_of_the_device_is_taken_back():
    pretended = Pretended()
    run(pretended)
    assert pretended.devices == {}


@pytest.mark.parametrize("slug", SLUGS)
def test_the_second_time_nothing_is_done_and_no_password_told(slug: str):
    pretended = Pretended()
    first = run(pretended, slug)
    before, changes = content(pretended), list(pretended.changes)
    words = dict(pretended.accounts)
    second = run(pretended, slug)
    assert content(pretended) == before
    assert (pretended.changes, pretended.accounts) == (changes, words)
    assert second.given == first.given
    assert second.added == 0
    assert [one.password for one in second.accounts] == ["", ""]


def test_what_a_visitor_deleted_is_not_made_again():
    pretended = Pretended()
    run(pretended)
    pretended.boards.clear()
    del pretended.tree["files/nadia/Cours/Liste du matériel.md"]
    before = content(pretended)
    run(pretended)
    run(pretended, renew=True)
    assert content(pretended) == before


def test_new_passwords_are_given_on_request_and_nothing_else_changes():
    pretended = Pretended()
    run(pretended)
    before, words = content(pretended), dict(pretended.accounts)
    told = run(pretended, renew=True)
    assert content(pretended) == before
    assert told.added == 0
    for one in told.accounts:
        assert pretended.accounts[one.account] == one.password != words[one.account]


def changes() -> int:
    pretended = Pretended()
    run(pretended)
    return len(pretended.changes)


@pytest.mark.parametrize("number", range(1, changes() + 1))
def test_wherever_it_is_interrupted_the_next_run_completes_it(number: int):
    whole, pretended = Pretended(), Pretended()
    run(whole)
    pretended.fails_at = number
    with pytest.raises(LabError):
        run(pretended)
    assert remembered(space(), pretended.occ, accounts_of(space(), pretended.occ)) is None
    told = run(pretended)
    assert content(pretended) == content(whole)
    assert pretended.accounts["nadia"] == told.accounts[0].password
    assert told.given.missing == ()


def test_a_space_without_an_application_goes_without_its_kind():
    pretended = Pretended(tuple(set(APPLICATIONS) - {"deck", "collectives"}))
    told = run(pretended)
    assert told.given.missing == ("board", "page")
    assert list(told.given.paths) == ["files", "link", "calendar", "my-space"]
    assert remembered(space(), pretended.occ, accounts_of(space(), pretended.occ)) == told.given


def test_the_stand_in_has_files_and_one_account():
    pretended = Pretended(STANDIN, "Archipel stand-in")
    told = run(pretended)
    assert [one.account for one in told.accounts] == ["nadia"]
    assert told.given.paths == {"files": "/remote.php/dav/files/nadia/"}
    assert told.given.missing == ("link", "calendar", "board", "page")
    assert told.given.standin
    assert "files/nadia/Bureau/Budget de l’année.csv" in pretended.tree
    assert run(pretended).given == told.given


class Broken(Pretended):
    """A space that does something else than what is asked."""

    def __init__(self, verb: str, says: str | None) -> None:
        super().__init__()
        self._verb, self._says = verb, says

    def occ(self, slug: str, arguments: str, secret: str = "") -> str:
        if arguments.startswith(self._verb):
            if self._says is None:
                raise LabError(f"{slug}: occ {arguments}: the node does not answer")
            return self._says
        return super().occ(slug, arguments, secret)


def test_accounts_that_cannot_be_listed_are_an_error():
    with pytest.raises(LabError, match="velo-ecole: user:list: found no JSON: Nextcloud is in"):
        run(Broken("user:list", "Nextcloud is in maintenance mode"))


@pytest.mark.parametrize("verb", ["user:list", "user:add", "user:setting"])
def test_a_node_that_does_not_answer_is_an_error(verb: str):
    with pytest.raises(LabError, match="the node does not answer"):
        run(Broken(verb, None))


def test_a_space_that_does_not_say_what_it_is_is_an_error(monkeypatch: pytest.MonkeyPatch):
    pretended = Pretended()

    def refuse(*_: object) -> None:
        raise ConnectionRefusedError("nobody listens")

    monkeypatch.setattr(pretended, "get", refuse)
    with pytest.raises(LabError, match=r"velo-ecole.*/status.php.*nobody listens"):
        run(pretended)
    assert "nadia" not in pretended.accounts
