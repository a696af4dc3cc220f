# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Attacks between tenants on the vendor's own server: what it lets through, and who stops it.

Run by hand on a machine of the scenario that has the vendor's package or one of its open source:
``pytest molecule/onlyoffice/real``. docs/security.md says what these show. Where one of them fails
because the server has become better, that page wants a correction.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.support.browser import Browser
from tests.support.coediting import Editor
from tests.support.office import AUTHORITY, Office, Tenant
from tests.support.scenario import Scenario

STATE = "/var/lib/archipel-onlyoffice"
COMMAND = "/coauthoring/CommandService.ashx"
# A connection that asks no more counts for some time yet.
GONE_SECONDS = 120


def keep(scenario: Scenario, tenant: Tenant, key: str) -> str:
    """Leave a document kept for recovery in a tenant; return its path."""
    user = f"onlyoffice-{tenant.shard}"
    folder = f"{STATE}/{tenant.shard}/files/forgotten/{tenant.host}/{key}"
    shell = f"mkdir -p {folder} && echo of {tenant.slug} >{folder}/output.docx"
    scenario.machine.execute("runuser", "-u", user, "--", "sh", "-c", shell)
    return f"{folder}/output.docx"


@pytest.fixture
def kept(scenario: Scenario, office: Office) -> dict[str, str]:
    """Slug → the path of a document kept in that tenant."""
    return {slug: keep(scenario, tenant, f"key-{slug}") for slug, tenant in office.tenants.items()}


def past_nginx(office: Office, tenant: Tenant, payload: dict[str, object]) -> dict[str, object]:
    """Send a signed command straight to the server, as nobody but root and nginx can."""
    body = json.dumps({"token": tenant.token(payload)})
    options = ("-H", f"Host: {tenant.host}", "--data-binary", body)
    return dict(json.loads(office.inside(tenant.shard, COMMAND, *options)))


def test_a_tenant_lists_its_own_kept_documents_only(office: Office, kept: dict[str, str]):
    velo = office.tenants["velo-ecole"]
    answer = office.command(velo, velo.host, {"c": "getForgottenList"})
    assert answer == {"error": 0, "keys": ["key-velo-ecole"]}


def test_a_plain_key_of_another_tenant_is_not_found(
    office: Office, scenario: Scenario, kept: dict[str, str]
):
    velo = office.tenants["velo-ecole"]
    for verb in ("getForgotten", "deleteForgotten"):
        answer = office.command(velo, velo.host, {"c": verb, "key": "key-amap-du-val"})
        assert answer["error"] != 0
    assert scenario.node.file(kept["amap-du-val"]).exists


@pytest.mark.parametrize(
    "key", ["../..", "../amap-du-val.first.archipel.localhost/key-amap-du-val"]
)
def test_the_front_stops_a_key_that_leads_elsewhere(
    office: Office, scenario: Scenario, kept: dict[str, str], key: str
):
    velo = office.tenants["velo-ecole"]
    assert office.command(velo, velo.host, {"c": "deleteForgotten", "key": key}) == 400
    assert [path for path in kept.values() if not scenario.node.file(path).exists] == []


def test_the_server_itself_follows_such_a_key_and_the_other_shard_is_out_of_its_reach(
    office: Office, scenario: Scenario, kept: dict[str, str]
):
    """Why the front reads commands, and why it is shards that isolate."""
    velo = office.tenants["velo-ecole"]
    past_nginx(
        office,
        velo,
        {"c": "deleteForgotten", "key": "../amap-du-val.first.archipel.localhost/key-amap-du-val"},
    )
    assert not scenario.node.file(kept["amap-du-val"]).exists
    deep = "/".join([".."] * 5)
    past_nginx(office, velo, {"c": "deleteForgotten", "key": f"{deep}/second/files"})
    assert scenario.node.file(kept["fanfare"]).exists


def test_the_server_believes_whoever_reaches_it_and_only_nginx_does(office: Office):
    velo, amap = office.tenants["velo-ecole"], office.tenants["amap-du-val"]
    body = json.dumps({"token": velo.token({"c": "version"})})
    options = ("-H", f"Host: {amap.host}", "-H", f"X-Forwarded-Host: {velo.host}", "-d", body)
    assert json.loads(office.inside("first", COMMAND, *options))["error"] == 0
    assert office.command(velo, amap.host, None, "-H", f"X-Forwarded-Host: {velo.host}") == {
        "error": 6
    }


@pytest.fixture
def browser(scenario: Scenario) -> Browser:
    """Anybody outside."""
    return Browser(scenario.machine.port(443), scenario.machine.execute("cat", AUTHORITY))


class TestEvents:
    """A document of the same key, opened by two people in each of two tenants."""

    def test_a_token_of_another_tenant_opens_nothing(self, office: Office, browser: Browser):
        velo, amap = office.tenants["velo-ecole"], office.tenants["amap-du-val"]
        editor = Editor(browser, velo, "doc-1", "eve").join(signer=amap)
        assert editor.refused is not None
        assert "signature" in json.dumps(editor.refused)

    def test_chat_crosses_to_another_tenant_of_the_same_shard(
        self, office: Office, browser: Browser
    ):
        """It succeeds, and docs/security.md says so: nothing but a shard of one's own stops it."""
        velo, amap = office.tenants["velo-ecole"], office.tenants["amap-du-val"]
        first = Editor(browser, velo, "doc-2", "anna").join()
        assert first.is_in()
        second = Editor(browser, velo, "doc-2", "bela").join()
        assert second.is_in()
        stranger = Editor(browser, amap, "doc-2", "eve").join()
        assert stranger.is_in()
        first.say("message", message="between us")
        assert "between us" in json.dumps(stranger.hear("message"))

    def test_chat_does_not_cross_to_another_shard(self, office: Office, browser: Browser):
        velo, fanfare = office.tenants["velo-ecole"], office.tenants["fanfare"]
        people = [Editor(browser, velo, "doc-3", name).join() for name in ("anna", "bela")]
        strangers = [Editor(browser, fanfare, "doc-3", name).join() for name in ("eve", "eva")]
        assert all(editor.is_in() for editor in [*people, *strangers])
        people[0].say("message", message="between us")
        assert "between us" in json.dumps(people[1].hear("message"))
        # What the strangers say to each other comes after; had the other come, it were here.
        strangers[0].say("message", message="among strangers")
        heard = json.dumps(strangers[1].hear("message"))
        assert "among strangers" in heard
        assert "between us" not in heard


class TestSecret:
    """A new secret while people edit: the server says how many do, tenant by tenant."""

    @pytest.fixture
    def changed(self, office: Office) -> Iterator[Tenant]:
        """A tenant whose secret the environment has replaced; put back afterwards."""
        before = office.settings.read_text(encoding="utf-8")
        velo, *others = office.tenants.values()
        new = replace(velo, secret=velo.secret[::-1])
        office.write(onlyoffice_tenants=[vars(one) for one in (new, *others)])
        yield new
        office.settings.write_text(before, encoding="utf-8")
        office.converge("tenants.yml")

    def people(self, office: Office, tenant: Tenant) -> int:
        _, answer = office.ask(tenant.host, "/info/info.json")
        return int(json.loads(answer)["quota"]["edit"]["connectionsCount"])

    def left(self, office: Office, tenant: Tenant) -> None:
        until = time.monotonic() + GONE_SECONDS
        while self.people(office, tenant):
            assert time.monotonic() < until
            time.sleep(2)

    def test_waits_for_them_and_for_nobody_elses(
        self, office: Office, browser: Browser, changed: Tenant
    ):
        old = replace(changed, secret=changed.secret[::-1])
        amap = office.tenants["amap-du-val"]
        for tenant in (old, amap):
            self.left(office, tenant)
        assert Editor(browser, old, "doc-4", "anna").join().is_in()
        assert (self.people(office, old), self.people(office, amap)) == (1, 0)
        said = office.refusal("tenants.yml")
        assert f"{old.slug}: people have documents open in it (1 of them)" in said
        time.sleep(office.variables["onlyoffice_secret_cache_seconds"] + 1)
        assert office.command(old, old.host)["error"] == 0
        self.left(office, old)
        office.converge("tenants.yml")
        time.sleep(GONE_SECONDS // 2)
        assert office.command(changed, changed.host)["error"] == 0
        assert office.command(old, old.host) == {"error": 6}
