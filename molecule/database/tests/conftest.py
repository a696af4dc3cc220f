# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The machine with the spaces, the one with their databases, and what spaces reach."""

from __future__ import annotations

import pytest
import testinfra
from testinfra.host import Host

# Makes the collection importable.
import tests.conftest  # noqa: F401
from tests.support.fixtures import SCENARIO, browser, node, pytest_report_header, scenario
from tests.support.network import Network
from tests.support.sandbox import Programs
from tools import scenario as scenarios

__all__ = ["browser", "node", "pytest_report_header", "scenario"]


@pytest.fixture(scope="session")
def database() -> Host:
    """The machine with the databases, through testinfra."""
    machine = scenarios.further("database")["node2"]
    url = f"ssh://{machine.name}?controlpersist=60"
    return testinfra.get_host(url, ssh_config=str(machine.ssh_config))


@pytest.fixture(scope="session")
def network() -> Network:
    """What spaces reach."""
    return Network(Programs(SCENARIO.machine))
