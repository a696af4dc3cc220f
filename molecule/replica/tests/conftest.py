# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The machine with the spaces, and the two that have their databases."""

from __future__ import annotations

import pytest
import testinfra
from testinfra.host import Host

# Makes the collection importable.
import tests.conftest  # noqa: F401
from tests.support.fixtures import browser, node, pytest_report_header, scenario
from tools import scenario as scenarios

__all__ = ["browser", "node", "pytest_report_header", "scenario"]


def host(name: str) -> Host:
    """Return a machine of the inventory, through testinfra."""
    machine = scenarios.further("replica")[name]
    url = f"ssh://{machine.name}?controlpersist=60"
    return testinfra.get_host(url, ssh_config=str(machine.ssh_config))


@pytest.fixture(scope="session")
def first() -> Host:
    """The machine that is the primary at first."""
    return host("node2")


@pytest.fixture(scope="session")
def second() -> Host:
    """The machine that follows it at first."""
    return host("node3")
