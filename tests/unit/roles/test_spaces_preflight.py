# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What the role spaces refuses before it touches a node."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.policy.tree import ROOT, load


def preflight(folder: Path, **given: object) -> tuple[int, str]:
    """Run the role's preflight here, with its defaults and what is given."""
    defaults = load(ROOT / "roles/spaces/defaults/main.yml")
    variables = {"spaces_master_key": "k" * 48, "spaces_server_names": ["a.example"], **given}
    tasks = str(ROOT / "roles/spaces/tasks/preflight.yml")
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {**defaults, **variables},
        "tasks": [{"ansible.builtin.include_tasks": tasks}],
    }
    path = folder / "play.yml"
    path.write_text(json.dumps([play]), encoding="utf-8")
    done = subprocess.run(
        ["ansible-playbook", "-i", "localhost,", str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, " ".join(done.stdout.split())


@pytest.mark.parametrize("seconds", [0, 61, "soon"])
def test_a_time_in_which_no_database_answers_is_refused(tmp_path: Path, seconds: object):
    code, said = preflight(tmp_path, spaces_database_seconds=seconds)
    assert code == 2
    assert f"spaces_database_seconds: {seconds}; allowed: 1 to 60" in said


def test_what_the_role_has_by_itself_is_accepted(tmp_path: Path):
    code, said = preflight(tmp_path)
    assert code == 0, said
