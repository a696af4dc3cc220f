# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Put people and content into a space of the demo, once.

What is there is asked from the space itself: that its content is whole stands in a setting of the
account that made it. What a visitor changes or deletes later is left alone. Passwords are made at
random, handed back to be shown, and kept nowhere: Nextcloud itself has only their hashes.
"""

from __future__ import annotations

import datetime
import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, urlencode

from tools.content import kinds, passwords
from tools.content.association import Association, Someone
from tools.content.kinds import Work
from tools.https import Browser
from tools.lab import LabError
from tools.person import Person, read_status

# Where the space remembers what it was given: application and key of a setting of an account.
SETTING = "archipel_demo content"
NOTHING = "none"
ADMINISTRATORS, MEMBERS = "space-admins", "members"
MY_SPACE = "/settings/admin/archipel"
STANDIN = "stand-in"

# (slug, arguments, secret) → what occ printed.
Occ = Callable[[str, str, str], str]


@dataclass(frozen=True)
class Space:
    """A space that gets content: where it is, and what."""

    slug: str
    name: str
    host: str
    wanted: Association

    @property
    def first(self) -> Someone:
        """Who administers it, and makes its content."""
        return self.wanted["people"][0]


@dataclass(frozen=True)
class Account:
    """Somebody who can log in; password: empty where it was shown before."""

    account: str
    name: str
    administers: bool
    password: str


@dataclass(frozen=True)
class Given:
    """What a space remembers to have been given."""

    # Kind of content → path.
    paths: Mapping[str, str]
    # Kinds that it cannot have.
    missing: tuple[str, ...]
    # Whether only the stand-in is there.
    standin: bool


@dataclass(frozen=True)
class Told:
    """What a visitor is told of a space."""

    space: Space
    accounts: tuple[Account, ...]
    given: Given
    # How many things were made in this run.
    added: int


def fill(
    space: Space, browser: Browser, occ: Occ, today: datetime.date, *, renew: bool = False
) -> Told:
    """Have a space look like that of an association at work; the second time nothing is added.

    Args:
        space: which one.
        browser: what its members use.
        occ: what the operator uses.
        today: the day that events are counted from.
        renew: whether new passwords are given although the content is whole.

    Raises:
        LabError: occ refused, a request of a member did, or it was answered in another shape.

    """
    try:
        return _Filler(space, browser, occ, today).fill(renew)
    except LookupError as error:
        raise LabError(f"{space.slug}: an application answers without {error}") from error


@dataclass
class _Filler:
    """Fills one space, and counts what it makes."""

    space: Space
    browser: Browser
    occ: Occ
    today: datetime.date
    added: int = 0
    # Account → password, of those that were given one in this run.
    words: dict[str, str] = field(default_factory=dict)

    def fill(self, renew: bool) -> Told:
        there = accounts_of(self.space, self.occ)
        given = remembered(self.space, self.occ, there)
        if given is None or renew:
            status = read_status(self.browser, self.space.host)
            standin = STANDIN in status["productname"]
            self.admit_all(standin, there)
            if given is None:
                given = self.make(standin)
                setting = shlex.quote(_text(given))
                self.run_occ(f"user:setting {self.space.first['account']} {SETTING} {setting}")
        people = self.space.wanted["people"][: 1 if given.standin else None]
        accounts = tuple(self.account(one) for one in people)
        return Told(self.space, accounts, given, self.added)

    def account(self, one: Someone) -> Account:
        word = self.words.get(one["account"], "")
        return Account(one["account"], one["name"], one is self.space.first, word)

    def run_occ(self, arguments: str, secret: str = "") -> str:
        return self.occ(self.space.slug, arguments, secret)

    def person(self, account: str) -> Person:
        return Person(self.browser, self.space.host, account, self.words[account])

    # --- people ---------------------------------------------------------------------------

    def admit_all(self, standin: bool, there: list[str]) -> None:
        """Give the people accounts, and new passwords."""
        self.admit_first(there)
        # The stand-in has no interface for accounts: one is enough to see its files.
        if standin:
            return
        administrator = self.person(self.space.first["account"])
        for one in self.space.wanted["people"][1:]:
            self.admit(one, administrator, there)
        path, language = f"cloud/users/{administrator.name}", self.space.wanted["language"]
        administrator.ocs("PUT", path, key="language", value=language)

    def admit_first(self, there: list[str]) -> None:
        """Give the first one an account that administers the space."""
        account = self.space.first["account"]
        if account in there:
            command = f"user:resetpassword --password-from-env {account}"
        else:
            name = shlex.quote(self.space.first["name"])
            groups = f"--group={ADMINISTRATORS} --group={MEMBERS}"
            command = f"user:add --password-from-env --display-name={name} {groups} {account}"
            self.added += 1
        self.words[account] = passwords.make()
        self.run_occ(command, self.words[account])

    def admit(self, one: Someone, administrator: Person, there: list[str]) -> None:
        """Give another one an account, as administrators of a space do."""
        word = self.words[one["account"]] = passwords.make()
        if one["account"] in there:
            path = f"cloud/users/{one['account']}"
            administrator.ocs("PUT", path, key="password", value=word)
            return
        administrator.ocs(
            "POST",
            "cloud/users",
            userid=one["account"],
            password=word,
            displayName=one["name"],
            groups=[MEMBERS],
            language=self.space.wanted["language"],
        )
        self.added += 1

    # --- content --------------------------------------------------------------------------

    def make(self, standin: bool) -> Given:
        """Make every kind of content that the space can have."""
        first = self.person(self.space.first["account"])
        menu = frozenset(entry["id"] for entry in first.ocs("GET", "core/navigation/apps"))
        applications = menu if standin else menu | {"files_sharing"}
        with _device(first, standin) as one:
            made = dict(kinds.make_all(Work(one, self.space.wanted, self.today), applications))
        self.added += sum(one.added for one in made.values())
        paths = {kind: one.path for kind, one in made.items()}
        # Where there are no pages, programs that speak WebDAV are the way to the files.
        paths |= {"files": f"/remote.php/dav/files/{first.name}/"} if standin else {}
        paths |= {} if standin else {"my-space": MY_SPACE}
        return Given(paths, tuple(kinds.missing(applications)), standin)


@contextmanager
def _device(person: Person, standin: bool) -> Iterator[Person]:
    """Work as a device of somebody does, and take its password back afterwards.

    Each check of a password takes a second of processor time, that of a device's little.
    """
    if standin:
        yield person
        return
    device = replace(person, password=person.ocs("GET", "core/getapppassword")["apppassword"])
    try:
        yield device
    finally:
        device.ocs("DELETE", "core/apppassword")


# --- what a space remembers -------------------------------------------------------------------


def accounts_of(space: Space, occ: Occ) -> list[str]:
    """Return the accounts of a space.

    Raises:
        LabError: occ did not list them.

    """
    said = occ(space.slug, "user:list --output=json", "")
    try:
        return list(json.loads(said))
    except ValueError as error:
        raise LabError(f"{space.slug}: user:list: found no JSON: {said[:200]}") from error


def remembered(space: Space, occ: Occ, there: list[str]) -> Given | None:
    """Return what a space was given; None: nothing, or not all of it.

    Args:
        space: which one.
        occ: what the operator uses.
        there: its accounts.

    Raises:
        LabError: occ did not answer.

    """
    first = space.first["account"]
    if first not in there:
        return None
    said = occ(space.slug, f"user:setting {first} {SETTING} --default-value={NOTHING}", "").strip()
    return None if said == NOTHING else _given(said)


def _text(given: Given) -> str:
    """Return it as one word that no shell and no template reads anything into. Pure."""
    state = {"missing": " ".join(given.missing), "standin": "yes" if given.standin else "no"}
    return urlencode({**given.paths, **state})


def _given(text: str) -> Given:
    found = dict(parse_qsl(text, keep_blank_values=True))
    missing, standin = found.pop("missing", ""), found.pop("standin", "no")
    return Given(found, tuple(missing.split()), standin == "yes")
