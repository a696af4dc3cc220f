# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The two nodes, the authority, and the registry that tests change."""

from __future__ import annotations

import pytest
import testinfra

# Makes the collection importable.
import tests.conftest  # noqa: F401
from tests.support import acme
from tests.support.fixtures import SCENARIO, pytest_report_header, scenario
from tests.support.registry import Registry
from tests.support.sandbox import Programs
from tools import scenario as scenarios

__all__ = ["pytest_report_header", "scenario"]


@pytest.fixture(scope="session")
def authority() -> acme.Authority:
    """Who signs, and the DNS."""
    return acme.Authority()


@pytest.fixture(scope="session")
def first() -> acme.Certificates:
    """The node that orders the wildcard."""
    return acme.Certificates(SCENARIO.node, acme.FIRST)


@pytest.fixture(scope="session")
def second() -> acme.Certificates:
    """The node that fetches it."""
    machine = scenarios.further("acme")["node2"]
    url = f"ssh://{machine.name}?controlpersist=60"
    host = testinfra.get_host(url, ssh_config=str(machine.ssh_config))
    return acme.Certificates(host, acme.SECOND)


@pytest.fixture(scope="session")
def programs() -> Programs:
    """Small programs on the first node."""
    return Programs(SCENARIO.machine)


@pytest.fixture(scope="session")
def registry() -> Registry:
    """The files of the spaces."""
    return Registry(SCENARIO)
