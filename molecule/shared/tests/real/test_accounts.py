# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The last account but one, the last one, and the one after it.

Run like the other file here, on a scenario with a real release.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.browser import Answer
from tests.support.layout import Layout
from tests.support.scenario import Scenario

SLUG = "amap-du-val"
ADMIN = "administration"


@dataclass(frozen=True)
class Space:
    """The space, and its administrator at work."""

    scenario: Scenario
    password: str

    def used(self) -> tuple[int, int]:
        """Return how many accounts there are, and how many there may be."""
        accounts = json.loads(self.scenario.occ(SLUG, "archipel:status"))["accounts"]
        return accounts["used"], accounts["limit"]

    def occ(self, arguments: str) -> dict[str, Any]:
        """Run occ, which may fail."""
        environment = {"OC_PASS": secrets.token_urlsafe(24)}
        return self.scenario.module(
            "archipel.spaces.occ", space=SLUG, args=arguments, environment=environment
        )

    def ocs(self, method: str, path: str, **form: str) -> Answer:
        """Ask as the web page of accounts does."""
        body = "&".join(f"{name}={value}" for name, value in form.items()).encode()
        return self.scenario.browser.request(
            method,
            self.scenario.spaces[SLUG]["domains"][0],
            f"/ocs/v2.php/cloud/{path}?format=json",
            account=(ADMIN, self.password),
            body=body,
            headers={
                "OCS-APIRequest": "true",
                "Content-Type": "application/x-www-form-urlencoded",
            },
        )

    def add(self, name: str) -> Answer:
        """Let the administrator make a member."""
        form = {"userid": name, "password": secrets.token_urlsafe(24), "groups[]": "members"}
        return self.ocs("POST", "users", **form)


@pytest.fixture(scope="module")
def space(scenario: Scenario) -> Iterator[Space]:
    """The space with two seats left; the accounts that fill it never log in."""
    password = secrets.token_urlsafe(24)
    scenario.occ(SLUG, f"user:resetpassword --password-from-env {ADMIN}", OC_PASS=password)
    # The password itself: Nextcloud wants it confirmed for what changes accounts.
    found = Space(scenario, password)
    used, limit = found.used()
    table = f"`{Layout(SLUG).database}`.oc_users"
    rows = ", ".join(f"('plein-{n}', 'plein-{n}', 'x')" for n in range(limit - 2 - used))
    scenario.sql(f"INSERT INTO {table} (uid, uid_lower, password) VALUES {rows}")
    yield found
    for name in ("avant-dernier", "dernier", "de-trop"):
        found.occ(f"user:delete {name}")
    scenario.sql(f"DELETE FROM {table} WHERE uid LIKE 'plein-%'")


def test_the_last_seats_are_given_and_no_further_one(space: Space):
    limit = space.used()[1]
    assert space.used() == (limit - 2, limit)
    assert not space.occ("user:add --password-from-env avant-dernier").get("failed")
    assert space.add("dernier").status == 200
    assert space.used() == (limit, limit)
    refused = space.add("de-trop")
    assert refused.status == 400, refused.text
    said = space.occ("user:add --password-from-env de-trop")
    assert said["failed"]
    assert "limit" in said["stdout"] + said["stderr"]
    assert space.used() == (limit, limit)


def test_a_seat_that_was_left_cannot_be_taken_twice(space: Space):
    """Nextcloud itself does not look when a disabled account is enabled again."""
    limit = space.used()[1]
    assert space.ocs("PUT", "users/dernier/disable").status == 200
    assert space.add("de-trop").status == 200
    space.ocs("PUT", "users/dernier/enable")
    assert space.used() == (limit, limit)
