# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Environments to read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.environment import Environment


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """An environment with a policy, one machine and one association."""
    made = Environment(tmp_path / "inventories" / "lab")
    made.space("velo-ecole")
    return made
