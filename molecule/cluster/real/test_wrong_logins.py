# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Who guesses passwords is stopped, and nobody else: each client has an address of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from tests.support.cluster import ADDRESSES, Cluster, Reply
from tests.support.moving import Account, basic
from tests.support.scenario import Scenario

# One more than Nextcloud bears (auth.bruteforce.max-attempts): it refuses such a client for half an
# hour then. Of fewer it only counts, where somebody comes with a name and a password at once.
WRONG = 11
GUESSING, OTHER = "db1", "web2"
Occ = Callable[[str], str]


@pytest.fixture
def occ(scenario: Scenario, slug: str) -> Iterator[Occ]:
    """Run occ in the space; nothing is counted before and afterwards."""

    def run(arguments: str) -> str:
        return scenario.occ(slug, arguments, node=scenario.spaces[slug]["web"])

    def forget() -> None:
        for client in (GUESSING, OTHER):
            run(f"security:bruteforce:reset {ADDRESSES[client]}")

    forget()
    yield run
    forget()


def attempts(occ: Occ, client: str) -> int:
    said = occ(f"security:bruteforce:attempts --output=json {ADDRESSES[client]}")
    return int(json.loads(said)["attempts"])


def login(cluster: Cluster, client: str, slug: str, account: Account, **headers: str) -> Reply:
    """Ask for a folder as somebody, through the edge."""
    given = {**basic(account), "Depth": "0", **headers}
    path = f"/remote.php/dav/files/{account[0]}/"
    return cluster.space(client, slug, path, method="PROPFIND", headers=given, timeout=90)


def test_wrong_passwords_of_one_client_do_not_stop_another(
    cluster: Cluster, slug: str, account: Account, occ: Occ, capsys: pytest.CaptureFixture[str]
):
    before = login(cluster, OTHER, slug, account)
    assert before.status == 207, before
    # It blames the other client, in vain.
    blamed = {"X-Forwarded-For": ADDRESSES[OTHER], "X-Real-IP": ADDRESSES[OTHER]}
    wrong = (account[0], "wrong-on-purpose")
    for _ in range(WRONG):
        assert login(cluster, GUESSING, slug, wrong, **blamed).status in {401, 429}
    assert attempts(occ, GUESSING) >= WRONG
    assert attempts(occ, OTHER) == 0
    # With the right one as well.
    stopped = login(cluster, GUESSING, slug, account)
    other = login(cluster, OTHER, slug, account)
    with capsys.disabled():
        rows = {"who guessed": stopped, "another": other, "another before": before}
        said = [f"{who}: {one.status} in {one.seconds:.1f} s" for who, one in rows.items()]
        print(f"\nafter {WRONG} wrong passwords; {'; '.join(said)}")
    assert stopped.status == 429
    assert (other.status, other.seconds < 5) == (207, True), other
