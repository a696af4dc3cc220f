# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A release that a machine's PHP cannot run is refused before anything is fetched for it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.policy.tree import ROOT


def preflight(folder: Path, php: str, releases: dict[str, Any]) -> tuple[int, str]:
    """Run the role's preflight here, as on a machine with that PHP."""
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {
            "nextcloud_php_version": php,
            "nextcloud_releases": releases,
            # It learns what this machine is, by the Python that is here.
            "ansible_python_interpreter": sys.executable,
        },
        "tasks": [
            {"ansible.builtin.include_tasks": str(ROOT / "roles/nextcloud/tasks/preflight.yml")}
        ],
    }
    path = folder / "play.yml"
    path.write_text(json.dumps([play]))
    done = subprocess.run(
        ["ansible-playbook", "-i", "localhost,", str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, " ".join(done.stdout.split())


@pytest.fixture(scope="module")
def catalogue() -> dict[str, Any]:
    text = (ROOT / "group_vars/all/releases.yml").read_text(encoding="utf-8")
    releases: dict[str, Any] = yaml.safe_load(text)["archipel_releases"]
    return releases


def test_debian_12_is_told_that_it_cannot_run_35_and_what_to_do(
    tmp_path: Path, catalogue: dict[str, Any]
):
    code, said = preflight(tmp_path, "8.2", {"35.0.1": catalogue["35.0.1"]})
    assert code == 2
    assert "(Nextcloud 35.0.1) runs on PHP 8.3 to 8.5, and this node has PHP 8.2" in said
    assert "archipel_ring_releases" in said
    assert "another Debian" in said


@pytest.mark.parametrize(("php", "without"), [("8.2", {"35.0.1"}), ("8.4", set())])
def test_what_a_debian_runs_is_accepted(
    tmp_path: Path, catalogue: dict[str, Any], php: str, without: set[str]
):
    releases = {name: entry for name, entry in catalogue.items() if name not in without}
    code, said = preflight(tmp_path, php, releases)
    assert code == 0, said
