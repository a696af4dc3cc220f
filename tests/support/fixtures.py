# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What the tests of every scenario with a Nextcloud begin with; their conftest.py imports it."""

from __future__ import annotations

import os

import pytest
from testinfra.host import Host

from tests.support.browser import Browser
from tests.support.scenario import Scenario
from tools import release
from tools import scenario as scenarios

# Run by hand: ARCHIPEL_SCENARIO=default pytest molecule/shared/tests/converged
SCENARIO = Scenario(os.environ.get("ARCHIPEL_SCENARIO", "default"))


def pytest_report_header() -> str:
    """Say which Nextcloud is under test, and keep it for the end of the run."""
    running = release.running(SCENARIO.machine)
    kept = scenarios.folder(SCENARIO.name) / "nextcloud"
    kept.write_text(f"{running}\n", encoding="utf-8")
    return f"scenario {SCENARIO.name}: {running}"


@pytest.fixture(scope="session")
def scenario() -> Scenario:
    """Everything about the scenario."""
    return SCENARIO


@pytest.fixture(scope="session")
def node() -> Host:
    """The machine, through testinfra."""
    return SCENARIO.node


@pytest.fixture(scope="session")
def browser() -> Browser:
    """A visitor."""
    return SCENARIO.browser
