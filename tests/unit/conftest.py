# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Make the collection importable, and environments to read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Before anything of Ansible is imported: it reads its settings once.
os.environ["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")

from ansible.plugins.loader import init_plugin_loader  # noqa: E402

init_plugin_loader([str(ROOT / "collections")])

from tests.unit.environment import Environment  # noqa: E402


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """An environment with a policy, one machine and one association."""
    made = Environment(tmp_path / "inventories" / "lab")
    made.space("velo-ecole")
    return made
