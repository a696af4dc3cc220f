# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What the benchmark of jobs reads of systemd, and what it computes."""

from __future__ import annotations

import pytest

from tests.benchmarks import bench_jobs

SHOWN = """[
{"next": 1800000061000000, "left": 5, "last": null, "passed": 0, "unit": "space-cron@amap.timer"},
{"next": 1800000899999999, "left": 9, "last": 1799999999500000, "unit": "space-cron@cine.timer"}
]"""


def test_offsets_are_seconds_of_the_interval():
    found = bench_jobs.parse(SHOWN)
    assert found.offsets == {"space-cron@amap.timer": 61, "space-cron@cine.timer": 899}
    assert found.began == {"space-cron@amap.timer": 0, "space-cron@cine.timer": 1_799_999_999}


def test_minutes_in_which_nothing_begins_count():
    found = bench_jobs.Timers(dict.fromkeys("ab", 61) | {"c": 899}, {})
    assert (found.emptiest(60), found.fullest(60)) == (0, 2)
    even = bench_jobs.Timers({str(second): second for second in range(900)}, {})
    assert (even.emptiest(10), even.fullest(10)) == (10, 10)


def test_what_many_spaces_cost_is_said_to_be_computed(capsys: pytest.CaptureFixture[str]):
    bench_jobs.computed(0.9, 500)
    said = capsys.readouterr().out
    assert "not measured" in said
    # 500 runs of 0.9 s in 900 s; then 75 of the spaces every 300 s.
    assert "0.50 processors, 12%" in said
    assert "0.65 processors, 16%" in said
