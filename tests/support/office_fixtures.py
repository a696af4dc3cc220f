# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What the tests of Document Servers begin with; their conftest.py imports it."""

from __future__ import annotations

import os

import pytest

from tests.support import documentserver
from tests.support.office import Office
from tests.support.scenario import Scenario
from tools import scenario as scenarios

SCENARIO = Scenario(os.environ.get("ARCHIPEL_SCENARIO", "onlyoffice"))


def pytest_report_header() -> str:
    """Say which Document Server is under test, and keep it for the end of the run."""
    running = f"none; {documentserver.running(SCENARIO.name)}"
    kept = scenarios.folder(SCENARIO.name) / "nextcloud"
    kept.write_text(f"{running}\n", encoding="utf-8")
    return f"scenario {SCENARIO.name}: {running}"


@pytest.fixture(scope="session")
def scenario() -> Scenario:
    """Everything about the scenario."""
    return SCENARIO


@pytest.fixture(scope="session")
def office() -> Office:
    """The Document Servers of the machine."""
    return Office(SCENARIO)
