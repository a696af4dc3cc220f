# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The scenario's machine, and an association with people and files in it."""

from __future__ import annotations

import pytest

from tests.support.association import Association, member
from tests.support.fixtures import SCENARIO, browser, node, pytest_report_header, scenario

__all__ = ["browser", "node", "pytest_report_header", "scenario"]


@pytest.fixture(scope="session")
def velo() -> Association:
    """A living space with files in it."""
    found = member(SCENARIO, "velo-ecole")
    found.upload()
    return found
