# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""For machines with a real Nextcloud: the stand-in counts no wrong passwords, and fails in less."""

from __future__ import annotations

import json

import pytest

# Makes the collection importable.
import tests.conftest  # noqa: F401
from tests.support.cluster import SCENARIO, Cluster
from tests.support.moving import Account
from tests.support.scenario import Scenario

SLUG = "velo-ecole"


@pytest.fixture(scope="session")
def scenario() -> Scenario:
    """Everything about the scenario."""
    return Scenario(SCENARIO)


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The machines."""
    return Cluster()


@pytest.fixture(scope="session")
def slug() -> str:
    """Return the space that is tried."""
    return SLUG


@pytest.fixture(scope="session")
def account(scenario: Scenario) -> Account:
    """Somebody who works in that space."""
    name, password = "nadia", "longer-than-ten-1"
    node = scenario.spaces[SLUG]["web"]
    if name not in json.loads(scenario.occ(SLUG, "user:list --output=json", node=node)):
        adding = f"user:add --password-from-env {name}"
        scenario.occ(SLUG, adding, node=node, OC_PASS=password)
    return name, password
