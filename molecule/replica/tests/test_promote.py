# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""One server is killed, or replaced, or lost: nothing that was acknowledged is lost with it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from testinfra.host import Host

from tests.support.browser import Browser
from tests.support.layout import Layout
from tests.support.scenario import Scenario
from tools import ROOT
from tools import scenario as scenarios
from tools.lab.host import podman, run
from tools.lab.machine import Machine

SLUG = "velo-ecole"
FIRST, SECOND = "10.89.84.12", "10.89.84.13"
CREATE = ("--suite=trixie", "--publish=:22", "--publish=:443")
TABLE = f"`{Layout(SLUG).database}`.oc_told"
# Somebody whom a replica refuses, as it refuses spaces; root writes there all the same.
ACCOUNT = f"""
CREATE TABLE IF NOT EXISTS {TABLE} (n BIGINT PRIMARY KEY);
CREATE OR REPLACE USER 'space-writer'@localhost IDENTIFIED BY 'writer';
GRANT ALL ON `{Layout(SLUG).database.replace("_", chr(92) + "_")}`.* TO 'space-writer'@localhost;
"""
# Writes one row after the other, and says each that the server has said is there.
WRITE = f"""
n=$(mariadb -N -e 'SELECT COALESCE(MAX(n), 0) FROM {TABLE}') || exit 1
while n=$((n + 1)); mariadb -uspace-writer -pwriter -e 'INSERT INTO {TABLE} VALUES ('$n')'; do
    echo $n
done
"""


def ask(host: Host, query: str) -> str:
    """Ask a server as root."""
    return host.check_output("mariadb -N -e %s", query)


def following(host: Host) -> dict[str, str]:
    """Return what a server says of whom it follows; nothing, if it follows nobody."""
    text = host.check_output("mariadb -E -e 'SHOW SLAVE STATUS'")
    lines = (line.strip().partition(": ") for line in text.splitlines() if ": " in line)
    return {name: value for name, _, value in lines}


def until(what: Callable[[], bool], seconds: float = 90) -> None:
    """Wait for something."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.5)


def in_step(primary: Host, replica: Host) -> bool:
    """Tell whether a replica follows and has everything."""
    found = following(replica)
    ok = found.get("Slave_IO_Running") == found.get("Slave_SQL_Running") == "Yes"
    query = "SELECT @@gtid_current_pos"
    return ok and ask(primary, query) == ask(replica, query)


def told(host: Host) -> int:
    """Return the last row that is there; none is missing before it."""
    last, number = ask(host, f"SELECT COALESCE(MAX(n), 0), COUNT(*) FROM {TABLE}").split()
    assert last == number
    return int(last)


class Writer:
    """Somebody who writes all the time, and remembers what was acknowledged."""

    def __init__(self, machine: Machine) -> None:
        machine.execute("mariadb", "-e", ACCOUNT)
        # A machine that is gone says nothing any more.
        patience = ["-o", "ServerAliveInterval=2", "-o", "ServerAliveCountMax=3"]
        command = ["ssh", "-F", str(machine.ssh_config), *patience, machine.name, WRITE]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def last(self) -> int:
        """Return the last row that was acknowledged, once nobody takes any more."""
        said, _ = self._process.communicate(timeout=300)
        return int(said.split()[-1])


def machine(name: str) -> Machine:
    """Return a machine of the inventory."""
    return scenarios.further("replica")[name]


def places(scenario: Scenario) -> set[str]:
    """Return where placement.yml has databases."""
    text = (scenario.registry_folder / "placement.yml").read_text(encoding="utf-8")
    return {place["db"] for place in yaml.safe_load(text)["spaces"].values()}


def answers(scenario: Scenario, browser: Browser) -> bool:
    """Tell whether every space is there."""
    names = [space["domains"][0] for space in scenario.in_status("approved").values()]
    found = [browser.get(name, "/status.php") for name in names]
    return all(one.status == 200 and json.loads(one.text)["installed"] for one in found)


def failures(results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the tasks that failed, and what they said."""
    return {name: result.get("msg") for name, result in results.items() if result.get("failed")}


class TestBegun:
    def test_the_second_has_everything_and_takes_no_writes(
        self, scenario: Scenario, browser: Browser, first: Host, second: Host
    ):
        assert places(scenario) == {"node2"}
        assert answers(scenario, browser)
        until(lambda: in_step(first, second))
        accounts = "SELECT User, Host, Priv FROM mysql.global_priv WHERE User LIKE 'space-%'"
        assert ask(second, accounts) == ask(first, accounts)
        assert ask(second, "SELECT @@read_only") == "1"
        assert ask(first, "SHOW STATUS LIKE 'Rpl_semi_sync_master_status'").endswith("ON")

    def test_it_comes_over_tls_that_is_verified(self, first: Host, second: Host):
        found = following(second)
        assert found["Master_Host"] == FIRST
        assert found["Master_SSL_Allowed"] == found["Master_SSL_Verify_Server_Cert"] == "Yes"
        query = "SELECT JSON_VALUE(Priv, '$.ssl_type') FROM mysql.global_priv WHERE User = "
        assert ask(first, f"{query}'archipel-replication'") == "1"

    def test_members_alone_reach_each_other(self, node: Host, first: Host, second: Host):
        knock = "timeout 3 bash -c '< /dev/tcp/%s/3306'"
        for host, address in ((first, SECOND), (second, FIRST), (node, FIRST), (node, SECOND)):
            assert host.run(knock % address).rc == 0
        rules = first.check_output("nft list set inet archipel_mariadb clients_ip")
        assert SECOND in rules
        assert FIRST not in rules

    def test_no_run_makes_it_another_way(self, scenario: Scenario):
        assert scenario.converge("platform.yml", "--tags", "mariadb") == []
        assert scenario.converge("spaces.yml") == []


class TestKilled:
    def test_a_replica_heals(self, first: Host, second: Host):
        second.check_output("systemctl kill --signal=KILL mariadb.service")
        ask(first, f"CREATE TABLE IF NOT EXISTS {TABLE} (n BIGINT PRIMARY KEY)")
        until(lambda: second.run("mariadb -e 'SELECT 1'").rc == 0)
        until(lambda: in_step(first, second))

    def test_the_primary_heals_and_has_what_it_told(self, first: Host, second: Host):
        writer = Writer(machine("node2"))
        time.sleep(5)
        first.check_output("systemctl kill --signal=KILL mariadb.service")
        last = writer.last()
        until(lambda: first.run("mariadb -e 'SELECT 1'").rc == 0)
        until(lambda: in_step(first, second))
        assert told(first) >= last > 5
        assert told(second) == told(first)
        assert ask(first, "SELECT @@read_only") == "0"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "allowed: -e to=<database node>"),
        (("to=node2",), "node2 is the primary already"),
        (("to=node1",), "allowed: a node of a cluster, node2, node3"),
        (("to=node3", "confirm=node2"), "and -e confirm=<the same>"),
        (("to=node3", "lost=node2"), "node2 is not lost: Ansible reaches it"),
        (("to=node3", "lost=node2"), f"node1 reaches it at {FIRST} port 3306"),
    ],
)
def test_what_cannot_be_meant_is_refused(scenario: Scenario, options: tuple[str, ...], said: str):
    given = [part for option in options for part in ("-e", option)]
    assert said in scenario.refusal("promote.yml", *given)
    assert places(scenario) == {"node2"}


class TestReplaced:
    def test_without_a_confirmation_nothing_is_done(self, scenario: Scenario, second: Host):
        results = scenario.attempt("promote.yml", "-e", "to=node3")
        assert failures(results) == {}
        assert "node3 becomes the primary in place of node2" in results["Show it"]["msg"][0]
        assert (places(scenario), ask(second, "SELECT @@read_only")) == ({"node2"}, "1")

    def test_one_that_cannot_keeps_the_old_one(
        self, scenario: Scenario, browser: Browser, first: Host, second: Host
    ):
        # Not of this cluster: the primary's next change of it cannot be applied.
        ask(second, f"SET SESSION sql_log_bin = 0; DROP TABLE {TABLE}")
        ask(first, f"INSERT INTO {TABLE} SELECT MAX(n) + 1 FROM {TABLE}")
        until(lambda: following(second)["Slave_SQL_Running"] == "No")
        said = scenario.refusal("promote.yml", "-e", "to=node3", "-e", "confirm=node3")
        assert "node3 does not apply what it receives" in said
        assert ask(first, "SELECT @@read_only") == "0"
        said = scenario.refusal("platform.yml", "--tags", "mariadb")
        assert "Nothing is thrown away without a word: -e rejoin=" in said
        assert scenario.converge("platform.yml", "--tags", "mariadb", "-e", "rejoin=node3") != []
        until(lambda: in_step(first, second))
        assert told(second) == told(first)
        assert answers(scenario, browser)

    def test_the_other_one_is_the_primary(
        self, scenario: Scenario, browser: Browser, node: Host, first: Host, second: Host
    ):
        writer = Writer(machine("node2"))
        results = scenario.attempt("promote.yml", "-e", "to=node3", "-e", "confirm=node3")
        assert failures(results) == {}
        print(results["Say what remains to be done"]["msg"])
        last = writer.last()
        assert told(second) >= last > 5
        assert places(scenario) == {"node3"}
        assert answers(scenario, browser)
        config = node.file(Layout(SLUG).managed_config).content_string
        assert SECOND in config
        assert FIRST not in config
        assert (ask(first, "SELECT @@read_only"), ask(second, "SELECT @@read_only")) == ("1", "0")

    def test_the_old_one_follows_without_a_copy(
        self, scenario: Scenario, first: Host, second: Host
    ):
        scenario.converge("platform.yml", "--tags", "mariadb")
        until(lambda: in_step(second, first))
        assert scenario.converge("platform.yml", "--tags", "mariadb") == []
        assert scenario.converge("spaces.yml") == []


class TestLost:
    def test_what_it_told_is_on_the_other_one(
        self, scenario: Scenario, browser: Browser, first: Host
    ):
        writer = Writer(machine("node3"))
        time.sleep(5)
        run([*podman(), "kill", machine("node3").container])
        last = writer.last()
        options = ("to=node2", "lost=node3", "confirm=node2")
        given = [part for option in options for part in ("-e", option)]
        results = scenario.attempt("promote.yml", *given)
        assert failures(results) == {}
        assert told(first) >= last > 5
        assert places(scenario) == {"node2"}
        assert answers(scenario, browser)

    def test_back_it_is_a_replica_again(
        self, scenario: Scenario, browser: Browser, first: Host, second: Host
    ):
        lost = machine("node3")
        network = f"--network=archipel-replica={SECOND}"
        call = [sys.executable, "-m", "tools.lab", "up", lost.name, f"--state={lost.state}"]
        subprocess.run([*call, *CREATE, network], cwd=ROOT, check=True)
        until(lambda: second.run("mariadb -e 'SELECT 1'").rc == 0)
        # It has what was never acknowledged.
        ask(second, f"INSERT INTO {TABLE} SELECT MAX(n) + 1 FROM {TABLE}")
        said = scenario.refusal("platform.yml", "--tags", "mariadb")
        assert "Nothing is thrown away without a word: -e rejoin=" in said
        scenario.converge("platform.yml", "--tags", "mariadb", "-e", "rejoin=node3")
        until(lambda: in_step(first, second))
        assert told(second) == told(first)
        assert answers(scenario, browser)
        assert scenario.converge("platform.yml", "--tags", "mariadb") == []
