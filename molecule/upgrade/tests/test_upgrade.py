# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Thirteen spaces on their way to another release; the tests follow each other.

After each of them every space serves, on exactly one release, with the files and rows it had.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from testinfra.host import Host

from tests.support.association import Association, member
from tests.support.browser import Browser
from tests.support.fleet import NEW, OLD, Fleet, told
from tests.support.scenario import Scenario
from tools import ROOT, inventory

FORWARD = ("prepare", "close", "dump", "point", "upgrade", "apply", "check", "open")
BACK = ("shut", "load", "files", "return", "verify", "reopen")
SPACES = {
    *(f"canary-{number}" for number in (1, 2)),
    *(f"early-{number}" for number in (1, 2, 3)),
    *(f"stable-{number}" for number in range(1, 8)),
}
WORK = "/var/lib/archipel/upgrade"


@pytest.fixture(autouse=True)
def nothing_is_lost(fleet: Fleet, belongings: dict[str, str]) -> Iterator[None]:
    """Whatever happens, every space has what it had."""
    yield
    assert fleet.belongings() == belongings


@pytest.fixture(scope="module")
def expected(fleet: Fleet) -> dict[str, str]:
    """The release that each space must serve: at first the one it has."""
    return {slug: release for slug, release in fleet.releases().items() if slug in SPACES}


def test_01_a_dry_run_tells_order_disk_and_changes_nothing(fleet: Fleet, expected: dict[str, str]):
    assert set(expected.values()) == {OLD}
    results = fleet.upgrade("", "--check")
    lines = results["Say what is to be done"]["msg"]
    assert [line.split(":")[0] for line in lines[:3]] == ["1. canary", "2. early", "3. stable"]
    assert "early-1, early-2, early-3" in lines[1]
    assert "asleep, stable-1" in lines[2]
    assert "13 spaces, 2 at a time" in lines[-2]
    assert "the release is not built here yet" in lines[-1]
    fleet.serve_as(expected)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-e", "release=34.0.5"], 'unknown release \\"34.0.5\\"'),
        (["-e", f"release={NEW}", "-e", "only=canry-1"], "no space and no group is called canry-1"),
        (["-e", f"release={NEW}", "-e", "rings=canary,150%"], "allowed: 1% to 100%"),
        (["-e", f"release={NEW}", "-e", "rings=canary"], "spaces out (early-1"),
        (["-e", f"release={NEW}", "-e", "budget=all"], 'budget: found \\"all\\"'),
        (["-e", f"release={NEW}", "-e", "parallel=0"], 'parallel: found \\"0\\"'),
        (["-e", f"release={NEW}", "-e", "archipel_upgrade_keep_days=-1"], "keep_days: found -1"),
        (["-e", f"release={NEW}", "-e", "rings=rest,canary"], "takes all that are left"),
        (["-e", "release=35.0.0"], "majors are not skipped"),
        ([], "release: say which"),
    ],
)
def test_02_bad_input_is_refused_before_anything_is_touched(
    scenario: Scenario, fleet: Fleet, expected: dict[str, str], options: list[str], said: str
):
    assert said in json.dumps(scenario.refusal("upgrade.yml", *options))
    fleet.serve_as(expected)


def test_03_a_failure_beyond_the_budget_ends_the_run(fleet: Fleet, expected: dict[str, str]):
    fleet.set_app("canary-1", "files", "standin_breaks", "1")
    results = fleet.upgrade("", "-e", "parallel=1", "-e", "budget=0")
    said = told(results)
    assert "canary-1: rolled back, closed for " in said
    assert " s: upgrade: occ upgrade ended with 5" in said
    # What went wrong, and not the progress bar that came last.
    assert "Exception: Could not update app" in said.split("its log")[0].split("\\n")[0]
    assert "/var/log/archipel/upgrade/canary-1.log" in said
    assert "The budget of a wave is exhausted" in told(results, "Name what did not get there")
    fleet.serve_as(expected)


@pytest.mark.parametrize("step", BACK)
def test_04_a_rollback_that_is_killed_is_finished(
    fleet: Fleet, expected: dict[str, str], step: str
):
    """Each run is killed where it comes to this step; the next one goes on there."""
    fleet.kill_at(f"upgrade:{step}")
    fleet.upgrade("canary-1", "-e", "parallel=1")
    assert fleet.was_killed()
    assert fleet.journal("canary-1")["step"] == step
    if step == BACK[-1]:
        fleet.upgrade("canary-1")
        fleet.serve_as(expected)


def test_05_what_failed_alone_stays_behind(fleet: Fleet, expected: dict[str, str]):
    results = fleet.upgrade("ring_canary", "-e", "budget=1")
    assert "canary-1: rolled back" in told(results)
    expected["canary-2"] = NEW
    fleet.serve_as(expected)
    fleet.set_app("canary-1", "files", "standin_breaks", None)


def test_05_a_page_that_breaks_on_the_new_release_brings_the_space_back(
    fleet: Fleet, expected: dict[str, str]
):
    """Status, login page and WebDAV are well: only who has logged in would meet it."""
    fleet.set_app("stable-7", "photos", "standin_page_breaks", "34")
    said = told(fleet.upgrade("stable-7", "-e", "budget=1"))
    assert "stable-7: rolled back, closed for " in said
    assert "check: pages: /apps/photos/ answers 500, 200 before" in said
    fleet.serve_as(expected)


def test_05_a_page_that_was_broken_before_does_not_keep_a_space_back(
    node: Host, fleet: Fleet, expected: dict[str, str]
):
    fleet.set_app("early-3", "photos", "standin_page_breaks", "33")
    fleet.upgrade("early-3")
    log = node.check_output("cat /var/log/archipel/upgrade/early-3.log")
    assert "/apps/photos/ answers 500 before the upgrade: not its doing" in log
    fleet.set_app("early-3", "photos", "standin_page_breaks", None)
    expected["early-3"] = NEW
    fleet.serve_as(expected)
    fleet.set_app("stable-7", "photos", "standin_page_breaks", None)


def test_06_a_dump_that_does_not_fit_stops_that_space_only(
    scenario: Scenario, node: Host, fleet: Fleet, expected: dict[str, str]
):
    scenario.sql("CREATE TABLE `space_early-1`.oc_big (t LONGTEXT)")
    scenario.sql("INSERT INTO `space_early-1`.oc_big VALUES (REPEAT('x', 40000000))")
    scenario.sql("ANALYZE TABLE `space_early-1`.oc_big")
    node.check_output(f"mount -t tmpfs -o size=90m tmpfs {WORK}")
    try:
        results = fleet.upgrade("ring_early", "-e", "budget=1")
        assert "early-1: not begun: its dump needs up to" in told(results)
    finally:
        node.check_output(f"umount {WORK}")
        scenario.sql("DROP TABLE `space_early-1`.oc_big")
    expected |= {"early-2": NEW, "early-3": NEW}
    fleet.serve_as(expected)


def test_07_a_database_server_that_dies_brings_the_space_back(
    node: Host, fleet: Fleet, expected: dict[str, str]
):
    fleet.set_app("stable-1", "core", "standin_upgrade_seconds", "6")
    run = fleet.start("stable-1")
    fleet.await_step("stable-1", "upgrade")
    time.sleep(1.5)
    node.check_output("pkill -9 -x mariadbd")
    said = told(run.result())
    assert "stable-1: rolled back, closed for " in said
    assert " s: upgrade: occ " in said
    fleet.serve_as(expected)


def test_08_while_it_runs_people_see_a_page_and_others_are_kept_out(
    scenario: Scenario, browser: Browser, fleet: Fleet, expected: dict[str, str]
):
    fleet.set_app("stable-1", "core", "standin_upgrade_seconds", "30")
    run = fleet.start("stable-1")
    fleet.await_step("stable-1", "upgrade")
    for method in ("GET", "PUT", "PROPFIND"):
        answer = browser.request(method, "stable-1.archipel.localhost", "/remote.php/dav/")
        assert (answer.status, answer.header("retry-after")) == (503, "60")
    page = browser.get("stable-1.archipel.localhost").text
    assert "mise à jour" in page
    other = json.dumps(scenario.refusal("upgrade.yml", "-e", f"release={NEW}"))
    assert "is upgrading the spaces of this node to 34.0.4 since" in other
    # An ordinary run leaves it alone meanwhile.
    ordinary = json.dumps(scenario.refusal("spaces.yml", "-e", "only=stable-1"))
    assert "its upgrade to 34.0.4 is under way" in ordinary
    assert "1 space" in told(run.result())
    expected["stable-1"] = NEW
    fleet.serve_as(expected)


class Upload:
    """An upload of which the first half has arrived."""

    def __init__(self, association: Association) -> None:
        self._association, self._rest = association, threading.Event()
        self._half_sent, self._pool = threading.Event(), ThreadPoolExecutor(max_workers=1)

    def begin(self) -> None:
        """Send the first half."""
        self._answer = self._pool.submit(self._put)
        assert self._half_sent.wait(60)

    def _put(self) -> int:
        one = self._association
        answer = one.scenario.browser.request(
            "PUT", one.host, one.path(99), account=one.account, body=self._parts()
        )
        return answer.status

    def _parts(self) -> Iterator[bytes]:
        yield b"a" * 100_000
        # Asked for the next part: the first is on its way.
        self._half_sent.set()
        assert self._rest.wait(120)
        yield b"b" * 100_000

    def end(self) -> int:
        """Send the rest; return the status of the answer."""
        self._rest.set()
        self._pool.shutdown()
        return self._answer.result()


@contextlib.contextmanager
def on_its_way(scenario: Scenario, slug: str) -> Iterator[None]:
    """Have an upload on its way when a space closes: it is not taken, a rollback would lose it.

    The old release is whole. Nothing but the second file that closes a space keeps it out.
    """
    told = {"oc_authtoken": "id", "oc_activity": "activity_id", "oc_activity_mq": "mail_id"}
    queries = (f"SELECT MAX({key}) FROM `space_{slug}`.{table}" for table, key in told.items())
    marks = [scenario.sql(query)[0][0] for query in queries]
    upload = Upload(member(scenario, slug))
    upload.begin()
    yield
    assert upload.end() == 503
    for (table, key), mark in zip(told.items(), marks, strict=True):
        other = " AND name <> 'archipel-upgrade'" if key == "id" else ""
        scenario.sql(f"DELETE FROM `space_{slug}`.{table} WHERE {key} > {mark}{other}")


@pytest.mark.parametrize("step", FORWARD)
def test_09_a_run_that_is_killed_goes_on_where_it_was(
    scenario: Scenario, fleet: Fleet, expected: dict[str, str], step: str
):
    fleet.kill_at(f"upgrade:{step}")
    # The run that is killed before the dump is the one that closes the space.
    with on_its_way(scenario, "stable-2") if step == "dump" else contextlib.nullcontext():
        fleet.upgrade("stable-2")
        assert fleet.was_killed()
        assert fleet.journal("stable-2")["step"] == step
    if step == FORWARD[-1]:
        fleet.upgrade("stable-2")
        expected["stable-2"] = NEW
        fleet.serve_as(expected)


def test_10_the_controller_is_killed(scenario: Scenario, fleet: Fleet, expected: dict[str, str]):
    """What was begun comes to its end on the machine; the next run does the rest."""
    fleet.set_app("stable-3", "core", "standin_upgrade_seconds", "4")
    playbook = [sys.executable, "-m", "ansible", "playbook", "-i", str(scenario.environment)]
    playbook += [str(ROOT / "playbooks/upgrade.yml"), "-e", f"release={NEW}", "-e"]
    with subprocess.Popen(
        [*playbook, "only=stable-3,stable-4"],
        cwd=ROOT,
        env=inventory.settings(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as controller:
        fleet.await_step("stable-3", "upgrade")
        os.killpg(controller.pid, signal.SIGKILL)
    assert controller.returncode == -signal.SIGKILL
    end = time.monotonic() + 60
    while fleet.journal("stable-3") and time.monotonic() < end:
        time.sleep(1)
    fleet.upgrade("stable-3,stable-4")
    expected |= {"stable-3": NEW, "stable-4": NEW}
    fleet.serve_as(expected)


def test_11_the_machine_reboots_in_the_middle(
    scenario: Scenario, browser: Browser, fleet: Fleet, expected: dict[str, str]
):
    fleet.set_app("stable-5", "core", "standin_upgrade_seconds", "8")
    run = fleet.start("stable-5,stable-6")
    fleet.await_step("stable-5", "upgrade")
    time.sleep(1)
    scenario.machine.reboot()
    results = run.result()
    # Whatever is lost, people are told what came of the others, and what to do.
    assert " was lost: " in told(results, "Name what did not get there")
    # Closed, as it was left: nobody stores anything in a space that may yet go back.
    assert browser.get("stable-5.archipel.localhost").status == 503
    served = fleet.served()
    assert {s: served[s] for s in SPACES - {"stable-5", "stable-6"}} == {
        s: expected[s] for s in SPACES - {"stable-5", "stable-6"}
    }
    fleet.upgrade("stable-5,stable-6", "-e", "budget=1")
    # systemd ends occ before the run: where that saw the failure, its rollback came first.
    fleet.upgrade("stable-5,stable-6")
    expected |= {"stable-5": NEW, "stable-6": NEW}
    fleet.serve_as(expected)


def test_12_the_rest_follows_and_a_second_run_does_nothing(
    scenario: Scenario, fleet: Fleet, expected: dict[str, str]
):
    said = told(fleet.upgrade())
    assert "33.0.9.1 → 34.0.4.1: 4 spaces" in said
    assert "closed for" in said
    expected.update(dict.fromkeys(expected, NEW))
    fleet.serve_as(expected)
    assert fleet.releases()["asleep"] == NEW
    assert scenario.converge("upgrade.yml", "-e", f"release={NEW}") == []
    # The policy still says 33.0.9: that is for new spaces, and moves nobody back.
    assert scenario.converge("spaces.yml") == []
    fleet.serve_as(expected)


def test_13_a_lower_release_is_no_upgrade(
    scenario: Scenario, fleet: Fleet, expected: dict[str, str]
):
    said = json.dumps(scenario.refusal("upgrade.yml", "-e", f"release={OLD}"))
    assert "going back is not an upgrade" in said
    fleet.serve_as(expected)


def test_14_back_by_name(scenario: Scenario, fleet: Fleet, expected: dict[str, str]):
    assert "say which" in json.dumps(scenario.refusal("rollback.yml")).lower()
    would = scenario.converge("rollback.yml", "--check", "-e", "only=stable-7")
    assert "34.0.4 → 33.0.9, as it was on" in would[0].spaces
    done = scenario.converge("rollback.yml", "-e", "only=stable-7")
    assert "34.0.4 → 33.0.9" in done[0].spaces
    expected["stable-7"] = OLD
    fleet.serve_as(expected)
    said = json.dumps(scenario.refusal("rollback.yml", "-e", "only=stable-7"))
    assert "no restore point is kept of it" in said


def test_15_a_release_stays_while_somebody_needs_it(
    scenario: Scenario, node: Host, fleet: Fleet, expected: dict[str, str]
):
    policy = ("-e", f"archipel_release={NEW}", "-e", "archipel_upgrade_keep_days=0")
    # Restore points go, and stable-7 still runs it.
    scenario.attempt("upgrade.yml", "-e", f"release={NEW}", "-e", "only=early-1", *policy)
    assert node.file(f"/srv/nextcloud/releases/{OLD}").is_directory
    fleet.serve_as(expected)


def test_16_a_release_that_nobody_needs_goes(
    scenario: Scenario, node: Host, fleet: Fleet, expected: dict[str, str]
):
    policy = ("-e", f"archipel_release={NEW}", "-e", "archipel_upgrade_keep_days=0")
    fleet.upgrade("stable-7")
    expected["stable-7"] = NEW
    scenario.converge("upgrade.yml", "-e", f"release={NEW}", *policy)
    assert not node.file(f"/srv/nextcloud/releases/{OLD}").exists
    assert not node.file(f"/srv/nextcloud/releases/{OLD}.json").exists
    compiled = node.check_output(f"find /srv/nextcloud/opcache -type d -name {OLD}")
    assert compiled == ""
    fleet.serve_as(expected)
