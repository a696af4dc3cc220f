# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What keeps shards from each other, from the machine, and the machine's network from them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support.office import Office
from tests.support.scenario import Scenario

SHARDS = ("first", "second")


def test_nothing_but_nginx_and_ssh_listens_to_the_network(scenario: Scenario, office: Office):
    """A Document Server binds every address; the firewall closes its port."""
    lines = scenario.machine.execute("ss", "-Hltn").splitlines()
    local = {line.split()[3] for line in lines}
    outside = {a.rsplit(":", 1)[1] for a in local if not a.startswith(("127.", "[::1]"))}
    assert outside - {str(p) for p in office.ports.values()} == {"22", "80", "443"}


@pytest.mark.parametrize("shard", SHARDS)
def test_a_port_is_open_to_nginx_alone(scenario: Scenario, office: Office, shard: str):
    port = office.ports[shard]
    address = scenario.machine.execute("hostname", "-I").split()[0]
    attempt = ["curl", "-s", "-o", "/dev/null", "-m", "3", "-w", "%{http_code}"]
    for user in ("nobody", "onlyoffice-first", "onlyoffice-second", "ds"):
        for host in ("127.0.0.1", address):
            url = f"http://{host}:{port}/internal/connections/edit"
            done = scenario.node.run(" ".join(["runuser", "-u", user, "--", *attempt, url]))
            assert done.stdout == "000", (user, host)
    url = f"http://127.0.0.1:{port}/healthcheck"
    command = ["runuser", "-u", "www-data", "--", *attempt, "-H", "'Host: localhost'", url]
    assert scenario.node.check_output(" ".join(command)) == "200"


def test_the_port_is_closed_to_other_machines(scenario: Scenario, office: Office):
    """Asked from outside, over the machine's own network address."""
    rules = json.loads(scenario.machine.execute("nft", "-j", "list", "table", "inet", TABLE))
    text = json.dumps(rules)
    assert all(str(port) in text for port in office.ports.values())
    unit = scenario.show(FIREWALL, "ActiveState", "UnitFileState")
    assert unit == {"ActiveState": "active", "UnitFileState": "enabled"}
    for shard in SHARDS:
        assert (
            FIREWALL
            in scenario.show(f"onlyoffice-docservice@{shard}.service", "Requires")["Requires"]
        )


TABLE = "archipel_onlyoffice"
FIREWALL = "archipel-onlyoffice-firewall.service"


@pytest.fixture
def debian_s_firewall(scenario: Scenario) -> Iterator[None]:
    """It is off here, as Debian leaves it."""
    yield
    scenario.machine.execute("systemctl", "stop", DEBIAN_FIREWALL)


DEBIAN_FIREWALL = "nftables.service"


@pytest.mark.parametrize("verb", ["start", "reload", "restart", "stop"])
def test_the_rules_outlive_debian_s_firewall(
    scenario: Scenario, office: Office, debian_s_firewall: None, verb: str
):
    """Each of them empties the whole firewall; the shards go on working meanwhile."""
    before = office.processes()
    if verb != "start":
        scenario.machine.execute("systemctl", "start", DEBIAN_FIREWALL)
    # So that the rules there afterwards are new ones, and the flush is known to have happened.
    scenario.machine.execute("nft", "add", "table", "inet", "witness")
    scenario.machine.execute("systemctl", verb, DEBIAN_FIREWALL)
    tables = scenario.machine.execute("nft", "list", "tables").splitlines()
    assert f"table inet {TABLE}" in tables
    assert "table inet witness" not in tables
    for port in office.ports.values():
        address = f"http://127.0.0.1:{port}/healthcheck"
        done = scenario.node.run(f"runuser -u nobody -- curl -s -m 3 -w '%{{http_code}}' {address}")
        assert done.stdout == "000"
    assert office.processes() == before


@pytest.mark.parametrize("part", ["docservice", "converter"])
def test_a_shard_sees_neither_the_other_nor_the_spaces(scenario: Scenario, part: str):
    pid = scenario.show(f"onlyoffice-{part}@first.service", "MainPID")["MainPID"]
    look = ["nsenter", "--target", pid, "--mount", "--user", "--preserve-credentials", "--"]
    own = scenario.machine.execute(*look, "ls", "/var/lib/archipel-onlyoffice")
    settings = scenario.machine.execute(*look, "ls", "/etc/archipel/onlyoffice")
    assert own.split() == ["first"]
    assert settings.split() == ["first", "log4js.json"]


def test_a_shard_is_bounded_and_unprivileged(scenario: Scenario):
    wanted = {
        "MemoryMax": str(1024 << 20),
        "NoNewPrivileges": "yes",
        "PrivateUsers": "yes",
        "ProtectSystem": "strict",
        "RestrictSUIDSGID": "yes",
        "CapabilityBoundingSet": "",
        "User": "onlyoffice-first",
    }
    assert scenario.show("onlyoffice-docservice@first.service", *wanted) == wanted
    memory = scenario.show("onlyoffice-converter@first.service", "MemoryMax")["MemoryMax"]
    assert memory == str(2048 << 20)


def test_a_shard_logs_into_its_own_database_only(scenario: Scenario):
    ask = "runuser -u onlyoffice-first -- psql -h /run/postgresql -w -tAc 'SELECT 1' -d {} -U {}"
    assert scenario.node.run(ask.format("onlyoffice-first", "onlyoffice-first")).stdout == "1\n"
    for base, user in (
        ("onlyoffice-second", "onlyoffice-first"),
        ("onlyoffice-second", "onlyoffice-second"),
        ("onlyoffice", "onlyoffice-first"),
        ("onlyoffice-first", "postgres"),
    ):
        assert scenario.node.run(ask.format(base, user)).rc != 0, (base, user)


def test_a_shard_sees_its_own_queue_only(scenario: Scenario):
    said = scenario.machine.execute("rabbitmqctl", "--quiet", "export_definitions", "-")
    holds = json.loads(said)
    users = {user["name"]: user["tags"] for user in holds["users"]}
    assert users == {"onlyoffice-first": [], "onlyoffice-second": []}
    pairs = {(p["user"], p["vhost"]) for p in holds["permissions"]}
    assert pairs == {("onlyoffice-first",) * 2, ("onlyoffice-second",) * 2}


def test_secrets_are_closed_to_all_but_their_shard(scenario: Scenario, office: Office):
    for tenant in office.tenants.values():
        place = f"/etc/archipel/onlyoffice/{tenant.shard}"
        for path in (f"{place}/local.json", f"{place}/tenants/{tenant.host}/secret.key"):
            file = scenario.node.file(path)
            assert (file.user, file.group) == ("root", f"onlyoffice-{tenant.shard}")
            assert file.mode == 0o640
        assert scenario.node.file(place).mode == 0o750
    words = scenario.machine.execute("ps", "-eo", "args")
    assert not [t.slug for t in office.tenants.values() if t.secret in words]


def test_the_packages_own_instance_and_site_are_off(scenario: Scenario):
    for unit in ("ds-docservice", "ds-converter", "ds-metrics"):
        state = scenario.show(f"{unit}.service", "ActiveState", "ConditionResult")
        assert state == {"ActiveState": "inactive", "ConditionResult": "no"}
    site = scenario.machine.execute("nginx", "-T")
    assert "server_tokens off;\n  set $secure_link_secret" not in site


def test_neither_keys_nor_tokens_are_logged(scenario: Scenario, office: Office):
    tenant = office.tenants["velo-ecole"]
    token = tenant.token({"c": "version", "mark": "in-the-token"})
    office.ask(tenant.host, "/doc/a-key-nobody-reads/c/?EIO=4&transport=polling")
    office.post(tenant.host, "/command", json.dumps({"token": f"{token}x"}))
    logs = scenario.machine.execute(
        "sh", "-c", "journalctl -q --no-pager; cat /var/log/nginx/*.log"
    )
    assert "/doc/*** HTTP" in logs
    assert "a-key-nobody-reads" not in logs
    assert token not in logs
