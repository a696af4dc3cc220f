# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The program that runs the jobs of spaces that ask for it: whose, and when not."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest


@pytest.fixture
def jobs(load) -> ModuleType:
    return load("roles/spaces/files/jobs.py")


def units(
    timer: str = "active", state: str = "inactive", ended: int = 0
) -> dict[str, dict[str, str]]:
    return {
        "space-cron@amap.timer": {"ActiveState": timer},
        "space-cron@amap.service": {
            "ActiveState": state,
            "InactiveEnterTimestampMonotonic": str(ended * 1_000_000),
        },
    }


@pytest.mark.parametrize(
    ("known", "due"),
    [
        (units(), True),
        (units(ended=70), True),
        (units(ended=71), False),
        (units(state="failed", ended=10), True),
        (units(state="activating"), False),
        # A suspended space has no timer.
        (units(timer="inactive"), False),
        ({}, False),
    ],
)
def test_jobs_run_when_they_do_not_run_already_and_did_not_lately(jobs, known, due):
    assert jobs.due(known, "amap", now=100.0, pause=30.0) is due


@pytest.fixture
def look(jobs, tmp_path, monkeypatch):
    """Look once; return what systemctl was told."""

    def look(known):
        called: list[list[str]] = []
        monkeypatch.setattr(jobs, "show", lambda _units: known)
        monkeypatch.setattr(jobs.subprocess, "run", lambda command, **_: called.append(command))
        monkeypatch.setattr(sys, "argv", ["jobs", "--root", str(tmp_path), "--pause", "0"])
        jobs.main()
        return called

    return look


def test_a_request_is_granted_once(look, tmp_path):
    request = tmp_path / "amap/tmp/jobs-wanted"
    request.parent.mkdir(parents=True)
    request.touch()
    (tmp_path / "chorale/tmp").mkdir(parents=True)
    assert look(units()) == [["systemctl", "start", "--no-block", "space-cron@amap.service"]]
    assert not request.exists()
    assert look(units()) == []


def test_a_request_waits_while_the_jobs_run(look, tmp_path):
    request = tmp_path / "amap/tmp/jobs-wanted"
    request.parent.mkdir(parents=True)
    request.touch()
    assert look(units(state="activating")) == []
    assert request.exists()


def test_a_link_left_for_a_request_leads_nowhere(look, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("x")
    request = tmp_path / "amap/tmp/jobs-wanted"
    request.parent.mkdir(parents=True)
    request.symlink_to(precious)
    look(units())
    assert precious.read_text() == "x"
    assert not request.is_symlink()


def test_a_folder_left_for_a_request_keeps_nobody_waiting(look, tmp_path):
    (tmp_path / "aaa/tmp/jobs-wanted").mkdir(parents=True)
    request = tmp_path / "amap/tmp/jobs-wanted"
    request.parent.mkdir(parents=True)
    request.touch()
    assert look(units()) == [["systemctl", "start", "--no-block", "space-cron@amap.service"]]
    assert (tmp_path / "aaa/tmp/jobs-wanted").is_dir()
