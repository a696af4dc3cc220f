# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What people see while a machine is gone, and that it comes back by itself."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.cluster import Cluster
from tests.support.layout import Layout
from tests.support.scenario import Scenario
from tools.lab.host import until

# Asks a space's database for something that takes long, as Nextcloud connects to it.
ASKS = """
class OC {{ static $SERVERROOT = ''; }}
include '{config}';
['dbhost' => $host, 'dbname' => $name, 'dbuser' => $user, 'dbpassword' => $password] = $CONFIG;
[$host, $port] = [...explode(':', $host), 3306];
$options = $CONFIG['dbdriveroptions'] + [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION];
$database = new PDO("mysql:host=$host;port=$port;dbname=$name", $user, $password, $options);
try {{
    $database->query('SELECT SLEEP(3000)');
    echo 'answered';
}} catch (PDOException $error) {{
    echo $error->errorInfo[1];
}}
"""
# PHP's numbers for a connection that was lost.
LOST = {"2006", "2013"}


def on(scenario: Scenario, node: str) -> list[str]:
    """Return the spaces of a node that people use."""
    found = scenario.in_status("approved").items()
    return [slug for slug, space in found if space["web"] == node]


def test_a_web_node_that_loses_its_power(scenario: Scenario, cluster: Cluster, capsys):
    """Its spaces alone are down, with a page in their language; they come back with it."""
    gone, others = on(scenario, "web2"), on(scenario, "web1")
    cluster.machines["web2"].kill()
    try:
        down = cluster.await_status("db1", gone[0], 503, seconds=60)
        for slug in gone:
            answer = cluster.space("db1", slug, "/")
            language = scenario.spaces[slug]["locale"].partition("_")[0]
            assert (answer.status, answer.headers["retry-after"]) == (503, "60"), answer
            assert f'<html lang="{language}">' in answer.text
            assert ("injoignable" in answer.text) == (language == "fr")
        assert [cluster.space("db1", slug).status for slug in others] == [200] * len(others)
    finally:
        cluster.machines["web2"].boot()
    back = max(cluster.await_status("db1", slug, 200, seconds=120) for slug in gone)
    with capsys.disabled():
        print(f"\nthe page after {down:.1f} s; served again {back:.1f} s after it answered SSH")


def test_a_web_node_that_does_not_reach_its_databases(
    scenario: Scenario, cluster: Cluster, capsys: pytest.CaptureFixture[str]
):
    """A page that says so, soon, and nothing to do once the databases are there again."""
    cut, others = on(scenario, "web1")[0], on(scenario, "web2")[0]
    language = scenario.spaces[cut]["locale"].partition("_")[0]
    assert cluster.space("db1", cut).status == 200
    with cluster.cut("db1", "web1"):
        for path in ("/login", "/status.php"):
            answer = cluster.space("web2", cut, path, timeout=90)
            assert (answer.status, answer.headers["retry-after"]) == (503, "60"), answer
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
            assert f'<html lang="{language}">' in answer.text
            assert answer.seconds < 30
        assert cluster.space("web2", cut, "/login", method="POST", timeout=90).status == 503
        assert cluster.space("web2", others).status == 200
    back = cluster.await_status("web2", cut, 200, seconds=60)
    with capsys.disabled():
        print(f"\nthe page after {answer.seconds:.1f} s; served again {back:.1f} s after")


def test_nothing_waits_for_ever_for_a_database_that_has_vanished(
    scenario: Scenario, cluster: Cluster, capsys: pytest.CaptureFixture[str]
):
    """A request that waits for an answer then would keep its PHP process from everybody."""
    slug = on(scenario, "web1")[0]
    program = ASKS.format(config=Layout(slug).managed_config)
    asks = cluster.host("web1").run
    count = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'"
    database = cluster.host("db1")

    def waiting() -> bool:
        return database.check_output("mariadb -N -e %s", count).strip() == "1"

    with ThreadPoolExecutor() as pool:
        asked = pool.submit(asks, "timeout 600 php -r %s", program)
        until(30, "the database to work on it", waiting)
        with cluster.cut("db1", "web1"):
            began = time.monotonic()
            said = asked.result(timeout=660)
    assert said.stdout in LOST, said
    with capsys.disabled():
        print(f"\nit was given up after {time.monotonic() - began:.0f} s")


def test_an_edge_that_loses_its_power(scenario: Scenario, cluster: Cluster):
    """It comes back with the names it had."""
    cluster.machines["edge1"].kill()
    assert cluster.space("db1", "velo-ecole").status == 0
    cluster.machines["edge1"].boot()
    for slug in [on(scenario, "web1")[0], on(scenario, "web2")[0]]:
        cluster.await_status("db1", slug, 200, seconds=60)


def test_an_edge_whose_haproxy_ends_has_one_again(cluster: Cluster):
    pid = cluster.host("edge1").check_output("systemctl show -P MainPID haproxy.service")
    cluster.host("edge1").check_output("kill -KILL %s", pid)
    until(60, "HAProxy to run", lambda: cluster.space("db1", "velo-ecole").status == 200)
