# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The wildcard goes from node to node: by whom, and what a reboot in the middle leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support.acme import ANY, SIX_DAYS, Authority, Certificates
from tests.support.scenario import Scenario
from tools import scenario as scenarios

KEYS = "/etc/archipel/handover/.ssh/authorized_keys"
ASK = (
    "ssh -F none -T -i %s -o BatchMode=yes -o StrictHostKeyChecking=yes -o HostKeyAlias=node1"
    " -o UserKnownHostsFile=/etc/archipel/handover/known_hosts archipel-certificates@10.89.78.11"
)
KEY = "/etc/archipel/handover/key"


def test_whoever_may_fetch_does_nothing_else(second: Certificates):
    said = second.host.check_output(f"{ASK} cat /etc/shadow", KEY)
    given = json.loads(said)["certificates"]
    assert list(given) == ["wildcard"]
    # Neither a terminal nor a way through.
    through = ASK.replace("-T", "-T -W 127.0.0.1:22")
    forwarded = second.host.run(f"timeout 20 {through} </dev/null || exit 3", KEY)
    assert forwarded.rc == 3
    assert "administratively prohibited" in forwarded.stderr
    file = second.host.file(KEY)
    assert (file.user, file.mode) == ("root", 0o600)


def test_a_stranger_is_given_nothing(second: Certificates):
    second.host.check_output("rm -f /root/other /root/other.pub")
    second.host.check_output("ssh-keygen -q -t ed25519 -N '' -f /root/other")
    said = second.host.run(f"{ASK} wildcard || exit 3", "/root/other")
    assert said.rc == 3
    assert "Permission denied" in said.stderr
    assert said.stdout == ""


@pytest.fixture
def slow(first: Certificates) -> Iterator[None]:
    """The node that orders takes its time to hand over."""
    first.host.check_output("cp %s %s.before", KEYS, KEYS)
    first.host.check_output("sed -i 's|command=\"|command=\"sleep 600; |' %s", KEYS)
    yield
    first.host.check_output("mv %s.before %s", KEYS, KEYS)


def test_a_reboot_in_the_middle_of_a_handover(
    authority: Authority, first: Certificates, second: Certificates, slow: None
):
    """The node comes up with what it had, and says who has not answered."""
    before = authority.shown(ANY, second.address)
    first.let_end("wildcard")
    assert first.run() == "success"
    second.settle()
    second.begin("ssh")
    second.reboot(scenarios.further("acme")["node2"])
    assert authority.shown(ANY, second.address) == before
    assert before["serial"]


def test_the_next_pass_has_it(authority: Authority, first: Certificates, second: Certificates):
    second.settle()
    assert second.run() == "success"
    assert authority.shown(ANY, second.address) == authority.shown(ANY, first.address)


def test_a_reboot_in_the_middle_of_an_order(
    authority: Authority, first: Certificates, second: Certificates, scenario: Scenario
):
    authority.start(valid=SIX_DAYS, sleep=True)
    before = serial(first)
    first.let_end("wildcard")
    first.begin("lego")
    first.reboot(scenario.machine)
    assert serial(first) == before
    authority.start(valid=SIX_DAYS)
    first.settle()
    assert first.run() == "success"
    assert serial(first) != before
    assert first.host.run("ls -d %s/order-*", first.STORE).rc != 0
    assert second.run() == "success"
    assert authority.shown(ANY, second.address) == authority.shown(ANY, first.address)


def serial(node: Certificates) -> str:
    return node.host.check_output(
        "openssl x509 -noout -serial -in /etc/archipel/tls/wildcard/fullchain.pem"
    )


def test_a_node_that_does_not_answer_is_named(first: Certificates, second: Certificates):
    first.host.check_output("mv %s %s.away", KEYS, KEYS)
    try:
        # Nothing ends soon: that is no failure yet.
        assert second.run() == "success"
        assert "node1 (10.89.78.11, port 22)" in second.problem("wildcard")
        assert "Permission denied" in second.problem("wildcard")
        second.let_end("wildcard", seconds=3600)
        assert second.run() == "exit-code"
    finally:
        first.host.check_output("mv %s.away %s", KEYS, KEYS)
    first.let_end("wildcard")
    assert first.run() == "success"
    assert second.run() == "success"
    assert second.problem("wildcard") == ""


def test_a_run_after_all_this_changes_nothing(scenario: Scenario):
    assert scenario.converge("platform.yml", "--tags", "certificates,nginx") == []
    assert scenario.converge("spaces.yml") == []
