# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Spaces whose database is on another machine: they live, and reach nothing else there."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

from testinfra.host import Host

from tests.support.browser import Browser
from tests.support.network import HELD, Network
from tests.support.scenario import Scenario

SLUG, OTHER = "velo-ecole", "amap-du-val"
WEB, DATABASE = "10.89.77.11", "10.89.77.12"
PORT = 3306


def failed(results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the tasks of a run that failed, and what they said."""
    return {name: result.get("msg") for name, result in results.items() if result.get("failed")}


def release(node: Host) -> str:
    """Return what the space runs, after its own link."""
    return node.check_output("readlink /srv/spaces/%s/release", SLUG).rsplit("/", 1)[1]


def add_account(scenario: Scenario, name: str) -> None:
    """Add something that one sees in the database."""
    scenario.occ(SLUG, f"user:add --password-from-env {name}", OC_PASS="longer-than-ten-1")


def accounts(scenario: Scenario) -> set[str]:
    """Return those of the accounts above that are there."""
    found = json.loads(scenario.occ(SLUG, "user:list --output=json"))
    return {"before", "after"} & set(found)


def test_the_databases_are_there_and_nowhere_else(node: Host, database: Host):
    found = database.check_output("mariadb -N -e %s", "SHOW DATABASES LIKE 'space\\_%'").split()
    assert found == [f"space_{slug}" for slug in sorted([SLUG, OTHER])]
    assert not node.file("/run/mysqld").exists


def test_spaces_answer(scenario: Scenario, browser: Browser):
    for space in scenario.in_status("approved").values():
        answer = browser.get(space["domains"][0], "/status.php")
        assert (answer.status, json.loads(answer.text)["installed"]) == (200, True)


def test_occ_and_jobs_work(scenario: Scenario, node: Host):
    assert json.loads(scenario.occ(SLUG, "status --output=json"))["installed"] is True
    node.check_output("systemctl start space-cron@%s.service", SLUG)
    assert scenario.show(f"space-cron@{SLUG}.service", "Result") == {"Result": "success"}


def test_the_connection_is_encrypted_and_refused_without(database: Host, node: Host):
    query = "SELECT JSON_VALUE(Priv, '$.ssl_type') FROM mysql.global_priv WHERE User LIKE 'space-%'"
    kinds = set(database.check_output("mariadb -N -e %s", query).split())
    # What the server asks of everybody, or of the account.
    required = database.check_output("mariadb -N -e %s", "SELECT @@require_secure_transport")
    assert required == "1" or kinds == {"1"}
    config = node.file(f"/srv/spaces/{SLUG}/config/managed.config.php").content_string
    assert "PDO::MYSQL_ATTR_SSL_VERIFY_SERVER_CERT => true" in config


def test_a_space_reaches_the_database_at_its_port_alone(network: Network, scenario: Scenario):
    assert network.tcp(SLUG, DATABASE, PORT) == ""
    # The machine's own SSH, which root reaches.
    assert network.tcp(SLUG, DATABASE, 22) in HELD
    assert network.udp(SLUG, DATABASE, PORT) in HELD
    for unit in network.configuration()["slices"]:
        shown = scenario.show(unit, "IPAddressAllow")["IPAddressAllow"].split()
        assert f"{DATABASE}/32" in shown


def test_a_space_reaches_nothing_else_of_the_private_network(network: Network):
    for address in ("10.89.77.1", "10.89.77.13"):
        assert network.udp(SLUG, address, PORT) in HELD
    for port in (22, PORT):
        assert network.tcp(SLUG, WEB, port) in HELD


def test_the_other_machine_is_reached_by_who_is_no_space(node: Host):
    call = f"import socket; socket.create_connection(('{DATABASE}', 22), 4)"
    assert node.run("python3 -c %s", call).rc == 0


def test_a_backup_dumps_what_is_there(scenario: Scenario, node: Host):
    results = scenario.attempt("backup.yml", "-e", f"only={SLUG}")
    assert failed(results) == {}
    (done,) = results["Ensure the spaces are in the repository"]["spaces"][SLUG]
    kept = json.loads(node.check_output("cat /var/lib/archipel/backup/record.json"))[SLUG]["backup"]
    assert done.startswith("backup ")
    assert kept["tables"] > 0
    assert kept["rows"] > 0


def test_an_export_holds_the_database(scenario: Scenario, node: Host, tmp_path: Path):
    options = ("-e", f"only={SLUG}", "-e", f"export_folder={tmp_path}")
    assert failed(scenario.attempt("export.yml", *options)) == {}
    with tarfile.open(tmp_path / f"{SLUG}.tar.gz") as archive:
        dump = archive.extractfile("database.sql")
        assert dump is not None
        assert b"CREATE TABLE `oc_users`" in dump.read()
    # The account's password was written down for the time of the run.
    assert node.run("ls -d /run/archipel-export-*").rc != 0


def test_an_upgrade_dumps_it_and_the_way_back_loads_it(scenario: Scenario, node: Host):
    before = release(node)
    add_account(scenario, "before")
    options = ("-e", f"release={before}-again", "-e", f"only={SLUG}")
    assert failed(scenario.attempt("upgrade.yml", *options)) == {}
    assert (release(node), accounts(scenario)) == (f"{before}-again", {"before"})
    point = f"/var/lib/archipel/upgrade/{SLUG}/point/database.sql"
    assert "CREATE TABLE `oc_users`" in node.check_output("grep 'CREATE TABLE' %s", point)
    add_account(scenario, "after")
    assert failed(scenario.attempt("rollback.yml", "-e", f"only={SLUG}")) == {}
    assert (release(node), accounts(scenario)) == (before, {"before"})
    status = scenario.browser.get(scenario.spaces[SLUG]["domains"][0], "/status.php").json()
    assert (status["installed"], status["maintenance"]) == (True, False)
