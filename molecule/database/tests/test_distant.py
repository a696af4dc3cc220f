# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Spaces whose database is on another machine: they live, and reach nothing else there."""

from __future__ import annotations

import inspect
import json
import shutil
import tarfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

from ansible_collections.archipel.spaces.plugins.module_utils._core import _config
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _mariadb
from tests.support.browser import Browser
from tests.support.layout import Layout, Units
from tests.support.network import HELD, Network
from tests.support.scenario import Scenario
from tools import ROOT

SLUG, OTHER = "velo-ecole", "amap-du-val"
WEB, DATABASE = "10.89.77.11", "10.89.77.12"
PORT = 3306
THIRD = "chorale-des-halles"
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
# What the modules connect with, and the machine's own driver.
CONNECT = f"""
from __future__ import annotations
import contextlib, json, socket, threading
import typing as t
import pymysql
PORT = {PORT}
class _config:
    @staticmethod
{textwrap.indent(inspect.getsource(_config.split_address), "    ")}
{inspect.getsource(_mariadb.connect)}
{inspect.getsource(_mariadb.encrypted)}
def attempt(address, authorities):
    account = {{"user": "nobody", "password": "wrong-on-purpose", "address": address}}
    try:
        connect(pymysql, account, "", authorities)
    except pymysql.Error as error:
        return str(error)
    return ""
"""
# A server that offers no TLS, as MariaDB greets; it tells what it was sent.
PLAIN = """
import struct
SSL = 1 << 11
offered = 0x000FF7FF & ~SSL | 1 << 15 | 1 << 19
greeting = b"\\x0a11.8.0-MariaDB\\0" + struct.pack("<I", 1) + b"saltsalt\\0"
greeting += struct.pack("<HBHH", offered & 0xFFFF, 45, 2, offered >> 16) + b"\\x15" + bytes(10)
greeting += b"saltsaltsalt\\0mysql_native_password\\0"
sent = []
server = socket.create_server(("127.0.0.1", 0))
def greet():
    caller, _ = server.accept()
    caller.sendall(struct.pack("<I", len(greeting))[:3] + b"\\0" + greeting)
    sent.append(caller.recv(4096).hex())
thread = threading.Thread(target=greet, daemon=True)
thread.start()
said = attempt(f"127.0.0.1:{server.getsockname()[1]}", AUTHORITIES)
thread.join(10)
print(json.dumps([said, sent]))
"""


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
    assert found == [Layout(slug).database for slug in sorted([SLUG, OTHER])]
    assert not node.file("/run/mysqld").exists


def test_spaces_answer(scenario: Scenario, browser: Browser):
    for space in scenario.in_status("approved").values():
        answer = browser.get(space["domains"][0], "/status.php")
        assert (answer.status, json.loads(answer.text)["installed"]) == (200, True)


def test_occ_and_jobs_work(scenario: Scenario, node: Host):
    assert json.loads(scenario.occ(SLUG, "status --output=json"))["installed"] is True
    node.check_output("systemctl start space-cron@%s.service", SLUG)
    assert scenario.show(Units(SLUG).jobs, "Result") == {"Result": "success"}


def test_the_connection_is_encrypted_and_refused_without(database: Host, node: Host):
    query = "SELECT JSON_VALUE(Priv, '$.ssl_type') FROM mysql.global_priv WHERE User LIKE 'space-%'"
    kinds = set(database.check_output("mariadb -N -e %s", query).split())
    # What the server asks of everybody, or of the account.
    required = database.check_output("mariadb -N -e %s", "SELECT @@require_secure_transport")
    assert required == "1" or kinds == {"1"}
    config = node.file(Layout(SLUG).managed_config).content_string
    assert "PDO::MYSQL_ATTR_SSL_VERIFY_SERVER_CERT => true" in config


@pytest.fixture(scope="module")
def other_authority(node: Host) -> str:
    """An authority that has signed nothing here."""
    path = "/run/archipel-other-authority.pem"
    node.check_output(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=x -keyout /dev/null -out %s",
        path,
    )
    return path


def asked(node: Host, program: str) -> Any:
    """Run a program on the machine with the spaces, with what the modules connect with."""
    code = f"{CONNECT}\nAUTHORITIES = {AUTHORITIES!r}\n{program}"
    return json.loads(node.check_output("python3 -c %s", code))


def test_runs_take_the_database_s_certificate_from_its_authority_alone(
    node: Host, other_authority: str
):
    """Which user it is comes after who answers."""
    program = "print(json.dumps(attempt({!r}, {!r})))"
    assert "Access denied" in asked(node, program.format(DATABASE, AUTHORITIES))
    said = asked(node, program.format(DATABASE, other_authority))
    assert "CERTIFICATE_VERIFY_FAILED" in said
    assert "Access denied" not in said


def test_nor_for_another_address_than_the_certificate_s(node: Host):
    """The same server behind another of the machine's own addresses."""
    said = asked(
        node,
        f"""
server = socket.create_server(("127.0.0.1", 0))
def pump(a, b):
    # Whoever refuses a certificate closes at once, in the middle of what is under way.
    with contextlib.suppress(OSError):
        while data := a.recv(4096):
            b.sendall(data)
def relay():
    caller, _ = server.accept()
    real = socket.create_connection(({DATABASE!r}, {PORT}))
    threading.Thread(target=pump, args=(caller, real), daemon=True).start()
    pump(real, caller)
threading.Thread(target=relay, daemon=True).start()
print(json.dumps(attempt(f"127.0.0.1:{{server.getsockname()[1]}}", AUTHORITIES)))
""",
    )
    assert "CERTIFICATE_VERIFY_FAILED" in said, said


def test_nothing_is_sent_to_a_server_without_tls(node: Host):
    said, sent = asked(node, PLAIN)
    assert "offers no TLS" in said
    assert sent == [""]


def test_a_run_with_another_authority_reads_nothing_and_says_why(
    scenario: Scenario, other_authority: str
):
    """In check mode: the spaces themselves are not told of it."""
    options = ("--check", "-e", f"only={SLUG}", "-e", f"spaces_database_ca={other_authority}")
    said = json.dumps(scenario.attempt("spaces.yml", *options))
    assert "its database cannot be read" in said
    assert "CERTIFICATE_VERIFY_FAILED" in said


def test_a_space_reaches_the_database_at_its_port_alone(network: Network, scenario: Scenario):
    assert network.tcp(SLUG, DATABASE, PORT) == ""
    # The machine's own SSH, which root reaches.
    assert network.tcp(SLUG, DATABASE, 22) in HELD
    assert network.udp(SLUG, DATABASE, PORT) in HELD
    for unit in network.configuration()["slices"]:
        shown = scenario.show(unit, "IPAddressAllow")["IPAddressAllow"].split()
        assert f"{DATABASE}/32" in shown


FIREWALL = "archipel-mariadb-firewall.service"
# Says whether a connection comes about, from each of two addresses of the machine with the spaces.
FROM = """
import json, socket
def attempt(source):
    try:
        socket.create_connection((DATABASE, PORT), 3, (source, 0)).close()
    except OSError as error:
        return str(error)
    return ""
print(json.dumps([attempt(source) for source in SOURCES]))
"""


@pytest.fixture
def stranger(node: Host) -> Iterator[str]:
    """An address of the private network that no node of the inventory has."""
    address = "10.89.77.99"
    device = node.check_output("ip -o -4 addr show to %s", WEB).split()[1]
    node.check_output("ip addr add %s/24 dev %s", address, device)
    yield address
    node.check_output("ip addr del %s/24 dev %s", address, device)


def test_nobody_comes_to_the_databases_from_another_address(
    node: Host, database: Host, stranger: str
):
    values = f"DATABASE, PORT, SOURCES = {DATABASE!r}, {PORT}, {[WEB, stranger]!r}\n"

    def came() -> list[str]:
        return json.loads(node.check_output("python3 -c %s", values + FROM))

    assert came() == ["", "timed out"]
    # It empties everybody's rules, and ours are there again when it is done.
    database.check_output("systemctl restart nftables.service")
    assert came() == ["", "timed out"]
    database.check_output("systemctl stop nftables.service")
    assert came() == ["", "timed out"]


def test_the_databases_firewall_is_there_at_every_boot_and_before_the_server(database: Host):
    assert database.service(FIREWALL).is_enabled
    after = database.check_output("systemctl show mariadb.service --property=After --value")
    assert FIREWALL in after.split()


def test_rules_that_somebody_took_away_come_back_with_a_run(scenario: Scenario, database: Host):
    database.check_output("nft delete table inet archipel_mariadb")
    results = scenario.attempt("platform.yml", "--tags", "mariadb")
    assert failed(results) == {}
    assert "10.89.77.11" in database.check_output("nft list table inet archipel_mariadb")


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


def test_a_backup_is_proved_by_reading_all_of_it(scenario: Scenario):
    """There is no server on this machine that could load it."""
    results = scenario.attempt("backup.yml", "-e", f"only={SLUG}", "-e", "verify=true")
    assert failed(results) == {}
    _made, verified = results["Ensure the spaces are in the repository"]["spaces"][SLUG]
    assert " verified: " in verified
    assert " rows read, " in verified


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
    point = f"{Layout(SLUG).upgrade}/point/database.sql"
    assert "CREATE TABLE `oc_users`" in node.check_output("grep 'CREATE TABLE' %s", point)
    add_account(scenario, "after")
    assert failed(scenario.attempt("rollback.yml", "-e", f"only={SLUG}")) == {}
    assert (release(node), accounts(scenario)) == (before, {"before"})
    status = scenario.browser.get(scenario.spaces[SLUG]["domains"][0], "/status.php").json()
    assert (status["installed"], status["maintenance"]) == (True, False)


def test_a_further_space_starts_from_the_image_of_the_first(
    scenario: Scenario, node: Host, database: Host
):
    """Seen by a table that was added to the image, and that no installer makes."""
    (dump,) = node.check_output("ls /srv/nextcloud/seed-images/*/dump.sql").split()
    marked = "sed -i '1i CREATE TABLE oc_marked (id INT PRIMARY KEY);' %s"
    node.check_output(marked, dump)
    shutil.copy(ROOT / f"molecule/shared/ninth/{THIRD}.yml", scenario.registry(THIRD))
    scenario.converge("spaces.yml", "-e", f"only={THIRD}")
    tables = database.check_output(
        "mariadb -N -e %s", f"SHOW TABLES IN `{Layout(THIRD).database}`"
    ).split()
    assert "oc_marked" in tables
    answer = scenario.browser.get(scenario.spaces[THIRD]["domains"][0], "/status.php")
    assert (answer.status, answer.json()["installed"]) == (200, True)
    assert node.check_output("ls -A /run/archipel/clients") == ""
