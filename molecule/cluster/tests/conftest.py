# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The machines, and the registry that tests change."""

from __future__ import annotations

import pytest

# Makes the collection importable.
import tests.conftest  # noqa: F401
from tests.support.cluster import SCENARIO as NAME
from tests.support.cluster import Cluster
from tests.support.registry import Registry
from tests.support.scenario import Scenario
from tools import release
from tools import scenario as scenarios

SCENARIO = Scenario(NAME)
CLUSTER = Cluster()


def pytest_report_header() -> str:
    """Say which Nextcloud is under test: the edge has none."""
    running = release.running(CLUSTER.machines["web1"])
    (scenarios.folder(NAME) / "nextcloud").write_text(f"{running}\n", encoding="utf-8")
    return f"scenario {NAME}: {running}"


@pytest.fixture(scope="session")
def scenario() -> Scenario:
    """Everything about the scenario."""
    return SCENARIO


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The machines."""
    return CLUSTER


@pytest.fixture(scope="session")
def registry() -> Registry:
    """The files of the spaces."""
    return Registry(SCENARIO)
