# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A space that nobody uses: three letters, a suspension, an end, and how each is taken back.

No clock is set forward: the node's reports are of now, so the days in the file and in the record of
letters are set back instead. The tests follow each other.
"""

from __future__ import annotations

import datetime
import json
import re
import time
import typing as t

import pytest
import yaml
from testinfra.host import Host

from tests.support.layout import Layout
from tests.support.relay import Relay
from tests.support.scenario import Scenario

SLUG, MAIL = "velo-ecole", "bureau@velo-ecole.example"
DATABASE = Layout(SLUG).database
DAY = 24 * 3600
TODAY = datetime.datetime.now(tz=datetime.UTC).date()
NOTICE_DAYS, CLOSING_DAYS = 30, 90
# The node's record of letters, and the days in the keys of this space's.
SENT = "/var/lib/archipel/letters.json"
DATE = re.compile(r"()\b(\d{4}-\d\d-\d\d)\b")
KEY = re.compile(rf"({SLUG}/[a-z-]+/)(\d{{4}}-\d\d-\d\d)")


@pytest.fixture(scope="module", autouse=True)
def letters(relay: Relay) -> None:
    assert relay


def used(scenario: Scenario, days: int) -> None:
    """Let the space have been used so many days ago, and the node say so."""
    at = int(time.time()) - days * DAY
    scenario.sql(f"UPDATE `{DATABASE}`.oc_authtoken SET last_activity = {at}")
    scenario.sql(
        f"REPLACE INTO `{DATABASE}`.oc_preferences (userid, appid, configkey, configvalue) "
        f"SELECT uid, 'login', 'lastLogin', '{at}' FROM `{DATABASE}`.oc_users"
    )
    scenario.node.check_output("systemctl start archipel-accounts.service")


def step(scenario: Scenario, *options: str) -> dict[str, t.Any]:
    """Run the playbook; return what it wrote, and what is next for whom."""
    done = scenario.attempt("dormancy.yml", *options)["Ensure files say what is next"]
    assert done["refused"] == {}
    return {"written": done["spaces"], "unused": done["unused"]}


def file_of(scenario: Scenario) -> dict[str, t.Any]:
    # YAML 1.1 reads the key `on` as true.
    loaded = yaml.safe_load(scenario.registry(SLUG).read_text(encoding="utf-8"))
    return dict(json.loads(json.dumps(loaded, default=str).replace('"true":', '"on":')))


def send(scenario: Scenario, vault: str) -> list[str]:
    done = scenario.attempt("letters.yml", vault)["Send letters that are due"]["spaces"]
    return [line for lines in done.values() for line in lines]


def earlier(scenario: Scenario, days: int) -> None:
    """Let all that happened to the space have happened so many days before; but for its use."""
    path, record = scenario.registry(SLUG), scenario.registry_folder / "letters.txt"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text(
        "".join(line if "since:" in line else _back(DATE, line, days) for line in lines),
        encoding="utf-8",
    )
    if record.exists():
        record.write_text(_back(KEY, record.read_text(encoding="utf-8"), days), encoding="utf-8")
    if scenario.node.file(SENT).exists:
        kept = scenario.machine.execute("cat", SENT)
        scenario.machine.execute("sh", "-c", f"cat >{SENT}", stdin=_back(KEY, kept, days))


def _back(pattern: re.Pattern[str], text: str, days: int) -> str:
    def before(found: re.Match[str]) -> str:
        day = datetime.date.fromisoformat(found[2]) - datetime.timedelta(days=days)
        return found[1] + day.isoformat()

    return pattern.sub(before, text)


def answers(scenario: Scenario) -> int:
    return scenario.browser.get(f"{SLUG}.archipel.localhost", "/status.php").status


def test_01_a_space_in_use_is_left_alone(scenario: Scenario):
    # Whoever decided on it in an earlier test.
    earlier(scenario, 500)
    used(scenario, 364)
    assert step(scenario) == {"written": {}, "unused": []}


def test_02_a_check_run_says_who_sleeps_and_writes_nothing(scenario: Scenario):
    used(scenario, 400)
    before = scenario.registry(SLUG).read_bytes()
    said = step(scenario, "--check")
    assert list(said["written"]) == [SLUG]
    assert scenario.registry(SLUG).read_bytes() == before


def test_03_the_first_letter(scenario: Scenario, vault: str, relay: Relay, node: Host):
    node.check_output(f"systemctl stop space-php@{SLUG}.service")
    assert list(step(scenario)["written"]) == [SLUG]
    since = (TODAY - datetime.timedelta(days=400)).isoformat()
    assert file_of(scenario)["dormancy"] == {"since": since, "first": TODAY.isoformat()}
    # It was measured, and nobody was woken for it.
    assert node.run(f"systemctl is-active space-php@{SLUG}.service").rc != 0
    # Nothing happens to the space by it.
    assert scenario.converge("spaces.yml", vault) == []
    assert step(scenario) == {
        "written": {},
        "unused": [f"{SLUG}: waits for the letter of {TODAY} to be sent; run letters.yml"],
    }
    assert send(scenario, vault) == [f"letter dormant to {MAIL}"]
    assert send(scenario, vault) == []
    letter = relay.letters(MAIL)[-1]
    assert str(letter.message["Subject"]).startswith("Utilisez-vous encore")


def test_04_status_names_it(scenario: Scenario):
    said = json.dumps(scenario.attempt("status.yml"), ensure_ascii=False)
    assert "unused since" in said


def test_05_somebody_logs_in_and_all_is_forgotten(scenario: Scenario):
    used(scenario, 0)
    assert list(step(scenario)["written"]) == [SLUG]
    assert "dormancy" not in file_of(scenario)


def test_06_the_second_and_the_last_letter(scenario: Scenario, vault: str, relay: Relay):
    # The letter of today was another time's.
    earlier(scenario, 40)
    used(scenario, 400)
    step(scenario)
    assert send(scenario, vault) == [f"letter dormant to {MAIL}"]
    for name, kind in (("second", "dormant"), ("third", "dormant-last")):
        earlier(scenario, NOTICE_DAYS - 1)
        assert step(scenario)["written"] == {}
        earlier(scenario, 1)
        assert list(step(scenario)["written"]) == [SLUG]
        assert file_of(scenario)["dormancy"][name] == TODAY.isoformat()
        assert send(scenario, vault) == [f"letter {kind} to {MAIL}"]
    assert "dernière fois" in relay.letters(MAIL)[-1].part("plain")
    assert answers(scenario) == 200


def test_07_suspended(scenario: Scenario, vault: str, relay: Relay):
    earlier(scenario, NOTICE_DAYS)
    assert list(step(scenario)["written"]) == [SLUG]
    file = file_of(scenario)
    assert (file["status"], file["decision"]["by"]) == ("suspended", "archipel")
    assert file["decision"]["reason"] == "dormant"
    # A proposal: the space is open until somebody converges it.
    assert answers(scenario) == 200
    scenario.converge("spaces.yml", vault)
    assert answers(scenario) == 503
    assert send(scenario, vault) == [f"letter suspended to {MAIL}"]


def test_08_closed_with_a_copy_offered(scenario: Scenario, vault: str, relay: Relay):
    earlier(scenario, CLOSING_DAYS - 1)
    assert step(scenario)["written"] == {}
    earlier(scenario, 1)
    assert list(step(scenario)["written"]) == [SLUG]
    assert file_of(scenario)["closed_on"] == TODAY.isoformat()
    scenario.converge("spaces.yml", vault)
    assert answers(scenario) == 410
    assert send(scenario, vault) == [f"letter closed to {MAIL}"]
    assert "copie complète" in relay.letters(MAIL)[-1].part("plain")


def test_09_opened_again_by_a_moderator(scenario: Scenario, vault: str, relay: Relay):
    values = {"only": SLUG, "decision": "approve", "by": "nadia"}
    scenario.converge("moderate.yml", "-e", json.dumps(values))
    file = file_of(scenario)
    assert file["status"] == "approved"
    assert "closed_on" not in file
    scenario.converge("spaces.yml", vault)
    assert answers(scenario) == 200
    assert send(scenario, vault) == [f"letter reopened to {MAIL}"]
    # The days begin anew.
    assert step(scenario)["written"] in ({}, {SLUG: ["in use again"]})
    assert answers(scenario) == 200


def test_10_exempt(scenario: Scenario):
    path = scenario.registry(SLUG)
    before = path.read_text(encoding="utf-8")
    try:
        earlier(scenario, 370)
        used(scenario, 400)
        assert list(step(scenario, "--check")["written"]) == [SLUG]
        path.write_text(f"{path.read_text(encoding='utf-8')}dormancy: {{exempt: true}}\n")
        assert step(scenario) == {"written": {}, "unused": []}
    finally:
        path.write_text(before, encoding="utf-8")
