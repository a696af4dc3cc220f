# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Timers of background jobs: spread over the whole interval, and nothing is made up for."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from tests.policy.tree import ROOT

ROLE = ROOT / "roles/spaces"
DEFAULTS = yaml.safe_load((ROLE / "defaults/main.yml").read_text(encoding="utf-8"))


def section(name: str, text: str) -> dict[str, str]:
    """Return the settings of a section of a unit."""
    body = text.split(f"[{name}]\n")[1].split("\n[", maxsplit=1)[0]
    return dict(line.split("=", 1) for line in body.splitlines() if re.match(r"\w+=", line))


def timer(name: str) -> dict[str, str]:
    """Return the settings of a timer."""
    path = Path(ROLE / "templates/etc/systemd/system" / name)
    return section("Timer", path.read_text(encoding="utf-8"))


def test_nothing_begins_all_of_them_at_a_boot():
    """Persistent= would make up for what a node missed; OnBootSec= knows no offset."""
    assert timer("space-cron@.timer.j2") == {
        "OnCalendar": "{{ spaces_cron_calendar }}",
        "RandomizedDelaySec": "{{ spaces_cron_spread }}",
        "FixedRandomDelay": "yes",
        "AccuracySec": "10s",
    }


def test_the_timer_of_one_that_is_awake_follows_its_jobs():
    """From the end of its last jobs, which were spread: what wakes it begins none."""
    assert timer("space-awake@.timer.j2").keys() == {"Unit", "OnUnitInactiveSec", "AccuracySec"}


def test_they_are_spread_over_all_of_the_interval():
    """Over less, some minutes would have none; over more, a space would skip one."""
    every = re.fullmatch(r"\*:0/(\d+)", DEFAULTS["spaces_cron_calendar"])
    spread = re.fullmatch(r"(\d+)min", DEFAULTS["spaces_cron_spread"])
    assert every is not None and spread is not None
    assert every[1] == spread[1]


def test_late_is_what_missed_more_than_two_turns():
    late = yaml.safe_load((ROOT / "roles/quotas/defaults/main.yml").read_text(encoding="utf-8"))
    minutes = int(DEFAULTS["spaces_cron_spread"].removesuffix("min"))
    assert late["quotas_jobs_late_seconds"] > 2 * 60 * (minutes + minutes)
