# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Letters to first administrators, read from a relay on the machine's own loopback address.

The tests follow each other: an English space and a French one with hostile names are asked for,
the relay is down, has the wrong certificate, takes letters, loses them.
"""

from __future__ import annotations

import datetime
import html
import json
import re
import secrets
import time
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from testinfra.host import Host

from tests.support.browser import Browser, Visit, token
from tests.support.clock import later
from tests.support.moment import in_words
from tests.support.relay import Letter, Relay
from tests.support.scenario import Scenario

ENGLISH, FRENCH = "walking-club", "theatre-de-poche"
CONTACTS = {
    ENGLISH: "secretary@walking-club.example",
    FRENCH: "regie@theatre-de-poche.example",
}
NAMES = {
    ENGLISH: "Sarah O'Neill",
    # A name that a careless program would read as a line of its own.
    FRENCH: '=?utf-8?q?R=C3=A9gie=0D=0ABcc=3A_all=40world.example?= <x@y.example>, "L\'Été"',
}
TITLES = {
    ENGLISH: "Walking & Talking Club",
    FRENCH: "Théâtre & de poche &amp; : « l'été » {{ 7 * 7 }}",
}
ZONES = {ENGLISH: "Europe/London", FRENCH: "Europe/Paris"}
PASSWORD = secrets.token_urlsafe(20) + "aA1!"
ACCOUNT = "administration"
BOTH = f"only={ENGLISH},{FRENCH}"
# A minute is what letters round to.
MINUTE = 60


def write(scenario: Scenario, slug: str, **changes: object) -> None:
    """Write an approved association's file."""
    file = {
        "name": TITLES[slug],
        "status": "approved",
        "contact": {"name": NAMES[slug], "email": CONTACTS[slug]},
        "decision": {"by": "moderation", "on": "2026-05-30"},
        "office": "collabora",
        "locale": "en" if slug == ENGLISH else "fr",
        "timezone": ZONES[slug],
        **changes,
    }
    scenario.registry(slug).write_text(json.dumps(file), encoding="utf-8")


@pytest.fixture(scope="module")
def relay(scenario: Scenario) -> Iterator[Relay]:
    """The relay, and two files of associations; nobody listens yet."""
    found = Relay(scenario)
    found.start()
    for slug in (ENGLISH, FRENCH):
        write(scenario, slug)
    yield found
    found.stop()
    (scenario.environment / "group_vars/all/zz-relay.yml").unlink()


def said(results: dict[str, dict[str, object]], task: str) -> str:
    """Return what a task of a role said; its name has the role's before it."""
    found = [result for name, result in results.items() if name.endswith(task)]
    assert len(found) == 1, list(results)
    return str(found[0].get("msg", found[0]))


def spaces_run(scenario: Scenario) -> str:
    """Converge both, and return what was said of letters."""
    return said(
        scenario.attempt("spaces.yml", "-e", BOTH), "Name the spaces whose invitation was not sent"
    )


def last(relay: Relay, slug: str) -> Letter:
    return relay.letters(CONTACTS[slug])[-1]


def choose(browser: Browser, slug: str, link: str, password: str = PASSWORD) -> dict[str, object]:
    """Do what the page behind a link does; return the answer."""
    visit = Visit(browser, f"{slug}.archipel.localhost")
    page = visit.open(link)
    form = {"password": password, "proceed": "true", "requesttoken": token(page.text)}
    return visit.open(link.replace("/lostpassword/reset/form/", "/lostpassword/set/"), form).json()


def works(browser: Browser, slug: str, link: str) -> bool:
    """Tell whether the page behind a link lets somebody choose a password."""
    page = Visit(browser, f"{slug}.archipel.localhost").open(link)
    assert page.status == 200
    # Nextcloud hands the address of the form to its script, the stand-in has it in the form.
    return "resetPasswordTarget" in page.text or "/lostpassword/set/" in page.text


class TestWithoutARelay:
    def test_01_a_relay_that_is_down_keeps_no_space_closed(
        self, scenario: Scenario, relay: Relay, browser: Browser
    ):
        relay.stop()
        relay.use()
        told = spaces_run(scenario)
        for slug in (ENGLISH, FRENCH):
            assert f"{slug}: invite {ACCOUNT}: not accepted for {CONTACTS[slug]}: " in told
            assert browser.get(f"{slug}.archipel.localhost", "/status.php").status == 200
        assert "127.0.0.1:2525" in told
        assert "once it does, the next run invites" in told

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"certificate_name": "other.example"}, "other.example"),
            ({"ca": None}, "certificate verify failed"),
        ],
    )
    def test_02_nor_one_that_is_another(
        self, scenario: Scenario, relay: Relay, changes: dict[str, str | None], why: str
    ):
        relay.start()
        relay.use(**changes)
        told = spaces_run(scenario)
        assert f"{FRENCH}: invite {ACCOUNT}: not accepted" in told
        assert why in told
        assert relay.letters(CONTACTS[FRENCH]) == []

    def test_03_nor_one_that_refuses_the_address(self, scenario: Scenario, relay: Relay):
        relay.behave("refuse")
        relay.use()
        assert "550 no such mailbox here" in spaces_run(scenario)

    def test_04_the_next_run_sends_once(self, scenario: Scenario, relay: Relay):
        relay.start()
        relay.use()
        relay.behave("accept")
        scenario.converge("spaces.yml", "-e", BOTH)
        assert scenario.converge("spaces.yml", "-e", BOTH) == []
        assert [len(relay.letters(to)) for to in CONTACTS.values()] == [1, 1]

    def test_05_a_run_that_died_after_sending_sends_no_second(
        self, scenario: Scenario, relay: Relay, node: Host
    ):
        """As far as that can be had: what the relay took is noted in the space at once."""
        node.check_output(f"rm /srv/spaces/{FRENCH}/.applied")
        scenario.converge("spaces.yml", "-e", BOTH)
        assert len(relay.letters(CONTACTS[FRENCH])) == 1


class Tags(HTMLParser):
    """The tags of a page, and what it would load."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [
            str(value) for name, value in attrs if name in {"src", "href", "background"}
        ]


@pytest.mark.parametrize("slug", [ENGLISH, FRENCH])
class TestTheLetter:
    def test_travels_encrypted_from_the_relays_account(self, relay: Relay, slug: str):
        letter = last(relay, slug)
        assert letter.encrypted
        assert letter.account == "archipel"
        assert (letter.sender, letter.recipients) == (f"{slug}@spaces.example", [CONTACTS[slug]])

    def test_says_who_writes_to_whom(self, relay: Relay, scenario: Scenario, slug: str):
        letter, operator = last(relay, slug).message, scenario_operator(scenario)
        assert [one.addr_spec for one in letter["To"].addresses] == [CONTACTS[slug]]
        assert [one.addr_spec for one in letter["From"].addresses] == [f"{slug}@spaces.example"]
        assert letter["From"].addresses[0].display_name == operator["name"]
        assert [one.addr_spec for one in letter["Reply-To"].addresses] == [operator["email"]]
        assert letter["Auto-Submitted"] == "auto-generated"

    def test_no_name_becomes_a_header(self, relay: Relay, slug: str):
        head = last(relay, slug).raw.partition(b"\r\n\r\n")[0].decode("ascii")
        names = re.findall(r"^([A-Za-z-]+):", head, re.MULTILINE)
        assert sorted(set(names)) == sorted(names), "each once"
        assert {"bcc", "cc"}.isdisjoint(name.lower() for name in names)

    def test_is_in_the_language_of_the_space(self, relay: Relay, slug: str):
        letter = last(relay, slug)
        subject, text = str(letter.message["Subject"]), letter.part("plain")
        if slug == ENGLISH:
            assert subject == f"Your space “{TITLES[slug]}” is ready"
            assert text.startswith(f"Hello {NAMES[slug]},\n")
            assert "Choose your password here:\n" in text
        else:
            assert subject == f"Votre espace «\u00a0{TITLES[slug]}\u00a0» est prêt"
            assert text.startswith(f"Bonjour {NAMES[slug]},\n")
            assert "Choisissez votre mot de passe ici\u00a0:\n" in text
            assert "ne fonctionne plus\u202f? Répondez" in text
            ours = text.replace(TITLES[slug], "").replace(NAMES[slug], "")
            assert re.findall(r"\w'\w| [:;!?»%](?!\w)|« ", ours) == []

    def test_its_links_lead_to_the_space_and_its_operator(
        self, relay: Relay, scenario: Scenario, browser: Browser, slug: str
    ):
        origin = f"https://{slug}.archipel.localhost:{browser.port}"
        letter, operator = last(relay, slug), scenario_operator(scenario)
        assert letter.link.startswith(f"{origin}/")
        assert letter.part("plain").count(letter.link) == 1
        found = re.findall(r"https?://[^\s<>\"]+", letter.part("plain").replace(NAMES[slug], ""))
        assert set(found) == {letter.link, origin, operator["url"]}
        assert Tags(letter.part("html")).addresses == [letter.link]

    def test_plain_is_plain_and_html_loads_nothing(self, relay: Relay, slug: str):
        letter = last(relay, slug)
        plain = letter.part("plain").replace(TITLES[slug], "").replace(NAMES[slug], "")
        assert "<" not in plain
        assert "&" not in plain
        page = letter.part("html")
        assert f'<html lang="{"en" if slug == ENGLISH else "fr"}">' in page
        assert set(Tags(page).tags) <= {
            "html",
            "head",
            "meta",
            "title",
            "body",
            "div",
            "p",
            "a",
            "br",
            "hr",
        }
        assert TITLES[slug] in html.unescape(page)

    def test_is_whole_in_utf_8_and_short_lines(self, relay: Relay, slug: str):
        letter = last(relay, slug)
        assert max(len(line) for line in letter.raw.split(b"\r\n")) <= 998
        assert {part.get_content_charset() for part in letter.message.iter_parts()} == {"utf-8"}
        assert "\ufffd" not in letter.part("plain") + letter.part("html")

    def test_says_exactly_how_long_its_link_works(
        self, relay: Relay, browser: Browser, slug: str, node: Host
    ):
        letter = last(relay, slug)
        until = moment(letter, slug)
        for seconds, lives in ((-3 * MINUTE, True), (2 * MINUTE, False)):
            with later(node, slug, int(until - time.time()) + seconds):
                assert works(browser, slug, letter.link) is lives, (
                    f"{seconds} s from the time it says"
                )
        assert works(browser, slug, letter.link)


def scenario_operator(scenario: Scenario) -> dict[str, str]:
    """Return what the spaces were told of their operator."""
    return dict(json.loads(scenario.occ(FRENCH, "config:app:get archipel operator")))


def moment(letter: Letter, slug: str) -> int:
    """Return the minute until which a letter says that its link works, a unix time."""
    sent = letter.message["Date"].datetime.timestamp()
    language = "en" if slug == ENGLISH else "fr"
    text = letter.part("plain")
    for minutes in range(14 * 24 * 60):
        at = (int(sent) // MINUTE + minutes) * MINUTE
        if f" {in_words(at, ZONES[slug], language)}." in text:
            return at
    raise AssertionError(text)


class TestTheLink:
    def test_it_is_taken_once(self, relay: Relay, browser: Browser):
        link = last(relay, FRENCH).link
        assert choose(browser, FRENCH, link)["status"] == "success"
        host = f"{FRENCH}.archipel.localhost"
        answer = browser.request(
            "GET",
            host,
            "/ocs/v2.php/cloud/user?format=json",
            account=(ACCOUNT, PASSWORD),
            headers={"OCS-APIRequest": "true"},
        )
        assert answer.status == 200
        assert answer.json()["ocs"]["data"]["id"] == ACCOUNT
        assert not works(browser, FRENCH, link)
        assert choose(browser, FRENCH, link, "another" + PASSWORD)["status"] == "error"


class TestInviteAgain:
    def test_01_check_says_who_would_get_what(self, scenario: Scenario, relay: Relay):
        before = [len(relay.letters(to)) for to in CONTACTS.values()]
        told = said(scenario.attempt("invite.yml", "--check", "-e", BOTH), "Say who was sent what")
        assert f"{ENGLISH}: would be sent: invitation to {CONTACTS[ENGLISH]} by mail" in told
        today = datetime.datetime.now(tz=datetime.UTC).date()
        assert f"{FRENCH}: not invited: its first administrator was last there on {today}" in told
        assert [len(relay.letters(to)) for to in CONTACTS.values()] == before

    def test_02_one_call_sends_to_who_has_not_logged_in(
        self, scenario: Scenario, relay: Relay, browser: Browser
    ):
        old = last(relay, ENGLISH).link
        told = said(scenario.attempt("invite.yml", "-e", BOTH), "Say who was sent what")
        assert (
            f"{ENGLISH}: invitation to {CONTACTS[ENGLISH]} by mail, its link works until " in told
        )
        assert [len(relay.letters(to)) for to in CONTACTS.values()] == [2, 1]
        assert not works(browser, ENGLISH, old)
        assert works(browser, ENGLISH, last(relay, ENGLISH).link)

    def test_03_again_sends_to_who_has(self, scenario: Scenario, relay: Relay, browser: Browser):
        scenario.attempt("invite.yml", "-e", f"only={FRENCH}", "-e", "again=true")
        letters = relay.letters(CONTACTS[FRENCH])
        assert len(letters) == 2
        assert works(browser, FRENCH, letters[-1].link)

    def test_04_an_account_in_use_is_handed_to_nobody_else(self, scenario: Scenario, relay: Relay):
        write(scenario, FRENCH, contact={"email": "new@theatre.example"})
        refused = scenario.refusal("invite.yml", "-e", f"only={FRENCH}", "-e", "again=true")
        assert (
            f"{FRENCH}: the account {ACCOUNT} is in use, and has the address {CONTACTS[FRENCH]}"
            in refused
        )
        assert relay.letters("new@theatre.example") == []
        write(scenario, FRENCH)

    def test_05_an_address_that_was_wrong_is_put_right(
        self, scenario: Scenario, relay: Relay, browser: Browser
    ):
        write(scenario, ENGLISH, contact={"name": "Sam", "email": "sam@walking-club.example"})
        scenario.attempt("invite.yml", "-e", f"only={ENGLISH}")
        (letter,) = relay.letters("sam@walking-club.example")
        assert letter.part("plain").startswith("Hello Sam,\n")
        assert choose(browser, ENGLISH, letter.link)["status"] == "success"

    def test_06_what_no_relay_took_is_said_and_ends_no_link(
        self, scenario: Scenario, relay: Relay, browser: Browser
    ):
        relay.behave("refuse")
        refused = scenario.refusal("invite.yml", "-e", f"only={FRENCH}", "-e", "again=true")
        assert f"{FRENCH}: invite {ACCOUNT}: not accepted for {CONTACTS[FRENCH]}" in refused
        assert works(browser, FRENCH, last(relay, FRENCH).link)

    def test_07_a_letter_that_was_taken_and_not_owned_up_to_is_sent_again(
        self, scenario: Scenario, relay: Relay, browser: Browser
    ):
        """No sender can know: two letters, of which the second one's link works."""
        relay.behave("vanish")
        before = len(relay.letters(CONTACTS[FRENCH]))
        scenario.refusal("invite.yml", "-e", f"only={FRENCH}", "-e", "again=true")
        relay.behave("accept")
        scenario.attempt("invite.yml", "-e", f"only={FRENCH}", "-e", "again=true")
        first, second = relay.letters(CONTACTS[FRENCH])[before:]
        assert not works(browser, FRENCH, first.link)
        assert works(browser, FRENCH, second.link)

    def test_08_without_a_relay_the_letter_waits_on_the_machine(
        self, scenario: Scenario, relay: Relay, node: Host
    ):
        (scenario.environment / "group_vars/all/zz-relay.yml").unlink()
        scenario.attempt("invite.yml", "-e", f"only={FRENCH}", "-e", "again=true")
        path = f"/var/spool/archipel/invitations/{FRENCH}.eml"
        letter = Letter("", [], encrypted=False, account="", raw=node.file(path).content)
        assert [one.addr_spec for one in letter.message["To"].addresses] == [CONTACTS[FRENCH]]
        assert letter.message["Bcc"] is None
        assert letter.link in letter.part("plain")
        relay.use()

    @pytest.mark.parametrize(
        ("only", "why"),
        [
            ("walking-clubb", 'Did you mean "walking-club"?'),
            ("", "name the spaces"),
            (f"{FRENCH},nobody", "nobody: names no space"),
        ],
    )
    def test_09_names_that_are_none(self, scenario: Scenario, only: str, why: str):
        assert why in scenario.refusal("invite.yml", "-e", f"only={only}")
