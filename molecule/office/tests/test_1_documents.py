# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Documents open in both suites, and only in the space they belong to."""

from __future__ import annotations

import json
import time

import pytest

from tests.support import suites
from tests.support.scenario import Scenario
from tests.support.suites import DOMAIN, Inside

SLUGS = ("amap-du-val", "velo-ecole")
# One of them uses each suite, as its file says.
COLLABORA, ONLYOFFICE = SLUGS


def choose(scenario: Scenario, slug: str, suite: str) -> str:
    """Change the suite as the operator does, in the registry; return what the run said."""
    path = scenario.registry(slug)
    kept = [row for row in path.read_text().splitlines() if not row.startswith("office")]
    path.write_text("\n".join([*kept, f"office: {suite}", "office_pinned: true", ""]))
    scenario.converge("spaces.yml", "-e", f"only={slug}")
    return suite


@pytest.fixture(scope="module", autouse=True)
def chosen(scenario: Scenario) -> None:
    choose(scenario, COLLABORA, "collabora")
    choose(scenario, ONLYOFFICE, "onlyoffice")


class TestWiring:
    @pytest.mark.parametrize("slug", SLUGS)
    def test_exactly_one_connector_is_on(self, scenario: Scenario, slug: str):
        on = json.loads(scenario.occ(slug, "app:list --output=json"))["enabled"]
        assert len({"richdocuments", "onlyoffice"} & set(on)) == 1

    @pytest.mark.parametrize("slug", SLUGS)
    def test_a_space_has_a_server_of_each(self, scenario: Scenario, slug: str):
        text = scenario.registry_folder.joinpath("placement.yml").read_text()
        row = next(line for line in text.splitlines() if line.startswith(f"  {slug}:"))
        assert "office: {collabora: collabora1, onlyoffice: onlyoffice" in row

    def test_spaces_are_spread_over_the_shards(self, inside: Inside):
        assert {inside.server(slug, "onlyoffice")["shard"] for slug in SLUGS} == {
            "onlyoffice1",
            "onlyoffice2",
        }

    def test_no_page_of_nextcloud_shows_the_secret(self, scenario: Scenario):
        settings = scenario.occ(ONLYOFFICE, "config:list onlyoffice --output=json --private")
        assert "jwt_secret" not in settings
        secret = f"/srv/spaces/{ONLYOFFICE}/config/managed.config.php"
        assert "jwt_secret" in scenario.node.file(secret).content_string
        state = scenario.node.file(f"/srv/spaces/{ONLYOFFICE}/config/config.php").content_string
        assert "jwt_secret" not in state


class TestCollabora:
    def test_a_document_opens(self, inside: Inside):
        reply = inside.opened(COLLABORA)
        assert reply.body == 'loaded document.odt: {"text":"the document"}', reply

    def test_a_host_that_is_no_space_is_refused(self, inside: Inside):
        reply = inside.opened(COLLABORA, source="https://stranger.example")
        assert (reply.status, "unauthorized" in reply.body) == (403, True)

    def test_wopi_is_for_the_office_servers(self, inside: Inside, scenario: Scenario):
        opened = inside.app(COLLABORA, "richdocuments/open").json
        path = f"richdocuments/wopi/files/{opened['fileid']}?access_token={opened['access_token']}"
        assert inside.app(COLLABORA, path).status == 200
        url = f"https://{COLLABORA}.{DOMAIN}/index.php/apps/{path}"
        address = f"{COLLABORA}.{DOMAIN}:443:127.0.0.1"
        assert inside.ask(url, "--resolve", address).status == 403

    def test_conversion_is_nobodys(self, inside: Inside):
        host = inside.server(COLLABORA, "collabora")["host"]
        url = f"https://{host}/cool/convert-to/pdf"
        forged = f"Host: {COLLABORA}.{DOMAIN}"
        assert inside.ask(url, "--data", "x").status == 403
        local = "X-Forwarded-For: 127.0.0.1"
        assert inside.ask(url, "--data", "x", "--header", local).status == 403
        offered = inside.ask(f"https://{host}/hosting/capabilities").json
        assert offered["convert-to"]["available"] is False
        # Within the machine the real one has this hole: nothing but nginx may get there.
        listening = inside.scenario.node.check_output("ss --listening --tcp --numeric --no-header")
        assert [row.split()[3] for row in listening.splitlines() if ":9980" in row] == [
            "127.0.0.1:9980"
        ]
        assert inside.ask(url, "--data", "x", "--header", forged).status in {403, 404, 421}

    @pytest.mark.parametrize("path", ["/cool/getMetrics", "/hosting/wopiAccessCheck", "/"])
    def test_the_rest_is_closed(self, inside: Inside, path: str):
        host = inside.server(COLLABORA, "collabora")["host"]
        assert inside.ask(f"https://{host}{path}").status in {403, 404}

    def test_a_new_name_is_known_without_a_restart(self, inside: Inside, scenario: Scenario):
        before = scenario.show("coolwsd.service", "ActiveEnterTimestamp")
        path = scenario.registry(COLLABORA)
        path.write_text(path.read_text() + "domains: [cloud.amap.test]\n")
        scenario.converge("spaces.yml", "-e", f"only={COLLABORA}")
        time.sleep(5)
        listed = scenario.node.file("/var/lib/archipel/collabora/spaces.json").content_string
        assert "https://cloud.amap.test:443" in listed
        assert scenario.show("coolwsd.service", "ActiveEnterTimestamp") == before

    def test_its_configuration_survives_an_upgrade_of_the_package(self, scenario: Scenario):
        path = "/etc/coolwsd/coolwsd.xml"
        before = scenario.node.file(path).content_string
        suites.publish(scenario.name, suites.VERSIONS[1])
        scenario.node.check_output("apt-get update -qq")
        scenario.node.check_output(
            "DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes "
            "-o Dpkg::Options::=--force-confold coolwsd"
        )
        assert scenario.node.file(path).content_string == before
        assert scenario.node.package("coolwsd").version == suites.VERSIONS[1]


class TestOnlyOffice:
    def test_its_token_is_taken(self, inside: Inside):
        assert inside.accepts(ONLYOFFICE)

    def test_the_token_of_another_space_is_refused(self, inside: Inside):
        other = f"{inside.server(COLLABORA, 'onlyoffice')['url']}/"
        assert not inside.accepts(ONLYOFFICE, server=other)
