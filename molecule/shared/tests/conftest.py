# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Fixtures of the scenarios, and one test per space where a test asks for a slug."""

from __future__ import annotations

import pytest

# Makes the collection importable.
import tests.conftest  # noqa: F401
from tests.support.fixtures import SCENARIO, browser, node, pytest_report_header, scenario
from tests.support.scenario import Space

__all__ = ["browser", "node", "pytest_generate_tests", "pytest_report_header", "scenario"]
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
        files = SCENARIO.registry_folder.glob("spaces/*.yml")
        metafunc.parametrize("absent_slug", sorted({f.stem for f in files} - set(SCENARIO.spaces)))


@pytest.fixture(scope="session")
def spaces() -> dict[str, Space]:
    """The spaces as the inventory had them when the tests began."""
    return SCENARIO.spaces
