# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where the benchmark of one space reads the seconds of tasks from."""

from __future__ import annotations

from tests.benchmarks import bench_only

RECAP = """\
PLAY RECAP *********************************************************************
node0                      : ok=6    changed=0    unreachable=0    failed=0
===============================================================================
archipel.spaces.spaces : check | Refuse a set -------------------------- 0.29s
Record where new spaces live ------------------------------------------- 12.64s
"""


def test_the_longest_task_comes_first_and_nothing_else_is_one():
    assert bench_only.durations(RECAP) == [
        (12.64, "Record where new spaces live"),
        (0.29, "archipel.spaces.spaces : check | Refuse a set"),
    ]
