# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""First issue: the wildcard by DNS, own domains by the plain port, and one bad domain among ten."""

from __future__ import annotations

import json

import pytest

from tests.support.acme import ANY, AWAY, BASE, Authority, Certificates
from tests.support.registry import Registry
from tests.support.scenario import Scenario
from tools.lab.host import until

OWN = "cloud.velo-ecole.example"
TEN = [f"d{number}.velo-ecole.example" for number in range(10)]
BAD = "d3.velo-ecole.example"


def test_one_wildcard_is_on_both_nodes(
    authority: Authority, first: Certificates, second: Certificates
):
    shown = [authority.shown(ANY, node.address) for node in (first, second)]
    assert shown[0]["names"] == {BASE, f"*.{BASE}"}
    assert shown[0]["trusted"]
    assert shown[1] == shown[0]
    assert first.metrics()['archipel_certificate_problem{name="wildcard"}'] == 0


def test_the_secret_of_the_dns_is_on_one(
    scenario: Scenario, first: Certificates, second: Certificates
):
    path = scenario.environment / "group_vars/all/zzz-secret.yml"
    secret = json.loads(path.read_text())["certificates_acme_dns_environment"][
        "RFC2136_TSIG_SECRET"
    ]
    looked = "grep -rlF -e %s /etc /var/lib/archipel /usr/local /root"
    assert first.host.run(looked, secret).stdout.split() == ["/etc/archipel/certificates.env"]
    assert second.host.run(looked, secret).stdout == ""
    file = first.host.file("/etc/archipel/certificates.env")
    assert (file.user, file.mode) == ("root", 0o600)


def test_a_domain_that_leads_nowhere_yet(
    authority: Authority, first: Certificates, scenario: Scenario
):
    """Its association is told what to do, and visitors see the wildcard; nothing has failed."""
    first.settle()
    assert first.run() == "success"
    assert first.problem(OWN).startswith(f"{OWN} has no address in the DNS. Its owner lets it")
    assert authority.shown(OWN, first.address)["names"] == {BASE, f"*.{BASE}"}
    assert not authority.shown(OWN, first.address)["trusted"]
    said = scenario.attempt("status.yml")
    assert f"certificate: {OWN} has no address in the DNS" in json.dumps(said)


def test_a_name_that_nobody_has_is_refused_in_the_handshake(
    authority: Authority, first: Certificates
):
    assert authority.shown("stranger.example", first.address)["serial"] == ""


def test_it_has_one_once_it_leads_here(authority: Authority, first: Certificates):
    authority.lead(OWN, first.address)
    first.forget()
    before = first.reloads()
    assert first.run() == "success"
    shown = authority.shown(OWN, first.address)
    assert (shown["names"], shown["trusted"]) == ({OWN}, True)
    assert authority.shown(OWN.upper(), first.address)["serial"] == shown["serial"]
    assert first.reloads() == before + 1
    # A pass that changed nothing reloads nothing.
    assert first.run() == "success"
    assert first.reloads() == before + 1
    # The sandbox of the unit is the one that this was done in.
    assert first.host.check_output(
        "systemctl show -P ProtectSystem archipel-certificates.service"
    ) == ("strict")


def test_one_bad_domain_among_ten(authority: Authority, first: Certificates, registry: Registry):
    for name in TEN:
        authority.lead(name, AWAY if name == BAD else first.address)
    registry.give("velo-ecole", OWN, *TEN)
    assert registry.converge() != []
    # Nobody begins it but the unit that watches nginx's names.
    until(300, "a pass to know the new names", lambda: set(TEN) <= set(first.report()))
    first.settle()
    found = {name: authority.shown(name, first.address) for name in TEN}
    assert {name for name, shown in found.items() if shown["trusted"]} == {*TEN} - {BAD}
    assert found[BAD]["names"] == {BASE, f"*.{BASE}"}
    assert f"{BAD} does not lead to this platform: {AWAY} does not answer" in first.problem(BAD)
    assert first.metrics()[f'archipel_certificate_problem{{name="{BAD}"}}'] == 1
    # All of this with an authority that refused nonces.
    assert int(authority.run("journalctl -u pebble | grep -ci 'nonce' || :")) > 0
    assert registry.converge() == []


@pytest.mark.parametrize("tags", ["certificates", "nginx"])
def test_a_further_run_changes_nothing(scenario: Scenario, tags: str):
    assert scenario.converge("platform.yml", "--tags", tags) == []
