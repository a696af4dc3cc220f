# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""One association from its request to its end; the tests follow each other."""

from __future__ import annotations

import datetime
import json
import shutil
from dataclasses import dataclass
from typing import Any

import pytest
from testinfra.host import Host

from tests.support.association import Association, member
from tests.support.browser import Browser
from tests.support.scenario import Scenario
from tools import ROOT

LEDGER = "ledger.txt"
REPORT = "/var/lib/archipel/accounts.json"
SLUG = "chorale-des-halles"
FILE = ROOT / f"molecule/shared/ninth/{SLUG}.yml"
REASON = {"by": "moderation", "on": "2026-03-02", "reason": "no answer since May"}
METHODS = ("GET", "PROPFIND", "PUT", "DELETE", "REPORT")
TODAY = datetime.datetime.now(tz=datetime.UTC).date()


@dataclass
class Story:
    """What later chapters must find again."""

    chorale: Association | None = None
    files: str = ""
    stored: str = ""


@pytest.fixture(scope="module")
def story() -> Story:
    return Story()


@pytest.fixture
def chorale(story: Story) -> Association:
    assert story.chorale is not None, "an earlier chapter failed"
    return story.chorale


def converge(scenario: Scenario, *, twice: bool = False) -> None:
    """A change of its file is one run; a second run has nothing to do."""
    scenario.converge("spaces.yml", "-e", f"only={SLUG}")
    if twice:
        assert scenario.converge("spaces.yml", "-e", f"only={SLUG}") == []


def traces(scenario: Scenario, node: Host, number: int = 0) -> list[str]:
    """Return everything on the machine that carries its name, backups left out."""
    places = "/etc /srv/spaces /srv/www /var/spool /run /usr/local /var/lib/archipel/life"
    found = node.run(f"find {places} -name '*{SLUG}*' -print").stdout.splitlines()
    # Beside each of its user lists Debian keeps the one before: passwd- and so on.
    search = f"grep -rls --exclude='*-' -e '{SLUG}' /etc /var/lib/archipel"
    found += node.run(search).stdout.splitlines()
    found += [row[0] for row in scenario.sql(f"SHOW DATABASES LIKE '%{SLUG}%'")]
    account = f"SELECT user FROM mysql.global_priv WHERE user LIKE '%{SLUG}%'"
    found += [row[0] for row in scenario.sql(account)]
    units = node.check_output("systemctl list-units --all --plain --no-legend 'space-*'")
    found += [line for line in units.splitlines() if SLUG in line]
    if number:
        found += node.run(f"getent passwd {number}; getent group {number}").stdout.splitlines()
        found += node.run(f"find /srv /var/lib /run -uid {number}").stdout.splitlines()
    return found


def status(browser: Browser, method: str = "GET", path: str = "/status.php") -> int:
    return browser.request(method, f"{SLUG}.archipel.localhost", path).status


def test_01_requested_is_nothing(scenario: Scenario, node: Host, browser: Browser):
    shutil.copy(FILE, scenario.registry(SLUG))
    Association(scenario, SLUG, ("", "")).write(status="requested", decision=None)
    scenario.converge("spaces.yml")
    assert traces(scenario, node) == []
    assert status(browser) in {404, 421}


def test_02_approved_is_a_space(scenario: Scenario, browser: Browser, story: Story):
    Association(scenario, SLUG, ("", "")).write(status="approved", decision=REASON)
    converge(scenario)
    assert status(browser) == 200
    story.chorale = member(scenario, SLUG)
    story.chorale.upload()
    story.files, story.stored = story.chorale.files(), story.chorale.stored()


def test_03_it_cannot_become_requested_again(scenario: Scenario, chorale: Association):
    chorale.write(status="requested")
    said = scenario.refusal("spaces.yml")
    assert f"spaces/{SLUG}.yml:1: status" in said
    assert 'found "requested", but the space exists on node1' in said


def test_04_suspended_makes_clients_wait(
    scenario: Scenario, node: Host, browser: Browser, story: Story, chorale: Association
):
    chorale.write(status="suspended", decision=REASON)
    converge(scenario, twice=True)
    for method in METHODS:
        answer = browser.request(method, chorale.host, "/remote.php/dav/files/camille/")
        assert (method, answer.status, answer.header("retry-after")) == (method, 503, "3600")
    running = node.check_output(f"systemctl list-units --plain --no-legend 'space-*@{SLUG}.*'")
    assert [line for line in running.splitlines() if " active " in line] == []
    assert chorale.stored() == story.stored


def test_05_approved_again_is_as_before(scenario: Scenario, story: Story, chorale: Association):
    chorale.write(status="approved")
    converge(scenario)
    assert chorale.files() == story.files
    assert chorale.stored() == story.stored


def test_06_a_file_that_was_deleted_by_mistake(
    scenario: Scenario, story: Story, chorale: Association
):
    path = scenario.registry(SLUG)
    text = path.read_text(encoding="utf-8")
    path.unlink()
    told = json.dumps(scenario.attempt("spaces.yml"))
    path.write_text(text, encoding="utf-8")
    assert f"{SLUG}: vhost, php, user, directory, unit too many" in told
    assert f"{SLUG}: database, account too many" in told
    assert chorale.files() == story.files
    clean = json.dumps(scenario.attempt("drift.yml", "-e", "drift_fails=true"))
    assert "Everything here is in the registry" in clean


def test_07_closed_is_gone_for_visitors(
    scenario: Scenario, browser: Browser, story: Story, chorale: Association
):
    chorale.write(status="closed", closed_on=TODAY.isoformat())
    converge(scenario, twice=True)
    assert {status(browser, method) for method in METHODS} == {410}
    assert chorale.stored() == story.stored


@pytest.mark.parametrize(
    ("only", "text"),
    [
        (SLUG, "(archipel_grace_days): it may be purged from"),
        ("velo-ecole", "velo-ecole: is approved; only closed spaces are purged"),
        ("chorale-des-hales", f'Did you mean \\"{SLUG}\\"?'),
        ("", "name the spaces: -e only=slug,slug"),
    ],
)
def test_08_what_may_not_be_purged(scenario: Scenario, only: str, text: str):
    said = json.dumps(scenario.refusal("purge.yml", "-e", f"only={only}"))
    assert text in said
    assert "nothing was purged" in said


def test_09_closed_can_be_taken_back(scenario: Scenario, story: Story, chorale: Association):
    chorale.write(status="approved", closed_on=None)
    converge(scenario)
    assert chorale.files() == story.files


def test_10_grace_over_without_a_backup(scenario: Scenario, story: Story, chorale: Association):
    chorale.write(status="closed", closed_on="2026-03-03")
    converge(scenario)
    said = scenario.refusal("purge.yml", "-e", f"only={SLUG}", "-e", "purge_pause=0")
    assert "Nothing was purged" in said
    assert f"there is no backup of it: run playbooks/backup.yml -e only={SLUG}" in said
    assert chorale.stored() == story.stored


def test_11_a_backup_alone_proves_nothing(scenario: Scenario, chorale: Association):
    scenario.converge("backup.yml", "-e", f"only={SLUG}")
    said = scenario.refusal("purge.yml", "-e", f"only={SLUG}", "-e", "purge_pause=0")
    assert "its last backup is not verified (nobody has tried it)" in said
    assert chorale.stored()


def gone(results: dict[str, dict[str, Any]]) -> list[str]:
    return list(results["Ensure it is gone"]["spaces"][SLUG])


def test_12_purged_is_nothing(scenario: Scenario, node: Host, story: Story, chorale: Association):
    """Killed in between three times; the last run finishes, and the backup is still there."""
    number = scenario.spaces[SLUG]["id"]
    scenario.converge("backup.yml", "-e", f"only={SLUG}", "-e", "verify=true")
    options = ("-e", f"only={SLUG}", "-e", "purge_pause=0")
    would = gone(scenario.attempt("purge.yml", "--check", *options))
    assert chorale.stored() == story.stored
    assert {f"database space_{SLUG}", f"folder /srv/spaces/{SLUG}"} <= {
        one.partition(" (")[0] for one in would
    }
    # What reports said of it goes too, without waiting for their timer.
    node.check_output("systemctl start archipel-accounts.service")
    assert SLUG in node.file(REPORT).content_string
    for step in ("drop", "delete", "ledger"):
        node.check_output(f"echo purge:{step} > /run/archipel/kill-at")
        scenario.refusal("purge.yml", *options)
        assert not node.file("/run/archipel/kill-at").exists, "the run was not killed"
    assert not (scenario.registry_folder / LEDGER).exists()
    scenario.converge("purge.yml", *options)
    assert traces(scenario, node, number) == []
    backups = node.check_output(f"archipel-restic snapshots --tag=space:{SLUG} --json")
    assert len(json.loads(backups)) == 2


def test_13_the_ledger_remembers(scenario: Scenario, node: Host):
    (line,) = (scenario.registry_folder / LEDGER).read_text(encoding="utf-8").splitlines()
    text, _, signature = line.rpartition(" hmac-sha256:")
    entry = json.loads(text)
    assert (entry["slug"], entry["act"]) == (SLUG, "purged")
    # Of the backup it could be brought back from, and of the line itself.
    assert (len(entry["backup"]), len(signature)) == (64, 64)
    assert SLUG not in (scenario.registry_folder / "placement.yml").read_text(encoding="utf-8")
    # Its file still says closed: nothing is made for it, and nothing is to be done.
    assert scenario.converge("spaces.yml") == []
    assert traces(scenario, node) == []
    said = scenario.refusal("purge.yml", "-e", f"only={SLUG}", "-e", "purge_pause=0")
    assert "was purged already, says the ledger" in said
