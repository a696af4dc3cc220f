# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Long work in several calls reads like one."""

from __future__ import annotations

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._progress import (
    duration,
    merged,
    sentence,
)

FIRST = {
    "changed": True,
    "spaces": {"amap": ["Nextcloud installed"]},
    "failed_spaces": {"velo": "no room"},
    "node": ["systemd: unit files read again"],
    "begun": 2,
    "remaining": ["chorale"],
}


def test_results_of_all_turns_are_kept():
    last = {
        "changed": False,
        "spaces": {},
        "failed_spaces": {},
        "node": [],
        "begun": 1,
        "remaining": [],
    }
    result = merged(FIRST, last)
    assert result["changed"]
    assert result["spaces"] == FIRST["spaces"]
    assert result["failed_spaces"] == FIRST["failed_spaces"]
    assert (result["begun"], result["remaining"]) == (3, [])


def test_a_failure_of_the_module_itself_is_a_failure_of_the_task():
    result = merged(FIRST, {"failed": True, "msg": "another run is installing"})
    assert result["failed"]
    assert result["msg"] == "another run is installing"
    assert result["spaces"] == FIRST["spaces"]


def test_the_line_says_how_far_it_is():
    assert sentence("installed", 30, 270, 0, 30.0) == (
        "30 of 300 spaces installed, 1.0 per second, about 4 min left"
    )
    assert sentence("installed", 30, 270, 2, 30.0).startswith(
        "28 of 300 spaces installed, 2 failed"
    )


@pytest.mark.parametrize(
    ("seconds", "words"), [(12.4, "12 s"), (200, "3 min"), (7500, "2 h 05 min")]
)
def test_times_are_said_in_words(seconds, words):
    assert duration(seconds) == words
