# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Fixtures of the scenarios, and one test per space where a test asks for a slug."""

from __future__ import annotations

import os

import pytest
from testinfra.host import Host

from tests.support.browser import Browser
from tests.support.scenario import Scenario, Space
from tools import release
from tools import scenario as scenarios

# Run by hand: ARCHIPEL_SCENARIO=default pytest molecule/shared/tests/converged
SCENARIO = Scenario(os.environ.get("ARCHIPEL_SCENARIO", "default"))
# Fixture → the status whose spaces it goes through.
PER_STATUS = {
    "approved_slug": "approved",
    "suspended_slug": "suspended",
    "closed_slug": "closed",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Turn one test into one per space: a failure then names the space."""
    for fixture, status in PER_STATUS.items():
        if fixture in metafunc.fixturenames:
            metafunc.parametrize(fixture, sorted(SCENARIO.in_status(status)))
    if "absent_slug" in metafunc.fixturenames:
        files = SCENARIO.environment.glob("spaces/*.yml")
        metafunc.parametrize("absent_slug", sorted({f.stem for f in files} - set(SCENARIO.spaces)))


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


@pytest.fixture(scope="session")
def spaces() -> dict[str, Space]:
    """The spaces as the inventory had them when the tests began."""
    return SCENARIO.spaces
