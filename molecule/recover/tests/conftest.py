# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The machine that is lost, and the one that its spaces come to."""

from __future__ import annotations

import pytest
import testinfra
from testinfra.host import Host

# Makes the collection importable.
import tests.conftest  # noqa: F401
from tests.support.fixtures import pytest_report_header, scenario
from tools import scenario as scenarios

__all__ = ["pytest_report_header", "scenario"]


@pytest.fixture(scope="session")
def second() -> Host:
    """The machine that stays, through testinfra."""
    machine = scenarios.further("recover")["node2"]
    url = f"ssh://{machine.name}?controlpersist=60"
    return testinfra.get_host(url, ssh_config=str(machine.ssh_config))
