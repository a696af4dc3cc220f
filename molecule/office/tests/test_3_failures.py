# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What goes wrong is named, and the spaces are converged all the same."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support import suites
from tests.support.scenario import Scenario

# Nobody answers at this address.
AWAY = """
office:
  hosts:
    office9:
      ansible_host: 192.0.2.9
      ansible_port: 22
      ansible_connection: ssh
      ansible_ssh_common_args: -o ConnectTimeout=3
      archipel_addresses: [192.0.2.9]
      archipel_office_shards: [{name: collabora9, suite: collabora}]
"""


@pytest.fixture
def away(scenario: Scenario) -> Iterator[None]:
    """One more office machine in the inventory, which does not answer."""
    path = scenario.environment / "office9.yml"
    path.write_text(f"---{AWAY}", encoding="utf-8")
    yield
    path.unlink()


def test_an_office_machine_that_does_not_answer(scenario: Scenario, away: None):
    path = scenario.registry("velo-ecole")
    path.write_text(path.read_text().replace("en selle", "en route"))
    said = scenario.refusal("spaces.yml")
    assert "office9: its office servers (collabora9) were not converged" in said
    assert "everything else was. The node does not answer." in said
    # The spaces were converged all the same.
    assert "en route" in scenario.occ("velo-ecole", "config:list theming --output=json")


def test_an_office_server_that_cannot_be_told(scenario: Scenario):
    """The machine answers, and its role fails: no other space waits for that either."""
    place = "/etc/archipel/onlyoffice/onlyoffice1/tenants/gone.example"
    scenario.node.check_output(f"mkdir {place} && touch {place}/mine")
    path = scenario.registry("velo-ecole")
    path.write_text(path.read_text().replace("en route", "en ville"))
    said = scenario.refusal("spaces.yml")
    scenario.node.check_output(f"rm -r {place}")
    assert "were not converged; everything else was. spaces | Give each its secret" in said
    assert f"{place} holds mine: move it, then run again" in said
    assert "en ville" in scenario.occ("velo-ecole", "config:list theming --output=json")
    assert scenario.converge("spaces.yml") == []


def test_another_key_is_refused_before_anything_is_trusted(scenario: Scenario):
    wrong = suites.BUILD / "wrong.asc"
    wrong.write_text(suites.signer("wrong").public(), encoding="utf-8")
    keyring = "/etc/apt/keyrings/archipel-collabora.gpg"
    before = scenario.node.file(keyring).sha256sum
    options = ["--tags", "office", "-e", json.dumps({"collabora_repository_key": str(wrong)})]
    said = scenario.refusal("platform.yml", *options)
    assert "Nothing was trusted or installed" in said
    assert suites.signer("wrong").fingerprint() in said
    assert scenario.node.file(keyring).sha256sum == before


def test_a_repository_that_cannot_be_used_stands_in_nobodys_way(scenario: Scenario):
    source = "/etc/apt/sources.list.d/archipel-collabora.sources"
    nowhere = {"collabora_repository_url": "http://127.0.0.1:9/"}
    said = scenario.refusal("platform.yml", "--tags", "office", "-e", json.dumps(nowhere))
    assert "apt cannot use the repository of Collabora Online, http://127.0.0.1:9/" in said
    assert not scenario.node.file(source).exists
    scenario.converge("platform.yml", "--tags", "office")
    assert scenario.node.file(source).exists
