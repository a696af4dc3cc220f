# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""For machines with a real Nextcloud: the stand-in counts no wrong passwords, and fails in less."""

from __future__ import annotations

import pytest

# Makes the collection importable.
import tests.conftest  # noqa: F401
from tests.support.cluster import SCENARIO, Cluster
from tests.support.moving import Account, ensure_account
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
    found = ("nadia", "longer-than-ten-1")
    ensure_account(scenario, SLUG, found)
    return found
