# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What testssl.sh says of spaces and office servers, as a stranger's scan would."""

from __future__ import annotations

import json

import pytest
from testinfra.host import Host

from tests.support.scenario import Scenario

# From the worst; what is here is a fault.
SEVERE = ("CRITICAL", "HIGH", "MEDIUM")
# Our own authority publishes no list of what it took back; who trusts it knows all of it.
OWN_AUTHORITY = {"cert_revocation"}
AUTHORITY = "/etc/archipel/tls/wildcard/chain.pem"
MINUTES = 10


@pytest.fixture(scope="module")
def scanner(node: Host) -> str:
    """Debian's testssl.sh, on the machine: it is what the machine's own OpenSSL can ask for."""
    node.check_output("apt-get install --yes --quiet --no-install-recommends testssl.sh")
    return "testssl"


def scan(node: Host, scanner: str, host: str, folder: str) -> list[dict[str, str]]:
    """Return what was found at a host of this machine."""
    report = f"{folder}/{host}.json"
    node.run(
        f"timeout {MINUTES}m {scanner} --quiet --warnings batch --color 0 --ip 127.0.0.1 "
        f"--add-ca {AUTHORITY} --jsonfile {report} https://{host}:443"
    )
    found: list[dict[str, str]] = json.loads(node.file(report).content_string)
    return found


def test_nothing_is_worse_than_low(scenario: Scenario, node: Host, scanner: str):
    folder = node.check_output("mktemp --directory")
    space = scenario.spaces[min(scenario.in_status("approved"))]
    servers = [server["host"] for server in space["office_servers"].values()]
    assert servers
    for host in (space["domains"][0], *servers):
        found = scan(node, scanner, host, folder)
        # It has looked: versions that are there, and those that are not.
        said = {one["id"]: one["severity"] for one in found}
        assert {said["TLS1_2"], said["TLS1_3"], said["TLS1"], said["SSLv3"]} <= {"OK", "INFO"}
        severe = [one for one in found if one["severity"] in SEVERE]
        assert [one for one in severe if one["id"] not in OWN_AUTHORITY] == []
