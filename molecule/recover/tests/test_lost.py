# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A node is lost, and its spaces live on another one; it comes back, and does not serve them.

What people see of it is asked through the edge.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from testinfra.host import Host

from tests.support.cluster import Cluster
from tests.support.layout import Layout
from tests.support.moving import basic, ensure_account
from tests.support.scenario import Scenario
from tools import ROOT
from tools.lab.host import podman, run, until
from tools.lab.machine import Machine

LOST, STAYS = "node1", "node2"
ASKED = ("-e", f"lost={LOST}")
CONFIRMED = (*ASKED, "-e", f"confirm={LOST}")
MACHINE = Machine("archipel-recover", ROOT / "build/lab/archipel-recover")
HOOK = "/run/archipel/kill-at"
CREATE = ("--suite=trixie", "--network=archipel-recover=10.89.83.11", "--publish=:22")
# Somebody who has stored files in each of the spaces.
NADIA = ("nadia", "longer-than-ten-1")
FILE = "/remote.php/dav/files/nadia/{}.txt"
# What the edge knows of the web nodes.
STATES = """
import json, socket
with socket.socket(socket.AF_UNIX) as asked:
    asked.connect("/run/haproxy/admin.sock")
    asked.sendall(b"show stat\\n")
    rows = asked.makefile().read().splitlines()
head = rows[0].lstrip("# ").split(",")
found = [dict(zip(head, row.split(","))) for row in rows[1:] if row]
print(json.dumps({one["pxname"]: one["status"] for one in found if one["svname"] == "BACKEND"}))
"""

# Asks this very machine for a space's page; prints the status, or nothing where nobody answers.
VISIT = """
import http.client, socket, ssl, sys
context = ssl._create_unverified_context()
visit = http.client.HTTPConnection(sys.argv[1])
plain = socket.create_connection(("127.0.0.1", 443), timeout=20)
visit.sock = context.wrap_socket(plain, server_hostname=sys.argv[1])
visit.request("GET", "/status.php")
print(visit.getresponse().status)
"""


def lines(scenario: Scenario) -> dict[str, Any]:
    """Return slug → its line in placement.yml."""
    text = (scenario.registry_folder / "placement.yml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text)["spaces"])


def on(scenario: Scenario, node: str) -> list[str]:
    """Return the spaces that live on a node."""
    return sorted(slug for slug, place in lines(scenario).items() if place["web"] == node)


def status(host: Host, scenario: Scenario, slug: str) -> str:
    """Return the status that a visitor of a space is given by this very machine."""
    name = scenario.spaces[slug]["domains"][0]
    return host.run("python3 -c %s %s", VISIT, name).stdout.strip()


def again(host: Host) -> None:
    """Wait until a machine is up again: the connection of before leads nowhere."""
    for _ in range(60):
        try:
            if host.run("systemctl is-active nginx.service").stdout.strip() == "active":
                return
        except RuntimeError as error:
            assert "exit_status=255" in str(error)
        time.sleep(1)
    raise AssertionError("it did not come up again")


def mark(host: Host, slug: str, word: str) -> None:
    """Store something in a space's database and in its files."""
    data, database = Layout(slug).data, Layout(slug).database
    write = f"echo {word} > {data}/marked; chown --reference={data} {data}/marked"
    host.check_output("sh -c %s", write)
    table = f"`{database}`.oc_marked"
    sql = f"CREATE OR REPLACE TABLE {table} (word VARCHAR(9) PRIMARY KEY); "
    host.check_output("mariadb -e %s", f"{sql}INSERT INTO {table} VALUES ('{word}')")


def marked(host: Host, slug: str) -> tuple[str, str]:
    """Return what is stored there."""
    file = host.check_output("cat %s", f"{Layout(slug).data}/marked")
    sql = f"SELECT word FROM `{Layout(slug).database}`.oc_marked"
    return file, host.check_output("mariadb -N -e %s", sql)


def store(cluster: Cluster, slug: str, word: str) -> None:
    """Store a file in a space, as somebody who works in it does."""
    path, headers = FILE.format(word), basic(NADIA)
    answer = cluster.space(STAYS, slug, path, method="PUT", body=word, headers=headers)
    assert answer.status == 201, answer


def stored(cluster: Cluster, slug: str, word: str) -> tuple[int, str]:
    """Return what somebody is answered who asks for that file."""
    answer = cluster.space(STAYS, slug, FILE.format(word), headers=basic(NADIA))
    return answer.status, answer.text if answer.status == 200 else ""


def asked(cluster: Cluster, slug: str, word: str) -> tuple[int, list[str]]:
    """Ask a space for a page through the edge; return the status, and which nodes were asked."""
    path = f"/status.php/{word}-{slug}"
    status = cluster.space(STAYS, slug, path).status
    return status, [node for node in (LOST, STAYS) if cluster.logged(node, f"{path} ")]


def is_told_that_it_is_down(scenario: Scenario, cluster: Cluster, slug: str) -> bool:
    """Tell whether visitors of a space get the edge's own page, in the space's language."""
    answer = cluster.space(STAYS, slug, "/")
    language = scenario.spaces[slug]["locale"].partition("_")[0]
    told = f'<html lang="{language}">' in answer.text and "retry-after" in answer.headers
    return answer.status == 503 and told


def failures(results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the tasks that failed, and what they said."""
    return {name: result.get("msg") for name, result in results.items() if result.get("failed")}


@pytest.fixture(scope="module")
def here(scenario: Scenario, cluster: Cluster) -> list[str]:
    """The spaces of the machine that is lost, backed up; what came after the backup is lost."""
    slugs = on(scenario, LOST)
    assert len(slugs) == 2
    for slug in slugs:
        ensure_account(scenario, slug, NADIA)
        mark(scenario.node, slug, "early")
        store(cluster, slug, "early")
    scenario.converge("backup.yml")
    for slug in slugs:
        mark(scenario.node, slug, "late")
        store(cluster, slug, "late")
    return slugs


class TestLost:
    def test_before_it_is_the_edge_leads_to_it(
        self, scenario: Scenario, cluster: Cluster, here: list[str]
    ):
        places = {slug: space["web"] for slug, space in scenario.spaces.items()}
        found = {slug: asked(cluster, slug, "before") for slug in places}
        assert found == {slug: (200, [node]) for slug, node in places.items()}
        assert set(places.values()) == {LOST, STAYS}

    def test_a_node_that_answers_is_not_lost(self, scenario: Scenario, here: list[str]):
        said = scenario.refusal("recover.yml", *CONFIRMED)
        assert f"{LOST} is not lost: Ansible reaches it" in said
        assert f"{LOST} is not lost: {STAYS} reaches it at 10.89.83.11 port 22, " in said
        assert on(scenario, LOST) == here
        assert status(scenario.node, scenario, here[0]) == "200"

    def test_who_comes_is_told_that_it_is_down(
        self, scenario: Scenario, cluster: Cluster, here: list[str]
    ):
        run([*podman(), "kill", MACHINE.container])
        cluster.await_status(STAYS, here[0], 503)
        for slug in here:
            assert is_told_that_it_is_down(scenario, cluster, slug)
        for slug in on(scenario, STAYS):
            assert cluster.space(STAYS, slug).status == 200

    def test_what_would_be_done_is_said(self, scenario: Scenario, second: Host, here: list[str]):
        results = scenario.attempt("recover.yml", *ASKED)
        assert failures(results) == {}
        shown = "\n".join(results["Show it"]["msg"])
        for slug in here:
            assert f"{slug}: {LOST} → {STAYS}" in shown
        assert f"-e confirm={LOST} restores them" in shown
        assert on(scenario, LOST) == here
        assert second.run("ls /var/lib/archipel/life/*.json").rc != 0

    def test_killed_in_the_middle_it_leads_nobody_astray(
        self, scenario: Scenario, second: Host, cluster: Cluster, here: list[str]
    ):
        second.check_output(f"echo restore:load > {HOOK}")
        said = scenario.refusal("recover.yml", *CONFIRMED)
        assert "are not restored. Mend what follows and run again" in said
        # Nobody makes an empty one meanwhile.
        assert on(scenario, LOST) == []
        said = scenario.refusal("spaces.yml", "--limit", f"!{LOST}")
        assert f"playbooks/recover.yml -e lost={LOST} -e confirm={LOST}" in said
        # Neither of these runs has told the edge to lead to a node that lacks the space.
        for slug in here:
            assert is_told_that_it_is_down(scenario, cluster, slug)

    def test_it_goes_on(self, scenario: Scenario, second: Host, cluster: Cluster, here: list[str]):
        second.check_output(f"echo restore:load > {HOOK}")
        # One is restored at a time: one is open then, and the other one waits.
        said = scenario.refusal("recover.yml", *CONFIRMED, "-e", "batch=1", "-e", "parallel=1")
        assert "1 spaces are not restored. Mend what follows and run again" in said
        assert sorted(cluster.space(STAYS, slug).status for slug in here) == [200, 503]
        results = scenario.attempt("recover.yml", *CONFIRMED)
        assert failures(results) == {}
        kept = json.loads(Path(results["Keep it as JSON"]["dest"]).read_text(encoding="utf-8"))
        assert ([one["slug"] in here for one in kept["restored"]], kept["left"]) == ([True], [])

    def test_its_spaces_live_on_the_other_one(
        self, scenario: Scenario, second: Host, cluster: Cluster, here: list[str]
    ):
        assert on(scenario, LOST) == []
        for slug in here:
            assert lines(scenario)[slug]["db"] == STAYS
            assert marked(second, slug) == ("early", "early")
            assert status(second, scenario, slug) == "200"
            assert cluster.space(STAYS, slug, f"/status.php/lives-{slug}").status == 200
            assert cluster.logged(STAYS, f"/status.php/lives-{slug} ")
            assert stored(cluster, slug, "early") == (200, "early")
            assert stored(cluster, slug, "late") == (404, "")

    def test_nothing_is_left_to_do(self, scenario: Scenario, second: Host, here: list[str]):
        assert scenario.converge("spaces.yml", "--limit", f"!{LOST}") == []
        results = scenario.attempt("recover.yml", *CONFIRMED)
        assert failures(results) == {}
        assert second.check_output("ls -A /srv/spaces | grep '^\\.' || true") == ""
        assert scenario.converge("backup.yml", "--limit", f"!{LOST}") != []


class TestBack:
    def test_the_edge_does_not_lead_to_it(
        self, scenario: Scenario, cluster: Cluster, here: list[str]
    ):
        state = f"--state={MACHINE.state}"
        call = [sys.executable, "-m", "tools.lab", "up", MACHINE.name, state, *CREATE]
        subprocess.run([*call, "--publish=:443"], cwd=ROOT, check=True)
        up = {f"node_{LOST}": "UP", f"node_{STAYS}": "UP"}
        until(90, "it", lambda: up.items() <= cluster.python("edge1", STATES).items())
        # Nobody has told it anything yet: it serves what it had.
        until(60, "it", lambda: {status(scenario.node, scenario, s) for s in here} == {"200"})
        for slug in here:
            assert asked(cluster, slug, "back") == (200, [STAYS])
            assert stored(cluster, slug, "late") == (404, "")

    def test_what_lives_elsewhere_is_held_down(self, scenario: Scenario, here: list[str]):
        results = scenario.attempt("recover.yml", "-e", f"returned={LOST}")
        assert failures(results) == {}
        held = results["Ensure none of them runs here"]["spaces"]
        assert sorted(held) == here
        for slug in here:
            assert status(scenario.node, scenario, slug) not in ("200", "")
        assert scenario.converge("recover.yml", "-e", f"returned={LOST}") == []

    def test_nor_after_a_reboot(self, scenario: Scenario, here: list[str]):
        MACHINE.reboot()
        again(scenario.node)
        for slug in here:
            assert status(scenario.node, scenario, slug) not in ("200", "")

    def test_people_work_on_where_it_lives(self, cluster: Cluster, here: list[str]):
        for slug in here:
            assert asked(cluster, slug, "at-last") == (200, [STAYS])
            assert stored(cluster, slug, "early") == (200, "early")

    def test_nothing_was_deleted_and_nothing_is_backed_up(
        self, scenario: Scenario, here: list[str]
    ):
        for slug in here:
            assert marked(scenario.node, slug) == ("late", "late")
            done = scenario.node.run("/usr/local/libexec/archipel/backup run %s", slug)
            assert f"it lives on {STAYS} since this node was lost" in done.stderr
