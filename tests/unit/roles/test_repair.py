# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The program that the timer of repairs starts: what it says, and that its modules come with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _repair

ROOT = Path(__file__).parents[3]
WORDS = ["repair", "--root", "/srv/spaces", "--php", "php", "--parallel", "2"]
WORDS += ["--seconds", "60", "--patience", "3600"]


@pytest.fixture
def repair(load):
    return load("roles/spaces/files/repair.py")


@pytest.mark.parametrize(
    ("came", "code", "said"),
    [
        ({}, 0, ""),
        ({"amap": "repaired in 3.1 s"}, 0, "amap: repaired in 3.1 s\n"),
        ({"amap": "failed: it broke"}, 1, "<3>amap: failed: it broke\n"),
    ],
)
def test_what_came_of_a_look_is_said(repair, monkeypatch, capsys, came, code, said):
    asked: list[_repair.Settings] = []

    def run(settings: _repair.Settings) -> dict[str, str]:
        asked.append(settings)
        return came

    monkeypatch.setattr(_repair, "run", run)
    monkeypatch.setattr(sys, "argv", WORDS)
    assert (repair.main(), capsys.readouterr().out) == (code, said)
    assert asked == [_repair.Settings("/srv/spaces", "php", 2, 60, 3600)]


def test_whoever_is_at_work_is_no_failure(repair, monkeypatch, capsys):
    def busy(_settings):
        raise _journal.JournalError("another run holds x.lock")

    monkeypatch.setattr(_repair, "run", busy)
    monkeypatch.setattr(sys, "argv", WORDS)
    assert repair.main() == 0
    assert "not now: another run holds" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["repair", "exports"])
def test_all_that_it_imports_is_put_on_the_machine(tmp_path, name):
    """With nothing but what the role puts there, and without Ansible."""
    variables = yaml.safe_load((ROOT / "roles/spaces/vars/main.yml").read_text(encoding="utf-8"))
    inside = "ansible_collections/archipel/spaces/plugins/module_utils"
    folder = tmp_path / inside
    for module in variables["__spaces_modules"]:
        source = ROOT / f"plugins/module_utils/{module}.py"
        copy = folder / f"{module}.py"
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    program = (ROOT / f"roles/spaces/files/{name}.py").read_text(encoding="utf-8")
    code = program.replace("/usr/local/lib/archipel", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "folder of the spaces" in done.stdout
