# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A copy of a space that people use: killed at every step, kept in, seen for what it is, and gone.

The tests follow each other.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import replace

import pytest
import yaml
from testinfra.host import Host

from tests.support.association import Association
from tests.support.layout import Layout
from tests.support.network import Network
from tests.support.sandbox import Programs
from tests.support.scenario import Scenario

SOURCE, COPY = "velo-ecole", "velo-essai"
ONLY = ("-e", f"only={SOURCE}", "-e", f"into={COPY}")
AGREED = (*ONLY, "-e", json.dumps({"consent": "Camille, by word of mouth"}), "-e", "by=nadia")
OF_COPY = ("-e", f"only={COPY}")
HOOK = "/run/archipel/kill-at"
JOURNAL = f"/var/lib/archipel/life/{COPY}.json"
STEPS = ("copy", "load", "clean", "identify", "place", "finish")
# What answers nobody here; what matters is whether a datagram leaves.
OUTSIDE = "192.0.2.1"
PASSWORD = secrets.token_urlsafe(24)


# What an application has stored, on the disk and in the list of files.
MARK = """
install -d -o {layout.user} -g {layout.user} {layout.data}/{folder}
install -o {layout.user} -g {layout.user} /etc/hostname {layout.data}/{folder}/mark
"""
MARKED = (
    "INSERT IGNORE INTO {} (storage, path, path_hash, name) "
    "VALUES (1, '{path}', MD5('{path}'), 'mark')"
)


class Before:
    """What the space was before anybody made a copy of it."""

    def __init__(self, scenario: Scenario, velo: Association) -> None:
        command = f"user:resetpassword --password-from-env {velo.account[0]}"
        scenario.occ(SOURCE, command, OC_PASS=PASSWORD)
        folder = f"appdata_{state(scenario.node, SOURCE, 'instanceid')}"
        scenario.node.check_output(MARK.format(layout=Layout(SOURCE), folder=folder))
        scenario.sql(MARKED.format(table(SOURCE, "filecache"), path=f"{folder}/mark"))
        self.known = self.read(scenario, velo)

    @staticmethod
    def read(scenario: Scenario, velo: Association) -> tuple[str, str, str]:
        config = scenario.node.file(f"/srv/spaces/{SOURCE}/config/config.php")
        return velo.files(), velo.stored(), config.content_string

    def same(self, scenario: Scenario, velo: Association) -> bool:
        """Tell whether it is as it was, and serves."""
        return self.read(scenario, velo) == self.known


@pytest.fixture(scope="module")
def before(scenario: Scenario, velo: Association) -> Before:
    return Before(scenario, velo)


@pytest.fixture(scope="module")
def copied(velo: Association) -> Association:
    """The copy, as the member of the space with the password that they have there."""
    return replace(velo, slug=COPY, account=(velo.account[0], PASSWORD))


@pytest.fixture(scope="module")
def network(scenario: Scenario) -> Network:
    return Network(Programs(scenario.machine))


def table(slug: str, name: str) -> str:
    """Return a table of a space, as SQL has it."""
    return f"`{Layout(slug).database}`.oc_{name}"


def state(node: Host, slug: str, key: str) -> str:
    """Return a value of a space's state file."""
    path = f"/srv/spaces/{slug}/config/config.php"
    return node.check_output(f"grep -oP \"^  '{key}' => '\\K[^']+\" {path}")


def test_1_without_consent_nothing_happens(scenario: Scenario, before: Before):
    said = scenario.refusal("clone.yml", *ONLY)
    assert "consent: missing; it is other people's data" in said
    assert not scenario.registry(COPY).exists()


@pytest.mark.parametrize("step", STEPS)
def test_2_killed_and_run_again(
    scenario: Scenario, node: Host, velo: Association, before: Before, step: str
):
    """Each run goes on where the last one was killed; nobody else makes or opens anything."""
    node.check_output(f"echo clone:{step} > {HOOK}")
    scenario.refusal("clone.yml", *AGREED)
    assert not node.file(HOOK).exists, "the run was not killed"
    assert json.loads(node.file(JOURNAL).content_string)["step"] == step
    assert before.same(scenario, velo)


def test_3_no_other_run_touches_what_is_half_there(scenario: Scenario, node: Host):
    said = scenario.refusal("spaces.yml", *OF_COPY)
    assert f"it is being made as a copy of {SOURCE}" in said
    assert not node.service(f"space-php@{COPY}.socket").is_running


def test_4_it_is_made(
    scenario: Scenario, node: Host, velo: Association, copied: Association, before: Before
):
    scenario.converge("clone.yml", *ONLY)
    assert before.same(scenario, velo)
    assert not node.file(JOURNAL).exists
    # The same files, for the same password.
    assert copied.files() == before.known[0]
    data = yaml.safe_load(scenario.registry(COPY).read_text(encoding="utf-8"))
    assert data["copy_of"]["consent"] == "Camille, by word of mouth"
    assert scenario.spaces[COPY]["web"] == scenario.spaces[SOURCE]["web"]
    assert scenario.converge("spaces.yml", "-e", f"only={SOURCE},{COPY}") == []


def test_5_it_has_secrets_of_its_own(scenario: Scenario, node: Host, velo: Association):
    for key in ("instanceid", "secret"):
        assert state(node, COPY, key) != state(node, SOURCE, key)
    assert state(node, COPY, "passwordsalt") == state(node, SOURCE, "passwordsalt")
    # An application password of the space opens nothing here.
    assert replace(velo, slug=COPY).ask("GET", velo.path(0))[0] == 401
    assert velo.ask("GET", velo.path(0))[0] == 200
    counting = "SELECT COUNT(*) FROM {}"
    copies, own = (
        scenario.sql(counting.format(table(slug, "authtoken"))) for slug in (COPY, SOURCE)
    )
    assert copies == [["0"]]
    assert own != [["0"]]
    # The folder of applications is called after the instance, on the disk and in the database.
    folder = f"appdata_{state(node, COPY, 'instanceid')}"
    assert node.file(f"{Layout(COPY).data}/{folder}/mark").is_file
    assert node.check_output("ls -d %s/appdata_*", Layout(COPY).data).count("\n") == 0
    rows = scenario.sql(
        f"SELECT path, path_hash = MD5(path) FROM {table(COPY, 'filecache')} "
        "WHERE path LIKE 'appdata%'"
    )
    assert [f"{folder}/mark", "1"] in rows
    assert {(path.partition("/")[0], right) for path, right in rows} == {(folder, "1")}


def test_6_nothing_goes_out_of_it(scenario: Scenario, network: Network):
    assert scenario.occ(COPY, "config:system:get mail_smtpmode").strip() == "null"
    assert scenario.occ(COPY, "config:system:get has_internet_connection").strip() == "false"
    assert network.udp(SOURCE, OUTSIDE, 53) == ""
    assert network.udp(COPY, OUTSIDE, 53) != ""
    assert network.tcp(COPY, OUTSIDE, 443) in {"EACCES", "EPERM", "EHOSTUNREACH"}
    # It is no prisoner of itself.
    assert network.tcp(COPY, network.own_address(COPY), 443) == ""


def test_7_everybody_sees_what_it_is(scenario: Scenario):
    noted = json.loads(scenario.occ(COPY, "config:app:get archipel copy_of"))
    assert noted["space"] == SOURCE
    answer = scenario.browser.request("GET", f"{COPY}.archipel.localhost", "/login")
    assert "noindex" in answer.headers["x-robots-tag"][0]


def test_8_a_copy_that_is_there_is_not_made_again(scenario: Scenario):
    assert f"{COPY} is there already" in scenario.refusal("clone.yml", *ONLY)
    said = scenario.refusal("clone.yml", "-e", f"only={COPY}", "-e", "into=velo-autre")
    assert f"only: {COPY} is a copy of {SOURCE} itself" in said


def test_9_it_goes_like_any_space_and_without_waiting(
    scenario: Scenario, node: Host, velo: Association, before: Before, network: Network
):
    scenario.converge("moderate.yml", *OF_COPY, "-e", "decision=close")
    scenario.converge("spaces.yml", *OF_COPY)
    scenario.converge("purge.yml", *OF_COPY, "-e", "purge_pause=0")
    assert not node.file(f"/srv/spaces/{COPY}").exists
    assert scenario.sql(f"SHOW DATABASES LIKE 'space_{COPY}'") == []
    assert before.same(scenario, velo)
    scenario.registry(COPY).unlink()
    # As the timer does some minutes later; its number is nobody else's ever.
    assert network.look() == ["firewall"]
    assert "@copies" not in node.check_output("nft list table inet archipel_spaces")
    assert scenario.converge("spaces.yml", "-e", f"only={SOURCE}") == []
