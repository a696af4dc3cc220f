# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Who guesses passwords is slowed, and nobody else, since each client is known by its own address.

Not part of a scenario, whose Nextcloud may be the stand-in, which counts nothing.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest

# Makes the collection importable.
import tests.conftest  # noqa: F401
from tests.support.cluster import ADDRESSES, SCENARIO, Cluster, Reply
from tests.support.scenario import Scenario

SLUG = "velo-ecole"
ACCOUNT = ("nadia", "longer-than-ten-1")
WRONG = 10
GUESSING, OTHER = "db1", "web2"


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """Everything about the scenario."""
    return Scenario(SCENARIO)


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    """The machines."""
    return Cluster()


@pytest.fixture(autouse=True)
def forgotten(scenario: Scenario) -> Iterator[None]:
    """Nothing is counted before and afterwards."""
    forget(scenario)
    yield
    forget(scenario)


def forget(scenario: Scenario) -> None:
    for client in (GUESSING, OTHER):
        occ(scenario, f"security:bruteforce:reset {ADDRESSES[client]}")


def occ(scenario: Scenario, arguments: str, **environment: str) -> str:
    return scenario.occ(SLUG, arguments, node=scenario.spaces[SLUG]["web"], **environment)


def attempts(scenario: Scenario, client: str) -> int:
    said = occ(scenario, f"security:bruteforce:attempts --output=json {ADDRESSES[client]}")
    return int(json.loads(said)["attempts"])


def login(cluster: Cluster, client: str, password: str, **headers: str) -> Reply:
    """Ask for a folder as somebody, through the edge."""
    token = base64.b64encode(f"{ACCOUNT[0]}:{password}".encode()).decode()
    given = {"Authorization": f"Basic {token}", "Depth": "0", **headers}
    path = f"/remote.php/dav/files/{ACCOUNT[0]}/"
    return cluster.space(client, SLUG, path, method="PROPFIND", headers=given, timeout=90)


def test_wrong_passwords_of_one_client_do_not_slow_another(
    scenario: Scenario, cluster: Cluster, capsys: pytest.CaptureFixture[str]
):
    known = json.loads(occ(scenario, "user:list --output=json"))
    if ACCOUNT[0] not in known:
        occ(scenario, f"user:add --password-from-env {ACCOUNT[0]}", OC_PASS=ACCOUNT[1])
    before = login(cluster, OTHER, ACCOUNT[1])
    assert before.status == 207, before
    # It blames the other client, in vain.
    blamed = {"X-Forwarded-For": ADDRESSES[OTHER], "X-Real-IP": ADDRESSES[OTHER]}
    for _ in range(WRONG):
        assert login(cluster, GUESSING, "wrong-on-purpose", **blamed).status in {401, 429}
    assert attempts(scenario, GUESSING) >= WRONG
    assert attempts(scenario, OTHER) == 0
    slowed = login(cluster, GUESSING, ACCOUNT[1])
    other = login(cluster, OTHER, ACCOUNT[1])
    with capsys.disabled():
        rows = {"who guessed": slowed, "another": other, "another before": before}
        said = [f"{who}: {one.status} in {one.seconds:.1f} s" for who, one in rows.items()]
        print(f"\nafter {WRONG} wrong passwords; {'; '.join(said)}")
    assert slowed.status == 429 or slowed.seconds > 5
    assert (other.status, other.seconds < 5) == (207, True), other
