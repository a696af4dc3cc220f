# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Two associations from the form to the purge, one French and one English, with all their letters.

The tests follow each other. Contacts are in the vault; nobody's address is ever in another file.
"""

from __future__ import annotations

import datetime
import json
import re
import time
import typing as t
from pathlib import Path

import pytest
import yaml
from testinfra.host import Host

from tests.support import axe
from tests.support.association import Association
from tests.support.browser import Browser
from tests.support.form import Form, address, body, fill
from tests.support.relay import Letter, Relay
from tests.support.scenario import Scenario
from tools.chromium import Chromium

FRENCH, ENGLISH = "chorale-des-halles", "walking-club"
NAMES = {FRENCH: "Chorale « des Halles »", ENGLISH: "Walking & Talking Club"}
MAILS = {FRENCH: "awa@chorale.example", ENGLISH: "secretary@walking-club.example"}
# Who only asks, and is refused in the end.
OTHERS = {f"asso-{n}": f"n{n}@others.example" for n in range(4)}
TODAY = datetime.datetime.now(tz=datetime.UTC).date()
KILL_AT = "/run/archipel/kill-at"


@pytest.fixture(scope="module", autouse=True)
def begin(form: Form, relay: Relay) -> None:
    form.clear()
    assert relay


def answers(scenario: Scenario, slug: str) -> int:
    return scenario.browser.get(f"{slug}.archipel.localhost", "/status.php").status


def moderate(scenario: Scenario, only: str, decision: str, **extra: str) -> None:
    values = json.dumps({"only": only, "decision": decision, "by": "nadia", **extra})
    scenario.converge("moderate.yml", "-e", values)


def write_letters(scenario: Scenario, vault: str) -> dict[str, list[str]]:
    """Run the playbook, and return who was written what."""
    done = scenario.attempt("letters.yml", vault)
    return t.cast("dict[str, list[str]]", done["Send letters that are due"]["spaces"])


def last(relay: Relay, mail: str, subject: str) -> Letter:
    """Return the newest letter to somebody; its subject is the one."""
    found = relay.letters(mail)
    assert found
    assert str(found[-1].message["Subject"]).startswith(subject)
    return found[-1]


def check_form(letter: Letter, relay: Relay, slug: str, mail: str) -> None:
    """What every letter has: sender, answers, both forms, the language, nothing that loads."""
    message = letter.message
    assert letter.recipients == [mail]
    assert letter.sender == f"{slug}@spaces.example"
    assert message["From"].addresses[0].display_name == "The operator of these spaces"
    assert [one.addr_spec for one in message["To"].addresses] == [mail]
    assert len(message["Reply-To"].addresses) == 1
    assert message["Reply-To"].addresses[0].addr_spec != letter.sender
    assert message["Auto-Submitted"] == "auto-generated"
    page, text = letter.part("html"), letter.part("plain")
    assert not re.search(r"<(img|link|script|iframe)|url\(|@import", page)
    assert "{" not in text.replace("{{", "")
    assert relay.scenario.name


def french(letter: Letter, name: str) -> bool:
    """Whether a letter is French, and typeset so."""
    text = letter.part("plain").replace(name, "")
    assert re.findall(r"\w'\w| [:;?!»%](?!\w)|« ", text) == []
    return text.startswith("Bonjour")


def test_01_contacts_move_into_the_vault(scenario: Scenario, vault: str):
    scenario.converge("intake.yml", vault, "-e", "move=true", "-e", "archipel_contacts=public")
    policy = scenario.environment / "group_vars/all/zz-contacts.yml"
    policy.write_text("archipel_contacts: vaulted\n", encoding="utf-8")
    assert "contact" not in yaml.safe_load(scenario.registry("velo-ecole").read_text())
    contacts = (scenario.registry_folder / "contacts.yml").read_text()
    assert contacts.startswith("$ANSIBLE_VAULT;")
    scenario.converge("check.yml")
    assert "this run has no password" in scenario.refusal("spaces.yml")
    # With the relay, which spaces are told of.
    scenario.converge("spaces.yml", vault)


def test_02_two_associations_ask(people: Chromium, form: Form):
    for slug, language, scripts in ((FRENCH, "fr", True), (ENGLISH, "en", False)):
        page = people.page(scripts=scripts)
        page.open(f"{form.origin}/{language}/")
        fields = {"name": NAMES[slug], "address": slug, "contact_email": MAILS[slug]}
        fill(page, {**fields, "contact_name": "Awa" if language == "fr" else "Sarah"})
        with page.leaving():
            page.click("form button")
        if not scripts:
            time.sleep(9)
            with page.leaving():
                page.click("button")
        assert "Demande reçue" in page.text or "Request received" in page.text
    posts = [
        {
            "body": body({"name": slug, "address": slug, "contact_email": mail, "charter": "yes"}),
            "from": address(7000 + number),
        }
        for number, (slug, mail) in enumerate(OTHERS.items())
    ]
    assert all(answer.thanked for answer in form.send(*posts))


def test_03_they_wait_for_a_decision(
    scenario: Scenario, vault: str, form: Form, people: Chromium, browser: Browser
):
    assert len(form.kept()) == 6
    said = scenario.refusal("intake.yml")
    assert "this run has no password" in said
    assert len(form.kept()) == 6, "nothing is lost without the password"
    scenario.converge("intake.yml", vault)
    assert form.kept() == {}
    for slug in (FRENCH, ENGLISH, *OTHERS):
        file = yaml.safe_load(scenario.registry(slug).read_text(encoding="utf-8"))
        assert file["status"] == "requested"
        assert "contact" not in file
    scenario.converge("check.yml")
    assert scenario.converge("intake.yml", vault) == []
    page = people.page()
    page.open((form.build / "moderation/index.html").as_uri())
    assert NAMES[FRENCH] in page.text
    assert MAILS[FRENCH] in page.text
    assert axe.complaints(page) == []
    # The form knows at once.
    answer = browser.get("demande.archipel.localhost", f"/address?slug={FRENCH}")
    assert answer.json() == {"right": True, "free": False}


def test_04_each_is_told_once_wherever_the_run_is_killed(
    scenario: Scenario, vault: str, relay: Relay, node: Host
):
    """Between any two letters: five runs die, each after one; the sixth finishes."""
    told = scenario.attempt("letters.yml", vault, "--check")
    would = told["Send letters that are due"]["spaces"]
    assert set(would) == {FRENCH, ENGLISH, *OTHERS}
    assert would[FRENCH] == [f"letter received to {MAILS[FRENCH]}"]
    everybody = [*MAILS.values(), *OTHERS.values()]
    assert [relay.letters(mail) for mail in everybody] == [[]] * 6
    for number in range(1, 6):
        node.check_output(f"echo letters:noted >{KILL_AT}")
        said = scenario.refusal("letters.yml", vault)
        assert not node.file(KILL_AT).exists, said
        assert sum(len(relay.letters(mail)) for mail in everybody) == number
    assert len(write_letters(scenario, vault)) == 1
    assert write_letters(scenario, vault) == {}
    assert [len(relay.letters(mail)) for mail in everybody] == [1] * 6
    record = (scenario.registry_folder / "letters.txt").read_text()
    assert len(record.splitlines()) == 6
    assert "@" not in record


def test_05_what_they_are_told(relay: Relay):
    letter = last(relay, MAILS[FRENCH], "Nous avons bien reçu votre demande")
    check_form(letter, relay, FRENCH, MAILS[FRENCH])
    assert french(letter, NAMES[FRENCH])
    letter = last(relay, MAILS[ENGLISH], "We have your request")
    check_form(letter, relay, ENGLISH, MAILS[ENGLISH])
    assert letter.part("plain").startswith("Hello Sarah,")


def test_06_whichever_record_is_lost_nobody_is_told_twice(
    scenario: Scenario, vault: str, relay: Relay, node: Host
):
    record = scenario.registry_folder / "letters.txt"
    kept = record.read_text()
    record.unlink()
    assert write_letters(scenario, vault) == {}
    assert {json.loads(line)["letter"] for line in record.read_text().splitlines()} == {
        json.loads(line)["letter"] for line in kept.splitlines()
    }
    node.check_output("rm /var/lib/archipel/letters.json")
    assert write_letters(scenario, vault) == {}
    assert len(relay.letters(MAILS[FRENCH])) == 1


def test_07_a_question_and_refusals(scenario: Scenario, vault: str, relay: Relay, node: Host):
    moderate(scenario, FRENCH, "ask", reason="which-association")
    moderate(scenario, ",".join(OTHERS), "refuse", reason="Nous n'ouvrons plus d'espace en été.")
    # A run that dies between the relay's answer and the note sends that one letter again.
    node.check_output(f"echo letters:taken >{KILL_AT}")
    scenario.refusal("letters.yml", vault)
    assert len(write_letters(scenario, vault)) == 5
    letter = last(relay, MAILS[FRENCH], "Une question sur votre demande")
    check_form(letter, relay, FRENCH, MAILS[FRENCH])
    assert french(letter, NAMES[FRENCH])
    assert "dans un registre public" in letter.part("plain")
    counted = {mail: relay.letters(mail)[1:] for mail in [MAILS[FRENCH], *OTHERS.values()]}
    assert sorted(len(found) for found in counted.values()) == [1, 1, 1, 1, 2]
    (twice,) = [found for found in counted.values() if len(found) == 2]
    assert twice[0].message["Message-ID"] == twice[1].message["Message-ID"]
    for mail in OTHERS.values():
        assert "Nous n'ouvrons plus" in relay.letters(mail)[-1].part("plain")


def test_08_approved_they_are_invited(
    scenario: Scenario, vault: str, relay: Relay, people: Chromium, form: Form
):
    moderate(scenario, f"{FRENCH},{ENGLISH}", "approve")
    file = yaml.safe_load(scenario.registry(FRENCH).read_text(encoding="utf-8"))
    assert file["decision"]["by"] == "nadia"
    scenario.converge("spaces.yml", vault)
    for slug, subject in ((FRENCH, "Votre espace"), (ENGLISH, "Your space")):
        assert answers(scenario, slug) == 200
        letter = last(relay, MAILS[slug], subject)
        page = people.page()
        page.open(letter.link)
        assert page.url.startswith(f"https://{slug}.archipel.localhost")
    assert set(write_letters(scenario, vault)) == {FRENCH, ENGLISH}
    letter = last(relay, MAILS[FRENCH], "Votre demande pour")
    check_form(letter, relay, FRENCH, MAILS[FRENCH])
    assert french(letter, NAMES[FRENCH])
    assert "L’invitation" in letter.part("plain")
    letter = last(relay, MAILS[ENGLISH], "Your request for")
    assert f"https://{ENGLISH}.archipel.localhost" in letter.part("plain")
    assert write_letters(scenario, vault) == {}
    assert form.kept() == {}


def test_09_suspended_and_back(scenario: Scenario, vault: str, relay: Relay):
    moderate(scenario, FRENCH, "suspend", reason="abuse")
    scenario.converge("spaces.yml", vault)
    assert answers(scenario, FRENCH) == 503
    assert set(write_letters(scenario, vault)) == {FRENCH}
    letter = last(relay, MAILS[FRENCH], "L’espace")
    check_form(letter, relay, FRENCH, MAILS[FRENCH])
    assert french(letter, NAMES[FRENCH])
    assert "Rien n’a été supprimé" in letter.part("plain")
    moderate(scenario, FRENCH, "approve")
    scenario.converge("spaces.yml", vault)
    assert answers(scenario, FRENCH) == 200
    assert set(write_letters(scenario, vault)) == {FRENCH}
    assert french(last(relay, MAILS[FRENCH], "L’espace"), NAMES[FRENCH])
    assert write_letters(scenario, vault) == {}


def test_10_a_closing_is_announced_and_taken_back(scenario: Scenario, vault: str, relay: Relay):
    day = (TODAY + datetime.timedelta(days=30)).isoformat()
    moderate(scenario, ENGLISH, "close", reason="on-request", day=day)
    assert scenario.converge("spaces.yml", vault) == []
    assert set(write_letters(scenario, vault)) == {ENGLISH}
    letter = last(relay, MAILS[ENGLISH], "The space")
    assert "will be closed on" in str(letter.message["Subject"])
    moderate(scenario, ENGLISH, "approve")
    assert "closing" not in yaml.safe_load(scenario.registry(ENGLISH).read_text(encoding="utf-8"))
    assert answers(scenario, ENGLISH) == 200
    assert write_letters(scenario, vault) == {}


def test_11_closed(scenario: Scenario, vault: str, relay: Relay):
    moderate(scenario, f"{FRENCH},{ENGLISH}", "close", reason="on-request")
    scenario.converge("spaces.yml", vault)
    assert {answers(scenario, slug) for slug in (FRENCH, ENGLISH)} == {410}
    assert set(write_letters(scenario, vault)) == {FRENCH, ENGLISH}
    letter = last(relay, MAILS[FRENCH], "L’espace")
    assert french(letter, NAMES[FRENCH])
    assert "copie complète" in letter.part("plain")
    letter = last(relay, MAILS[ENGLISH], "The space")
    check_form(letter, relay, ENGLISH, MAILS[ENGLISH])
    assert "complete copy" in letter.part("plain")


def test_12_purged(scenario: Scenario, vault: str, relay: Relay, node: Host):
    only = f"only={FRENCH},{ENGLISH}"
    for slug in (FRENCH, ENGLISH):
        before = {"by": "nadia", "on": "2026-03-02", "reason": "on-request"}
        Association(scenario, slug, ("", "")).write(closed_on="2026-03-03", decision=before)
    scenario.converge("spaces.yml", vault)
    scenario.converge("backup.yml", vault, "-e", only, "-e", "verify=true")
    scenario.converge("purge.yml", vault, "-e", only, "-e", "purge_pause=0")
    for slug in (FRENCH, ENGLISH):
        assert not node.file(f"/srv/spaces/{slug}").exists
    assert set(write_letters(scenario, vault)) == {FRENCH, ENGLISH}
    letter = last(relay, MAILS[FRENCH], "Les données de l’espace")
    check_form(letter, relay, FRENCH, MAILS[FRENCH])
    assert french(letter, NAMES[FRENCH])
    last(relay, MAILS[ENGLISH], "The data of the space")
    assert write_letters(scenario, vault) == {}
    steps = [str(one.message["Subject"]) for one in relay.letters(MAILS[ENGLISH])]
    # Received, accepted, the invitation, to be closed, closed, purged.
    assert len(steps) == len(set(steps)) == 6


def test_13_nobodys_address_was_ever_in_the_open(scenario: Scenario):
    for path in [one for one in Path(scenario.registry_folder).rglob("*") if one.is_file()]:
        text = path.read_text(encoding="utf-8")
        assert not [mail for mail in (*MAILS.values(), *OTHERS.values()) if mail in text], path
