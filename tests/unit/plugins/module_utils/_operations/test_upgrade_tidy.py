# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What nobody needs any more goes, and nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._operations import _upgrade_tidy
from tests.unit.plugins.module_utils.upgrading import keep_point, settings

__all__ = ["settings"]


def tidied(settings, keep=(), days=14.0, *, check=False):
    report, removed = _upgrade_tidy.tidy(settings, keep, days, check=check)
    return removed, sorted(report.changes), sorted(os.listdir(settings.node.releases))


def test_a_release_that_nobody_needs_is_removed(settings):
    removed, _, left = tidied(settings)
    assert removed == ["34.0.4"]
    assert left == ["33.0.9", "33.0.9.json"]


def test_a_check_run_removes_nothing(settings):
    removed, _, left = tidied(settings, check=True)
    assert (removed, len(left)) == (["34.0.4"], 4)


def test_the_release_of_the_policy_stays(settings):
    assert tidied(settings, keep=["34.0.4"])[0] == []


def test_a_release_that_a_space_can_go_back_to_stays(settings, tmp_path):
    point_space_at(tmp_path, "34.0.4")
    keep_point(settings)
    assert tidied(settings) == ([], [], ["33.0.9", "33.0.9.json", "34.0.4", "34.0.4.json"])


def point_space_at(tmp_path, release):
    link = tmp_path / "spaces/amap/release"
    link.unlink()
    link.symlink_to(f"../../releases/{release}")


def test_a_restore_point_past_its_time_goes_and_its_release_after_it(settings, tmp_path):
    point_space_at(tmp_path, "34.0.4")
    keep_point(settings, at=time.time() - 15 * 86400)
    assert tidied(settings) == (["33.0.9"], ["amap"], ["34.0.4", "34.0.4.json"])


def test_what_is_under_way_keeps_both_its_releases_and_its_point(settings, tmp_path):
    (tmp_path / "spaces/amap/release").unlink()
    keep_point(settings, at=0)
    _journal.write("amap", {"verb": "upgrade", "step": "load", "from": "33.0.9", "to": "34.0.4"})
    assert tidied(settings)[:2] == ([], [])


def test_a_space_that_is_in_no_file_keeps_its_release(settings, tmp_path):
    point_space_at(tmp_path, "34.0.4")
    stranger = tmp_path / "spaces/.previous-amap"
    stranger.mkdir()
    (stranger / "release").symlink_to("../../releases/33.0.9")
    assert tidied(settings)[0] == []


def test_a_folder_without_a_manifest_is_not_ours_to_remove(settings, tmp_path):
    (tmp_path / "releases/by-hand").mkdir()
    assert "by-hand" in tidied(settings)[2]


def test_a_removal_that_was_cut_short_is_finished(settings, tmp_path):
    os.rename(tmp_path / "releases/34.0.4", tmp_path / "releases/.removing-34.0.4")
    assert tidied(settings)[2] == ["33.0.9", "33.0.9.json"]


def test_journals_that_a_kill_left_half_written_are_none(settings):
    _journal.write("amap", {"verb": "upgrade", "step": "load", "from": "33.0.9", "to": "34.0.4"})
    Path(f"{_journal.FOLDER}/amap.json.new").write_text("{")
    assert _upgrade_tidy.releases_needed(settings) == {"33.0.9", "34.0.4"}


def test_with_a_damaged_journal_no_release_is_removed(settings):
    Path(_journal.FOLDER).mkdir()
    Path(f"{_journal.FOLDER}/amap.json").write_text("{")
    with pytest.raises(_journal.JournalError, match=r"amap\.json is damaged"):
        tidied(settings)
    assert len(os.listdir(settings.node.releases)) == 4
