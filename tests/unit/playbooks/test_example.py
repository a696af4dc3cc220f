# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The environment that newcomers copy is right as it stands."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tools import ROOT, inventory

EXAMPLE = "inventories/production.example"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What check.yml says of it, and where it has put what nodes would hold."""
    folder = tmp_path_factory.mktemp("build")
    command = ["ansible-playbook", "-i", EXAMPLE, "playbooks/check.yml"]
    done = subprocess.run(
        [*command, "-e", f"archipel_build={folder}"],
        cwd=ROOT,
        env=inventory.settings(),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, folder


def test_it_has_three_nodes_with_all_they_are_for():
    listed = inventory.read(ROOT / EXAMPLE)
    assert listed.report["skipped"] == {}
    assert [len(listed.report[kind]) for kind in ("requested", "closed")] == [1, 0]
    assert len(listed.spaces) == 1


def test_it_passes_the_check(built: tuple[str, Path]):
    said, folder = built
    assert "failed=0" in said
    assert {"node1.spaces.example", "node2.spaces.example"} <= {
        path.name for path in folder.iterdir()
    }
