# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""People at the form, with a real browser: in French and English, with scripts and without."""

from __future__ import annotations

import json
import time
from urllib.parse import urlencode

import pytest

from tests.support import axe
from tests.support.browser import Browser
from tests.support.form import HOST, Form, address, fill
from tools.chromium import Chromium, Page

FRENCH = {
    "name": "Chorale « des Halles » & d’à côté",
    "address": "chorale-des-halles",
    "registration_number": "W 751 234 567",
    "website": "chorale.example",
    "contact_name": "Awa",
    "contact_email": "awa@chorale.example",
    "about": "On chante.\nEt on danse 💃",
}
ENGLISH = {
    "name": "Walking & Talking Club",
    "address": "walking-club",
    "contact_name": "Sarah O'Neill",
    "contact_email": "secretary@walking-club.example",
    "about": "We walk.",
}


FIELDS = "JSON.stringify(Object.fromEntries(new FormData(document.querySelector('form'))))"


@pytest.fixture(scope="module", autouse=True)
def empty(form: Form) -> None:
    """Nothing waits yet."""
    form.clear()


def kept(form: Form, email: str) -> dict[str, object]:
    """Return the one request of somebody."""
    found = [one for one in form.kept().values() if one["contact_email"] == email]
    assert len(found) == 1, found
    return dict(found[0])


@pytest.mark.parametrize("language", ["fr", "en"])
class TestIsForEverybody:
    def test_the_form(self, people: Chromium, form: Form, language: str):
        page = people.page()
        page.open(f"{form.origin}/{language}/")
        assert axe.complaints(page) == []

    def test_what_answers_it(self, people: Chromium, form: Form, language: str):
        """What is wrong, what is to be confirmed, and the thanks."""
        page = people.page(scripts=False)
        page.open(f"{form.origin}/{language}/")
        page.ask("document.querySelector('form').noValidate = true")
        with page.leaving():
            page.click("form button")
        assert axe.complaints(page) == []
        page.open(f"{form.origin}/{language}/")
        fill(page, {**FRENCH, "contact_email": f"{language}@axe.example"})
        with page.leaving():
            page.click("form button")
        assert axe.complaints(page) == []
        time.sleep(8)
        with page.leaving():
            page.click("button")
        assert kept(form, f"{language}@axe.example")
        assert axe.complaints(page) == []


@pytest.fixture(scope="module")
def french(people: Chromium, form: Form) -> Page:
    """Somebody with an ordinary browser."""
    found = people.page()
    found.open(f"{form.origin}/fr/")
    return found


@pytest.fixture(scope="module")
def english(people: Chromium, form: Form) -> Page:
    """Somebody with a telephone that runs no scripts."""
    found = people.page(scripts=False, width=390)
    found.open(f"{form.origin}/en/")
    return found


class TestInFrenchWithScripts:
    def test_1_says_what_there_is(self, french: Page):
        assert french.ask("document.documentElement.lang") == "fr"
        assert "50 comptes et 40\u00a0Go" in french.text
        assert "Ce que nous n’offrons pas" in french.text

    def test_2_says_at_once_whether_an_address_is_taken(self, french: Page):
        state = "document.querySelector('#address-state').textContent"
        for typed, said in (
            ("velo-ecole", "velo-ecole n’est pas disponible."),
            ("www", "www n’est pas disponible."),
            ("demande", "demande n’est pas disponible."),
            ("Chorale des Hallés", "chorale-des-halles semble libre."),
        ):
            french.type("#address", typed)
            french.until(f"{state} === {json.dumps(said)}", seconds=20)

    def test_3_is_received(self, french: Page, form: Form):
        fill(french, FRENCH)
        with french.leaving():
            french.click("button")
        assert "Demande reçue" in french.text
        request = kept(form, FRENCH["contact_email"])
        assert {key: request[key] for key in FRENCH} == FRENCH
        assert (request["language"], request["via"], request["charter"]) == ("fr", "form", True)
        assert str(request["id"])[:8] in french.text

    def test_4_was_blocked_by_nothing(self, french: Page):
        assert french.complaints() == []


class TestInEnglishWithoutScripts:
    def test_1_asks_to_confirm_what_was_typed(self, english: Page, form: Form):
        fill(english, ENGLISH)
        with english.leaving():
            english.click("form button")
        assert "Check your request" in english.text
        for text in ENGLISH.values():
            assert text in english.text
        assert all(one["contact_email"] != ENGLISH["contact_email"] for one in form.kept().values())

    def test_2_waits_for_people_alone(self, english: Page):
        with english.leaving():
            english.click("button")
        assert "a little too soon" in english.text

    def test_3_is_received(self, english: Page, form: Form):
        time.sleep(8)
        fields = json.loads(english.ask(FIELDS))
        with english.leaving():
            english.click("button")
        assert "Request received" in english.text
        request = kept(form, ENGLISH["contact_email"])
        assert {key: request[key] for key in ENGLISH} == ENGLISH
        assert request["language"] == "en"
        # The same button again: nobody has two requests by pressing twice.
        (answer,) = form.send({"body": urlencode(fields), "from": address(1)})
        assert "Check your request" in answer.page
        kept(form, ENGLISH["contact_email"])


def test_the_keyboard_alone_is_enough(people: Chromium, form: Form):
    """Tab leads through all that people see, in order, and not into the field for programs."""
    page = people.page()
    page.open(f"{form.origin}/fr/")
    page.ask("document.querySelector('#ask').scrollIntoView()")
    places = []
    for _ in range(20):
        page.press("Tab")
        found = page.ask("document.activeElement.id || document.activeElement.tagName")
        places.append(found)
        if found == "BUTTON":
            break
    assert "homepage" not in places
    fields = ["name", "address", "registration_number", "website", "contact_name"]
    fields += ["contact_email", "about"]
    assert [one for one in places if one in fields] == fields
    assert places[-2:] == ["charter", "BUTTON"]


def test_what_is_missing_is_named_and_nothing_typed_is_lost(people: Chromium, form: Form):
    """Without the browser's own look at the fields, as an old one sends them."""
    before = len(form.kept())
    page = people.page(scripts=False)
    page.open(f"{form.origin}/fr/")
    page.ask("document.querySelector('form').noValidate = true")
    page.type("#name", "Ciné-club")
    page.type("#contact_email", "nobody")
    with page.leaving():
        page.click("button")
    assert "ce n’est pas une adresse électronique" in page.text
    assert "Charte" in page.text
    page.ask("history.back()")
    page.until("document.querySelector('#name') !== null")
    assert page.ask("document.querySelector('#name').value") == "Ciné-club"
    assert len(form.kept()) == before


@pytest.mark.parametrize(
    ("language", "place"),
    [("en-GB,en;q=0.9", "/en/"), ("fr-FR", "/fr/"), ("de", "/fr/"), ("", "/fr/")],
)
def test_the_root_leads_to_ones_language(browser: Browser, language: str, place: str):
    answer = browser.get(HOST, "/", **{"Accept-Language": language})
    assert answer.status == 302
    assert answer.header("location").endswith(place)


@pytest.mark.parametrize(
    "path",
    [
        "/fr/../../../etc/passwd",
        "/form.js/../../nginx.conf",
        "/.git/config",
        "/fr/index.php",
        "/requests/",
        "/taskx",
        "/request",
    ],
)
def test_there_is_nothing_else(browser: Browser, path: str):
    """With GET; a request is sent with POST."""
    assert browser.get(HOST, path).status in {400, 404}


@pytest.mark.parametrize("path", ["/fr/", "/en/", "/form.js", "/form.css", "/task"])
def test_every_answer_forbids_what_it_does_not_need(browser: Browser, path: str):
    answer = browser.get(HOST, path)
    assert answer.status == 200
    assert "default-src 'none'" in answer.header("content-security-policy")
    assert answer.header("x-content-type-options") == "nosniff"
    assert answer.header("referrer-policy") == "no-referrer"
    assert "set-cookie" not in answer.headers


def test_other_ways_of_asking_are_refused(browser: Browser):
    for method in ("PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"):
        assert browser.request(method, HOST, "/request").status in {405, 501}
