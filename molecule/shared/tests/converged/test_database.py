# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Each space's database is its own, and nothing else is open."""

from __future__ import annotations

import json
import re

from testinfra.host import Host

from tests.support.layout import Layout
from tests.support.scenario import Scenario

# As a space: its user, in the group that may reach the socket, without any password.
AS_SPACE = (
    "setpriv --reuid=space-%s --regid=space-%s --groups=archipel-db mariadb --no-defaults -NBe %s"
)


def test_a_space_has_one_database_and_full_rights_on_it_alone(
    scenario: Scenario, approved_slug: str
):
    """The underscore is a wildcard in grants: unescaped, space_a would reach spaceXa."""
    account = f"`{Layout(approved_slug).user}`@`localhost`"
    grants = [row[0] for row in scenario.sql(f"SHOW GRANTS FOR {account}")]
    assert len(grants) == 2
    assert re.fullmatch(
        rf"GRANT USAGE ON \*\.\* TO {re.escape(account)} IDENTIFIED VIA unix_socket"
        r" WITH MAX_USER_CONNECTIONS \d+",
        grants[0],
    )
    assert re.fullmatch(
        rf"GRANT [A-Z, ]+ ON `space\\_{approved_slug}`\.\* TO {re.escape(account)}", grants[1]
    )
    assert "GRANT OPTION" not in grants[1]


def test_sorting_happens_on_the_disk_of_the_data(scenario: Scenario, node: Host):
    """/tmp is memory on Debian 13; a rebuilt table of some gigabytes does not fit there."""
    shown = dict(scenario.sql("SHOW VARIABLES WHERE Variable_name IN ('datadir', 'tmpdir')"))
    folder = node.file(shown["tmpdir"])
    assert folder.is_directory
    assert (folder.user, folder.mode) == ("mysql", 0o700)
    places = node.check_output("stat --file-system --format=%%T %s", shown["tmpdir"]).split()
    assert places != ["tmpfs"]
    devices = node.check_output("stat --format=%%d %s %s", shown["tmpdir"], shown["datadir"])
    assert len(set(devices.split())) == 1
    assert [row for row in scenario.sql("SHOW DATABASES") if "tmp" in row[0]] == []


def test_connections_are_bounded(scenario: Scenario, approved_slug: str):
    """One space that opens connections without end must not lock out the others."""
    user = Layout(approved_slug).user
    rows = scenario.sql(f"SELECT max_user_connections FROM mysql.user WHERE user = '{user}'")
    assert 0 < int(rows[0][0]) <= 50


def test_a_space_sees_no_other_database(node: Host, approved_slug: str):
    listed = node.check_output(AS_SPACE, approved_slug, approved_slug, "SHOW DATABASES")
    assert set(listed.split()) == {"information_schema", Layout(approved_slug).database}


def test_a_space_cannot_make_a_database_with_a_similar_name(node: Host):
    """What an unescaped grant would allow."""
    done = node.run(AS_SPACE, "velo-ecole", "velo-ecole", "CREATE DATABASE `spaceXvelo-ecole`")
    assert done.rc != 0
    assert "Access denied" in done.stderr


def test_nobody_is_anybody_else(node: Host):
    """The socket tells the server who is asking: a space cannot call itself another."""
    command = "setpriv --reuid=space-velo-ecole --regid=space-velo-ecole --groups=archipel-db"
    done = node.run(f"{command} mariadb --no-defaults --user=space-amap-du-val -e 'SELECT 1'")
    assert done.rc != 0


def test_the_server_has_no_stranger_and_no_test_database(scenario: Scenario):
    assert scenario.sql("SELECT host FROM mysql.global_priv WHERE user = ''") == []
    assert scenario.sql("SHOW DATABASES LIKE 'test%'") == []
    remote = "SELECT user, host FROM mysql.global_priv WHERE host NOT IN ('localhost', '')"
    assert scenario.sql(remote) == []


def test_no_account_has_a_password(scenario: Scenario):
    """What does not exist cannot leak."""
    rows = scenario.sql("SELECT user, priv FROM mysql.global_priv WHERE user LIKE 'space-%'")
    with_password = [user for user, priv in rows if json.loads(priv).get("authentication_string")]
    assert with_password == []


def test_files_of_the_server_are_out_of_reach(node: Host):
    done = node.run(AS_SPACE, "velo-ecole", "velo-ecole", "SELECT LOAD_FILE('/etc/passwd')")
    assert done.stdout.strip() in {"", "NULL"}


def test_only_ssh_and_the_web_listen_on_the_network(node: Host):
    """MariaDB, Redis and PHP are reached through files, never through ports."""
    lines = node.check_output("ss --listening --tcp --numeric --no-header").splitlines()
    ports = {int(line.split()[3].rsplit(":", 1)[1]) for line in lines}
    assert ports <= {22, 80, 443}
    assert 443 in ports
