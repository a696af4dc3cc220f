# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The machine that is lost, the one that its spaces come to, and the edge in front of both."""

from __future__ import annotations

import pytest
import testinfra
from testinfra.host import Host

# Makes the collection importable.
import tests.conftest  # noqa: F401
from tests.support.cluster import Cluster
from tests.support.fixtures import pytest_report_header, scenario
from tools import scenario as scenarios

__all__ = ["pytest_report_header", "scenario"]

EDGE = "10.89.83.10"


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """All machines; who asks for pages does it through the edge."""
    return Cluster("recover", first="node1", edge=EDGE)


@pytest.fixture(scope="session")
def second() -> Host:
    """The machine that stays, through testinfra."""
    machine = scenarios.further("recover")["node2"]
    url = f"ssh://{machine.name}?controlpersist=60"
    return testinfra.get_host(url, ssh_config=str(machine.ssh_config))
