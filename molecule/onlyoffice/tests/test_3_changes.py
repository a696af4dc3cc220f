# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Runs that change nothing, a tenant more, a new secret, an upgrade, and what is refused."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.support import aptrepo, documentserver
from tests.support.coediting import left_open
from tests.support.office import AUTHORITY, Office, Tenant
from tests.support.scenario import Scenario

REFUSED = {"error": 6}
NEW = Tenant("chorale", "chorale.first.archipel.localhost", "first", "s" * 40)


@pytest.fixture
def kept(office: Office) -> Iterator[Office]:
    """The environment, put back afterwards."""
    before = office.settings.read_text(encoding="utf-8")
    yield office
    office.settings.write_text(before, encoding="utf-8")


def test_a_second_run_changes_nothing_and_a_check_agrees(office: Office):
    assert office.converge("converge.yml") == []
    assert office.converge("converge.yml", "--check") == []


def test_other_rules_are_put_up_without_the_shards(office: Office):
    """They need the firewall, and would all start anew with it."""
    before, machine = office.processes(), office.scenario.machine
    table = ("table", "inet", "archipel_onlyoffice")
    wanted = machine.execute("nft", "--stateless", "list", *table)
    machine.execute("nft", "delete", *table)
    machine.execute("nft", "add", *table)
    (done,) = office.converge("converge.yml")
    assert done.endswith("Exchange the rules, at once and without the shards")
    assert machine.execute("nft", "--stateless", "list", *table) == wanted
    assert office.processes() == before


def test_a_tenant_more_restarts_nothing_and_one_less_is_refused(kept: Office):
    """The same processes answer before, with and after it; a check says what a run does."""
    before = kept.processes()
    kept.write(onlyoffice_tenants=[*kept.variables["onlyoffice_tenants"], vars(NEW)])
    said, done = kept.converge("tenants.yml", "--check"), kept.converge("tenants.yml")
    # A check writes nothing, so that nothing is newer than what nginx runs with.
    assert [task for task in done if not task.endswith("Reload nginx")] == said != done
    assert kept.command(NEW, NEW.host)["error"] == 0
    assert kept.processes() == before
    fewer = [t for t in kept.variables["onlyoffice_tenants"] if t["slug"] != NEW.slug]
    kept.write(onlyoffice_tenants=fewer)
    kept.converge("tenants.yml")
    # Its name is nobody's: not even the handshake ends well.
    address = f"https://{NEW.host}/healthcheck"
    options = f"-sk -m 9 -w '%{{http_code}}' --resolve {NEW.host}:443:127.0.0.1"
    done = kept.scenario.node.run(f"curl {options} -o /dev/null {address}")
    assert (done.rc, done.stdout) == (35, "000")
    assert kept.processes() == before


def test_a_secret_is_replaced_without_a_restart(kept: Office):
    before, tenant = kept.processes(), kept.tenants["fanfare"]
    assert kept.command(tenant, tenant.host)["error"] == 0
    others = [t for t in kept.variables["onlyoffice_tenants"] if t["slug"] != "fanfare"]
    new = Tenant(tenant.slug, tenant.host, tenant.shard, "another-secret-another-secret-another")
    kept.write(onlyoffice_tenants=[*others, vars(new)])
    kept.converge("tenants.yml")
    time.sleep(kept.variables["onlyoffice_secret_cache_seconds"] + 1)
    assert kept.command(new, new.host)["error"] == 0
    assert kept.command(tenant, tenant.host) == REFUSED
    assert kept.processes() == before
    kept.write(onlyoffice_tenants=[*others, vars(tenant)])
    kept.converge("tenants.yml")


def test_a_new_secret_waits_until_nobody_edits(kept: Office):
    """It is refused, and everybody else's is replaced; the operator may insist."""
    velo, amap = kept.tenants["velo-ecole"], kept.tenants["amap-du-val"]
    fanfare = kept.tenants["fanfare"]
    new = {one.slug: replace(one, secret=one.secret[::-1]) for one in (velo, amap)}
    before = kept.variables["onlyoffice_tenants"]
    options = ("--cacert", AUTHORITY, "--resolve", f"{velo.host}:443:127.0.0.1")
    with left_open(kept.scenario.machine, f"https://{velo.host}", *options):
        kept.write(onlyoffice_tenants=[*map(vars, new.values()), vars(fanfare)])
        said = kept.refusal("tenants.yml")
        assert "velo-ecole: people have documents open in it (1 of them)" in said
        assert "amap-du-val" not in said
        time.sleep(kept.variables["onlyoffice_secret_cache_seconds"] + 1)
        assert kept.command(velo, velo.host)["error"] == 0
        assert kept.command(new["amap-du-val"], amap.host)["error"] == 0
        kept.converge("tenants.yml", "-e", "onlyoffice_rotate_while_open=true")
        time.sleep(kept.variables["onlyoffice_secret_cache_seconds"] + 1)
        assert kept.command(velo, velo.host) == REFUSED
    kept.write(onlyoffice_tenants=before)
    kept.converge("tenants.yml")
    time.sleep(kept.variables["onlyoffice_secret_cache_seconds"] + 1)
    assert kept.command(velo, velo.host)["error"] == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"host": "VELO.first.archipel.localhost"}, "is not a full host name in lower-case"),
        ({"shard": "third"}, "none of onlyoffice_shards (first, second)"),
        ({"secret": "short"}, "secret (hidden) is not at least 32"),
    ],
)
def test_a_tenant_that_does_not_do_is_refused_and_changes_nothing(
    kept: Office, changes: dict[str, str], said: str
):
    first, *others = kept.variables["onlyoffice_tenants"]
    kept.write(onlyoffice_tenants=[{**first, **changes}, *others])
    assert said in kept.refusal("tenants.yml")
    tenant = kept.tenants["amap-du-val"]
    assert kept.command(tenant, tenant.host)["error"] == 0


@pytest.mark.parametrize(
    ("shards", "said"),
    [
        ([{"name": "first", "port": 8000}], "upgrades of the package ask"),
        ([{"name": "first", "port": None}], 'has the port "None"'),
        ([{"name": "a", "port": 8101}, {"name": "b2", "port": 8101}], 'found the name "a"'),
        (
            [{"name": "aa", "port": 8101}, {"name": "bb", "port": 8101}],
            "the ports are 8101, 8101; each shard needs one",
        ),
        ([{"name": "../x", "port": 8101}], "2 to 20"),
    ],
)
def test_shards_that_do_not_do_are_refused(
    kept: Office, shards: list[dict[str, object]], said: str
):
    kept.write(onlyoffice_shards=shards)
    assert said in kept.refusal("servers.yml")


def test_another_key_is_refused_before_apt_trusts_it(scenario: Scenario, office: Office):
    stranger = aptrepo.Signer(documentserver.BUILD / "stranger")
    stranger.make("Somebody else")
    file = documentserver.BUILD / "stranger.asc"
    file.write_text(stranger.public(), encoding="utf-8")
    said = office.refusal("servers.yml", "-e", f"onlyoffice_repository_key={file}")
    assert f"holds {stranger.fingerprint()}, but onlyoffice_repository_key_fingerprint is" in said
    trusted = scenario.node.file("/usr/share/keyrings/archipel-onlyoffice.asc").content_string
    assert trusted == documentserver.signer().public()


def test_a_repository_that_another_key_signed_is_refused(scenario: Scenario, office: Office):
    """The fingerprint fits the key, and the key does not fit the repository."""
    stranger = aptrepo.Signer(documentserver.BUILD / "stranger")
    stranger.make("Somebody else")
    file = documentserver.BUILD / "stranger.asc"
    file.write_text(stranger.public(), encoding="utf-8")
    options = {
        "onlyoffice_repository_key": str(file),
        "onlyoffice_repository_key_fingerprint": stranger.fingerprint(),
    }
    said = office.refusal("servers.yml", "-e", json.dumps(options))
    assert f"cannot use the repository of the Document Server, file:{documentserver.PLACE}" in said
    # In whatever words this Debian has for it.
    assert "verif" in said or "NO_PUBKEY" in said
    assert "onlyoffice_repository_key" in said
    office.converge("servers.yml")


def test_an_upgrade_keeps_the_settings_and_the_tenants(scenario: Scenario, office: Office):
    """By apt alone, as an operator or an unattended upgrade does it."""
    watched = ("/etc/archipel/onlyoffice", "/etc/nginx/conf.d", "/etc/nginx/archipel-onlyoffice")
    digest = f"find {' '.join(watched)} -type f | sort | xargs sha256sum"
    before = scenario.node.check_output(digest)
    tenant, processes = office.tenants["velo-ecole"], office.processes()
    tables = "runuser -u onlyoffice-first -- psql -d onlyoffice-first -tAc "
    scenario.node.check_output(tables + "'CREATE TABLE IF NOT EXISTS mark ()'")
    installed = documentserver.running(scenario.name)
    documentserver.publish(scenario.name, 2)
    upgrade = "apt-get install -y --only-upgrade onlyoffice-documentserver"
    scenario.node.check_output(f"apt-get update && DEBIAN_FRONTEND=noninteractive {upgrade}")
    assert documentserver.running(scenario.name) != installed
    assert scenario.node.check_output(digest) == before
    assert scenario.node.run("nginx -t").rc == 0
    assert office.processes() == processes
    assert office.command(tenant, tenant.host)["error"] == 0
    assert scenario.node.run(tables + "'SELECT count(*) FROM mark'").rc == 0
    changed = office.converge("servers.yml")
    assert [task.rsplit(" | ", 1)[1] for task in changed if "Restart" in task]
    assert office.command(tenant, tenant.host)["error"] == 0
    assert office.converge("servers.yml") == []


def test_a_setting_this_version_does_not_know_is_refused_before_a_restart(
    scenario: Scenario, office: Office
):
    """An upgrade that lost a key is found by the run, not by the shards."""
    before = office.processes()
    path = "/etc/onlyoffice/documentserver/default.json"
    text = scenario.node.file(path).content_string
    shipped = json.loads(text)
    del shipped["tenants"]["cache"]["stdTTL"]
    scenario.machine.execute("tee", path, stdin=json.dumps(shipped))
    try:
        assert "tenants.cache.stdTTL" in office.refusal("servers.yml")
        assert office.processes() == before
    finally:
        scenario.machine.execute("tee", path, stdin=text)
