# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Thirteen spaces with files in them."""

from __future__ import annotations

import pytest

from tests.support.fixtures import SCENARIO, browser, node, pytest_report_header, scenario
from tests.support.fleet import Fleet

__all__ = ["browser", "node", "pytest_report_header", "scenario"]


@pytest.fixture(scope="session")
def fleet() -> Fleet:
    """The spaces, with people and files in them."""
    found = Fleet(SCENARIO)
    found.fill()
    return found


@pytest.fixture(scope="session")
def belongings(fleet: Fleet) -> dict[str, str]:
    """What must be there for ever."""
    return fleet.belongings()
