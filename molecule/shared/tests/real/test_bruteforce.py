# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Wrong passwords are counted, also over the idle stop of the space, which Redis does not survive.

Not part of a scenario, whose Nextcloud may be the stand-in, which counts nothing.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest
from testinfra.host import Host

from tests.support.browser import Browser
from tests.support.layout import Units
from tests.support.scenario import Scenario

SLUG = "velo-ecole"
WRONG = 9
DAV = "/remote.php/dav/files/nobody/"


@pytest.fixture
def address(scenario: Scenario, node: Host, browser: Browser) -> Iterator[str]:
    """Return where the machine sees our requests come from; nothing is counted of it afterwards."""
    host = scenario.spaces[SLUG]["domains"][0]
    assert browser.get(host, "/status.php").status == 200
    seen = node.check_output("tail -1 /var/log/nginx/access.log").split()[0]
    scenario.occ(SLUG, f"security:bruteforce:reset {seen}")
    yield seen
    scenario.occ(SLUG, f"security:bruteforce:reset {seen}")


def attempts(scenario: Scenario, address: str) -> int:
    said = scenario.occ(SLUG, f"security:bruteforce:attempts --output=json {address}")
    return int(json.loads(said)["attempts"])


def test_wrong_passwords_are_remembered_over_an_idle_stop(
    scenario: Scenario, node: Host, browser: Browser, address: str
):
    host = scenario.spaces[SLUG]["domains"][0]
    secret = base64.b64encode(b"nobody:wrong").decode()
    for _ in range(WRONG):
        answer = browser.request(
            "PROPFIND", host, DAV, headers={"Authorization": f"Basic {secret}"}
        )
        assert answer.status in {401, 429}
    assert attempts(scenario, address) == WRONG
    node.check_output(f"systemctl stop {Units(SLUG).php}")
    gone = f"systemctl --quiet is-active {Units(SLUG).redis}"
    node.check_output(f"timeout 20 sh -c 'while {gone}; do sleep 0.2; done'")
    assert attempts(scenario, address) == WRONG
