# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""systemctl: times, slices, files that changed."""

from __future__ import annotations

import os

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _unit_names
from ansible_collections.archipel.spaces.plugins.module_utils._system import _systemd


def test_systemds_times_are_read_to_the_microsecond():
    text = "start_time=[Sun 2026-11-22 08:48:42.335675 UTC] ; stop_time=[n/a]"
    assert _systemd.parse_moment(text) == pytest.approx(1795337322.335675, abs=1e-6)
    assert _systemd.parse_moment("") == 0


def test_the_newest_file_of_a_folder_counts_and_foreign_names_do_not(tmp_path):
    for name, time in (("space-php@.service", 100), ("ssh.service", 900)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time, time))
    assert _systemd.find_newest([str(tmp_path)], _unit_names.PREFIXES) == 100
    assert _systemd.find_newest([str(tmp_path / "missing")]) == 0


def test_many_units_are_handled_some_hundreds_at_a_time(monkeypatch):
    calls = []
    monkeypatch.setattr(_systemd, "systemctl", lambda *arguments: calls.append(arguments))
    _systemd.run_sliced([f"u{n}" for n in range(_systemd.SLICE + 1)], "start")
    assert [len(call) for call in calls] == [_systemd.SLICE + 2, 3]
    assert calls[1] == ("start", "--", f"u{_systemd.SLICE}")
