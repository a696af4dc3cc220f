# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Two nodes with what is to be found there, and a space on each that looks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.attacked import Attacked
from tests.support.fixtures import node, pytest_report_header, scenario

__all__ = ["node", "pytest_report_header", "scenario"]


@pytest.fixture(scope="module")
def attacked() -> Iterator[Attacked]:
    """Both nodes, set up."""
    with Attacked().ready() as ready:
        yield ready
