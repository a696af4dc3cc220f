# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What is said of invitations that were sent, of people left alone, and of what failed."""

from __future__ import annotations

import json
import subprocess
import typing as t
from pathlib import Path

import yaml

from tests.policy.tree import ROOT

ROLE = ROOT / "roles/spaces"
CAME: dict[str, t.Any] = {
    "spaces": {"velo-ecole": ["give administration the address x", "invitation to a@b by mail"]},
    "left": {"cine": "not invited: its first administrator was last there on 2026-11-02"},
    "failed_spaces": {},
}


def run(folder: Path, came: dict[str, t.Any], *options: str) -> tuple[int, str]:
    """Run what the role does after the module, as on a machine where that came of it."""
    report = yaml.safe_load((ROLE / "vars/main.yml").read_text())["__spaces_invited_report"]
    module, *tasks = yaml.safe_load((ROLE / "tasks/invite.yml").read_text())
    assert module["register"] == "spaces_invited"
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"__spaces_invited_report": report, "spaces_invited": came},
        "tasks": tasks,
    }
    path = folder / "play.yml"
    path.write_text(json.dumps([play]))
    done = subprocess.run(
        ["ansible-playbook", "-i", "localhost,", *options, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, " ".join(done.stdout.split())


def test_who_was_sent_what_and_who_was_not(tmp_path: Path):
    code, said = run(tmp_path, CAME)
    assert code == 0
    assert "velo-ecole: give administration the address x; invitation to a@b by mail" in said
    assert "cine: not invited: its first administrator was last there on 2026-11-02" in said
    assert "would be" not in said


def test_a_check_says_would(tmp_path: Path):
    code, said = run(tmp_path, CAME, "--check")
    assert code == 0
    assert "velo-ecole: would be sent: give administration" in said


def test_what_was_not_accepted_ends_the_run_after_the_rest_was_said(tmp_path: Path):
    code, said = run(tmp_path, {**CAME, "failed_spaces": {"amap": "no relay", "quai": "x"}})
    assert code != 0
    assert "cine: not invited" in said
    assert "Nothing was sent into 2 of the spaces" in said
    assert "amap: no relay" in said
