# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The scenario's machine, asked from within: its names lead to an address of its own."""

from __future__ import annotations

import pytest

from tests.support.fixtures import SCENARIO, node, pytest_report_header, scenario
from tests.support.suites import Inside

__all__ = ["node", "pytest_report_header", "scenario"]


@pytest.fixture(scope="session")
def inside() -> Inside:
    """Requests of the machine, as browsers, spaces and office servers make them."""
    return Inside(SCENARIO)
