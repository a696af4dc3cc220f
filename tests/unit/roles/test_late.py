# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The program that counts spaces whose background jobs are late."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

NOW = 1_800_000_000
AFTER = 7200


@pytest.fixture
def program(load) -> ModuleType:
    return load("roles/quotas/files/late.py")


def report(path: Path, at: float = NOW, **ends: int | None) -> Path:
    spaces = {slug: {"used": 1, "last_jobs": last} for slug, last in ends.items()}
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
    path.write_text(json.dumps({"version": 1, "time": moment, "spaces": spaces}))
    return path


@pytest.mark.parametrize(
    ("last", "enabled", "boot", "late"),
    [
        (NOW - AFTER, 0, 0, False),
        (NOW - AFTER - 1, 0, 0, True),
        # Never: nothing is known but when its timer was enabled.
        (0, NOW - AFTER - 1, 0, True),
        (0, NOW - 60, 0, False),
        # The node was off meanwhile.
        (NOW - 9 * AFTER, 0, NOW - AFTER, False),
        (NOW - 9 * AFTER, 0, NOW - AFTER - 1, True),
        # Suspended for a month, and back since a minute.
        (NOW - 400 * AFTER, NOW - 60, NOW - 500 * AFTER, False),
    ],
)
def test_time_counts_from_whichever_came_last(program, last, enabled, boot, late):
    found = program.judge({"amap": last}, {"amap": enabled}, boot, NOW, AFTER)
    assert found == {"amap": program.Jobs(last, late)}


def test_a_space_without_a_timer_or_without_a_number_has_no_late_jobs(program):
    assert program.judge({"amap": 0}, {"cine": 0}, 0, NOW, AFTER) == {}


def test_timers_are_those_that_systemd_has_enabled(program, tmp_path):
    link = tmp_path / "space-cron@velo-ecole.timer"
    link.symlink_to("/nowhere/space-cron@.timer")
    os.utime(link, (5, 5), follow_symlinks=False)
    for name in ("archipel-idle.timer", "space-awake@amap.timer", "space-cron@.timer.d"):
        (tmp_path / name).touch()
    assert program.timers(tmp_path) == {"velo-ecole": 5}
    assert program.timers(tmp_path / "none") == {}


def test_the_boot_is_in_the_past(program):
    now = time.time()
    uptime = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    assert abs(now - program.booted(now) - uptime) < 60


def test_numbers_that_could_not_be_read_are_left_out(program, tmp_path):
    path = report(tmp_path / "accounts.json", amap=NOW, cine=None)
    assert program.read(path, NOW, AFTER) == {"amap": NOW}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "is not there; archipel-accounts.service writes it"),
        ("", "is no report of accounts"),
        ("[]", "is no report of accounts"),
        ('{"spaces": {}}', "is no report of accounts: KeyError('time')"),
        ('{"time": "yesterday", "spaces": {}}', "is no report of accounts"),
        ('{"time": 5, "spaces": {}}', "is no report of accounts"),
        ('{"time": "2027-01-15T08:00:00Z", "spaces": []}', "is no report of accounts"),
        ('{"time": "2027-01-15T08:00:00Z", "spaces": {"amap": 5}}', "is no report of accounts"),
        (
            '{"time": "2027-01-15T05:59:59Z", "spaces": {}}',
            "is of 2027-01-15T05:59:59Z, more than 7200 seconds ago",
        ),
    ],
)
def test_a_report_that_says_nothing_is_refused(program, tmp_path, text, said):
    path = tmp_path / "accounts.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(program.ReportError) as caught:
        program.read(path, NOW, AFTER)
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)


def test_a_message_names_some_and_counts_the_others(program):
    spaces = {f"asso-{n:02}": program.Jobs(0, n < 12) for n in range(20)}
    said = program.sentence(spaces, AFTER)
    assert said.startswith("jobs of 12 of 20 spaces have not come to their end for more than 7200")
    assert "asso-00, " in said and "asso-09 and 2 more" in said and "asso-10" not in said
    assert program.sentence({"amap": program.Jobs(0, False)}, AFTER) == ""


def test_metrics_count_and_name(program):
    text = program.metrics({"amap": program.Jobs(0, True), "cine": program.Jobs(0, False)}, NOW)
    assert "# TYPE archipel_jobs_late gauge\narchipel_jobs_late 1\n" in text
    assert 'archipel_space_jobs_late{space="amap"} 1\n' in text
    assert 'archipel_space_jobs_late{space="cine"} 0\n' in text


@pytest.fixture
def look(program, tmp_path, monkeypatch):
    """Look once at one space; return the exit code."""
    (tmp_path / "timers").mkdir()
    (tmp_path / "timers/space-cron@amap.timer").symlink_to("x")
    os.utime(tmp_path / "timers/space-cron@amap.timer", (0, 0), follow_symlinks=False)
    monkeypatch.setattr(program, "TIMERS", tmp_path / "timers")
    monkeypatch.setattr(program, "booted", lambda _now: 0)
    options = ["--accounts", str(tmp_path / "accounts.json"), "--metrics", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["late", *options, "--after", "7200"])
    return program.main


def test_the_program_fails_while_jobs_are_late(look, tmp_path, capsys):
    now = time.time()
    report(tmp_path / "accounts.json", now, amap=int(now - 8000))
    assert look() == 1
    assert capsys.readouterr().err.startswith("<3>jobs of 1 of 1 spaces")
    assert "archipel_jobs_late 1\n" in (tmp_path / "archipel_jobs.prom").read_text()
    report(tmp_path / "accounts.json", now, amap=int(now))
    assert look() == 0
    assert capsys.readouterr().err == ""
    assert "archipel_jobs_late 0\n" in (tmp_path / "archipel_jobs.prom").read_text()


def test_the_program_fails_without_a_report(look, tmp_path, capsys):
    assert look() == 1
    assert "accounts.json: is not there" in capsys.readouterr().err
    assert not (tmp_path / "archipel_jobs.prom").exists()
