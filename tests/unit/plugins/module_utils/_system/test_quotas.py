# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Storage limits: what is planned, and what is refused.

The kernel is a dictionary here. The scenario `quota` has a real one.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._system import (
    _filesystem,
    _quotactl,
    _quotas,
)
from tests.unit.plugins.module_utils.kernel import GIB, ID, TREES, converge, item, kernel, node

__all__ = ["kernel", "node"]


def make(node: Path, slug: str) -> None:
    """Make the trees of one more space."""
    for tree in TREES:
        (node / slug / tree).mkdir(parents=True)


def test_a_new_space_gets_its_project_and_its_limit(kernel, node):
    report = converge(node, item(node))
    assert report.changes == {
        "velo-ecole": [
            "marked as project 70003: 2 files and folders",
            "storage none, any number of files → 40 GB, 2621440 files",
        ]
    }
    for tree in TREES:
        assert kernel.tag_of(node / "velo-ecole" / tree) == _quotactl.Tag(ID, inherit=True)
    assert kernel.limits == {ID: (40 * GIB, 2621440)}
    assert report.failures == {}


def test_a_second_run_changes_nothing(kernel, node):
    converge(node, item(node))
    kernel.calls.clear()
    report = converge(node, item(node))
    assert (report.changes, kernel.calls) == ({}, [])


def test_a_raised_limit_is_one_call_and_shows_as_a_difference(kernel, node):
    converge(node, item(node))
    kernel.calls.clear()
    report = converge(node, item(node, storage_gb=50))
    assert kernel.calls == ["limit"]
    assert report.changes == {"velo-ecole": ["storage 40 GB, 2621440 files → 50 GB, 3276800 files"]}
    assert report.diffs[0]["before"] == "40 GB, 2621440 files\n"
    assert report.diffs[0]["after"] == "50 GB, 3276800 files\n"


@pytest.mark.parametrize("existing", [(), ("a.txt", "folder/b.txt", "folder/deeper/c.txt")])
def test_a_check_run_says_what_a_real_run_does(kernel, node, existing):
    for name in existing:
        (node / "velo-ecole/data" / name).parent.mkdir(parents=True, exist_ok=True)
        (node / "velo-ecole/data" / name).write_text("x" * 5000)
    previewed = converge(node, item(node), check=True)
    assert kernel.calls == []
    assert previewed.result()["spaces"] == converge(node, item(node)).result()["spaces"]


def test_a_check_run_is_ahead_of_the_directories(kernel, node):
    wanted = item(node, "not-yet")
    previewed = converge(node, wanted, check=True)
    make(node, "not-yet")
    done = converge(node, wanted)
    assert previewed.changes == done.changes
    assert done.changes["not-yet"]


def test_without_its_directory_a_space_fails_alone(kernel, node):
    report = converge(node, item(node, "gone", ID + 1), item(node))
    assert "gone/data: No such file" in report.failures["gone"]
    assert list(report.changes) == ["velo-ecole"]


class TestOver:
    @pytest.fixture
    def full(self, kernel, node):
        converge(node, item(node))
        kernel.use[ID] = (30 * GIB, 100)
        return node

    @pytest.mark.parametrize("check", [True, False])
    def test_a_limit_below_the_use_is_refused_for_that_space(self, kernel, full, check):
        report = converge(full, item(full, storage_gb=20), check=check)
        why = report.failures["velo-ecole"]
        assert why.startswith("uses 30 GB in 102 files; its limit would be 20 GB")
        assert "-e allow_over=true" in why
        assert kernel.limits == {ID: (40 * GIB, 2621440)}
        assert report.changes == {}

    def test_it_is_set_when_that_is_meant_and_reported_from_then_on(self, kernel, full):
        wanted = item(full, storage_gb=20)
        report = converge(full, wanted, allow_over=True)
        assert kernel.limits == {ID: (20 * GIB, 1310720)}
        assert report.facts["over"] == ["velo-ecole"]
        later = converge(full, wanted)
        assert (later.changes, later.failures) == ({}, {})
        assert later.facts["over"] == ["velo-ecole"]
        (warning,) = _quotas.list_warnings({"backend": "auto"}, later)
        assert "velo-ecole" in warning

    def test_data_found_in_place_count_before_a_check_run_has_marked_them(self, kernel, node):
        (node / "velo-ecole/data/film.mkv").write_bytes(b"x" * 100_000)
        wanted = {**item(node), "bytes": 50_000}
        report = converge(node, wanted, check=True)
        assert "allow_over" in report.failures["velo-ecole"]

    def test_usage_is_returned(self, full):
        report = converge(full, item(full))
        assert report.facts["usage"] == {
            "velo-ecole": {
                "used_bytes": 30 * GIB,
                "limit_bytes": 40 * GIB,
                "files": 102,
                "limit_files": 2621440,
            }
        }


class TestRefused:
    @pytest.mark.parametrize("changes", [{"bytes": 0}, {"bytes": -1}, {"files": 0}, {"id": 0}])
    def test_what_is_no_limit(self, kernel, node, changes):
        report = converge(node, {**item(node), **changes})
        assert "allowed: whole numbers above 0" in report.failures["velo-ecole"]
        assert (kernel.calls, kernel.limits) == ([], {})

    def test_an_id_that_two_spaces_have(self, kernel, node):
        make(node, "amap")
        report = converge(node, item(node), item(node, "amap"))
        assert set(report.failures) == {"velo-ecole", "amap"}
        assert "id 70003 is given to 2 spaces" in report.failures["amap"]
        assert kernel.calls == []

    def test_an_id_that_files_elsewhere_carry(self, kernel, node):
        kernel.use[ID] = (4096, 1)
        report = converge(node, item(node))
        assert "project 70003 already holds 1 files outside" in report.failures["velo-ecole"]
        assert kernel.calls == []

    def test_an_id_that_data_moved_away_by_hand_carry(self, kernel, node):
        """Its temporary files alone carry it where it belongs: they explain nothing of the use."""
        home = node / "velo-ecole"
        (home / "data/film.mkv").write_text("x")
        converge(node, item(node))
        (home / "data").rename(home / "data.old")
        (home / "data").mkdir()
        report = converge(node, item(node))
        why = report.failures["velo-ecole"]
        assert why.startswith(f"project 70003 already holds 2 files outside {home}/data and {home}")
        assert kernel.tag_of(home / "data").project == 0

    def test_an_id_that_another_directory_claims(self, kernel, node, monkeypatch):
        monkeypatch.setattr(_quotas, "read_claims", lambda: {ID: ["/srv/builds"]})
        report = converge(node, item(node))
        assert "/etc/projects gives project 70003 to /srv/builds" in report.failures["velo-ecole"]
        assert kernel.calls == []

    @pytest.mark.parametrize("tree", TREES)
    def test_what_somebody_else_limits(self, kernel, node, tree):
        folder = node / "velo-ecole" / tree
        kernel.tags[folder.stat().st_ino] = _quotactl.Tag(42, inherit=True)
        report = converge(node, item(node))
        assert "carries project 42, not 70003" in report.failures["velo-ecole"]
        assert kernel.calls == []

    @pytest.mark.parametrize("linked", ["velo-ecole/data", "velo-ecole/tmp", "velo-ecole"])
    def test_files_behind_a_link(self, kernel, node, tmp_path, linked):
        away = tmp_path / "away"
        (node / linked).rename(away)
        (node / linked).symlink_to(away)
        report = converge(node, item(node))
        assert "is a link or no directory" in report.failures["velo-ecole"]
        assert (kernel.calls, kernel.limits) == ([], {})

    @pytest.mark.parametrize("tree", TREES)
    def test_a_file_in_the_place_of_a_folder(self, kernel, node, tree):
        (node / "velo-ecole" / tree).rmdir()
        (node / "velo-ecole" / tree).write_text("x")
        assert "no directory" in converge(node, item(node)).failures["velo-ecole"]

    @pytest.mark.parametrize("below", ["data", "data/alice/files/music", "tmp", "tmp/deep"])
    def test_a_file_system_mounted_over_or_in_a_tree(self, kernel, node, monkeypatch, below):
        mount = f"{node}/velo-ecole/{below}"
        found = replace(_filesystem.find(""), mounts_below=(mount, f"{node}/other/data"))
        monkeypatch.setattr(_filesystem, "find", lambda _root: found)
        report = converge(node, item(node))
        assert report.failures["velo-ecole"].startswith(f"{mount}: another file system")
        assert (kernel.calls, kernel.limits) == ([], {})

    def test_data_on_another_device(self, kernel, node, monkeypatch):
        """Where no mount shows: a subvolume, a bind mount made since the mounts were read."""
        real, data = os.fstat, (node / "velo-ecole/data").stat()

        def fstat(descriptor):
            info = real(descriptor)
            other = os.stat_result((*info[:2], info.st_dev + 1, *info[3:]))
            return other if info.st_ino == data.st_ino else info

        monkeypatch.setattr(os, "fstat", fstat)
        report = converge(node, item(node))
        assert "is on another file system than the spaces" in report.failures["velo-ecole"]

    def test_one_that_fails_does_not_stop_the_others(self, kernel, node):
        make(node, "amap")
        kernel.refuses.add(ID)
        report = converge(node, item(node), item(node, "amap", ID + 1))
        assert report.failures == {"velo-ecole": f"{node}/velo-ecole: Input/output error"}
        assert kernel.limits == {ID + 1: (40 * GIB, 2621440)}


def test_giving_limits_up_changes_nothing_and_is_said_each_time(kernel, node):
    report = converge(node, item(node), backend="none")
    assert (report.result()["changed"], report.facts["usage"], kernel.calls) == (False, {}, [])
    (warning,) = _quotas.list_warnings({"backend": "none", "root": "/srv/spaces"}, report)
    assert "No storage limit holds on this node" in warning


def test_a_file_system_without_limits_stops_the_run_before_any_space(kernel, node, monkeypatch):
    found = replace(_filesystem.find(""), enforced=False)
    monkeypatch.setattr(_filesystem, "find", lambda _root: found)
    with pytest.raises(_filesystem.FilesystemError, match="prjquota is missing"):
        converge(node, item(node))
    assert kernel.calls == []


def test_claims_are_read_as_xfs_writes_them():
    text = "# id:path\n70003:/srv/builds/\n70003:/srv/more\nbad line\nname:/x\n"
    assert _quotas.parse_claims(text) == {70003: ["/srv/builds", "/srv/more"]}


def test_a_soft_limit_is_taken_away(kernel, node, monkeypatch):
    converge(node, item(node))
    hard = _quotactl.read

    monkeypatch.setattr(_quotactl, "read", lambda *arguments: replace(hard(*arguments), soft=True))
    kernel.calls.clear()
    converge(node, item(node))
    assert kernel.calls == ["limit"]


def test_spaces_behind_a_link_are_refused_as_a_whole(kernel, node, monkeypatch):
    node.with_name("link").symlink_to(node)
    found = _filesystem.find(str(node))
    linked = replace(found, path=str(node.with_name("link")))
    monkeypatch.setattr(_filesystem, "find", lambda _root: linked)
    with pytest.raises(_filesystem.FilesystemError, match="must be a directory and no link"):
        converge(node, item(node))
