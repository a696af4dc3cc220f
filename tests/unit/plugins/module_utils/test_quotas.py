# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Storage limits: what is planned, what is refused, and that nothing is missed on the way.

The kernel is a dictionary here. The scenario `quota` has a real one.
"""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils import (
    _filesystem,
    _quotactl,
    _quotas,
)

GIB = 1 << 30
ID = 70003
TREES = ("data", "tmp")


@dataclass
class Kernel:
    """Files' projects by inode, projects' limits; use is what carries the number."""

    limits: dict[int, tuple[int, int]] = field(default_factory=dict)
    tags: dict[int, _quotactl.Tag] = field(
        default_factory=lambda: defaultdict(lambda: _quotactl.Tag(0, inherit=False))
    )
    use: dict[int, tuple[int, int]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    refuses: set[int] = field(default_factory=set)

    def state(self, _descriptor):
        return True, True

    def read(self, _descriptor, project):
        used, files = self.use.get(project, (0, 0))
        files += sum(tag.project == project for tag in self.tags.values())
        return _quotactl.Quota(used, files, *self.limits.get(project, (0, 0)))

    def limit(self, _descriptor, project, limit_bytes, limit_files):
        if project in self.refuses:
            raise OSError(5, "Input/output error")
        self.calls.append("limit")
        self.limits[project] = (limit_bytes, limit_files)

    def tag(self, descriptor):
        return self.tags[os.fstat(descriptor).st_ino]

    def set_tag(self, descriptor, wanted):
        self.calls.append("tag")
        self.tags[os.fstat(descriptor).st_ino] = wanted

    def tag_of(self, path):
        return self.tags[os.stat(path).st_ino]


@pytest.fixture
def kernel(monkeypatch) -> Kernel:
    kernel = Kernel()
    for name in ("state", "read", "limit", "tag", "set_tag"):
        monkeypatch.setattr(_quotactl, name, getattr(kernel, name))
    monkeypatch.setattr(_quotas, "read_claims", dict)
    return kernel


@pytest.fixture
def node(tmp_path, monkeypatch) -> Path:
    """The folder of the spaces, on an ext4 that keeps limits, with one space."""
    root = tmp_path / "spaces"
    for tree in TREES:
        (root / "velo-ecole" / tree).mkdir(parents=True)
    found = _filesystem.Filesystem(str(root), "/", "ext4", "/dev/vdb", True, True)
    monkeypatch.setattr(_filesystem, "find", lambda _root: found)
    return root


def item(node: Path, slug="velo-ecole", number=ID, storage_gb=40):
    limit = storage_gb * GIB
    paths = [str(node / slug / tree) for tree in TREES]
    return {"space": slug, "id": number, "paths": paths, "bytes": limit, "files": limit // 16384}


def make(node: Path, slug: str) -> None:
    """Make the trees of one more space."""
    for tree in TREES:
        (node / slug / tree).mkdir(parents=True)


def converge(node, *wanted, check=False, backend="auto", **options):
    options = {"allow_over": False, "verify": False, **options}
    ids = [each["id"] for each in wanted]
    return _quotas.converge(wanted, ids, str(node), backend, check=check, **options)


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
    foreseen = converge(node, item(node), check=True)
    assert kernel.calls == []
    assert foreseen.result()["spaces"] == converge(node, item(node)).result()["spaces"]


def test_a_check_run_is_ahead_of_the_directories(kernel, node):
    wanted = item(node, "not-yet")
    foreseen = converge(node, wanted, check=True)
    make(node, "not-yet")
    done = converge(node, wanted)
    assert foreseen.changes == done.changes
    assert done.changes["not-yet"]


def test_without_its_directory_a_space_fails_alone(kernel, node):
    report = converge(node, item(node, "gone", ID + 1), item(node))
    assert "gone/data: No such file" in report.failures["gone"]
    assert list(report.changes) == ["velo-ecole"]


class TestExistingData:
    @pytest.fixture
    def data(self, node):
        data = node / "velo-ecole/data"
        (data / "alice/files").mkdir(parents=True)
        (data / "alice/files/letter.txt").write_text("x")
        return data

    def test_all_of_them_get_the_project(self, kernel, node, data):
        converge(node, item(node))
        for path in (data, data / "alice", data / "alice/files"):
            assert kernel.tag_of(path) == _quotactl.Tag(ID, inherit=True)
        assert kernel.tag_of(data / "alice/files/letter.txt").project == ID

    def test_links_are_not_followed_and_pipes_not_waited_for(self, kernel, node, data, tmp_path):
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "secret").write_text("x")
        (data / "to-folder").symlink_to(outside)
        (data / "to-file").symlink_to(outside / "secret")
        os.mkfifo(data / "pipe")
        report = converge(node, item(node))
        assert report.failures == {}
        assert kernel.tag_of(outside).project == 0
        assert kernel.tag_of(outside / "secret").project == 0

    def test_what_carries_another_number_inside_is_brought_back(self, kernel, node, data):
        converge(node, item(node))
        letter = data / "alice/files/letter.txt"
        kernel.tags[letter.stat().st_ino] = _quotactl.Tag(5, inherit=False)
        assert converge(node, item(node)).changes == {}
        report = converge(node, item(node), verify=True)
        assert report.changes == {"velo-ecole": ["marked as project 70003: 1 files and folders"]}
        assert kernel.tag_of(letter).project == ID
        assert converge(node, item(node), verify=True).changes == {}

    def test_an_interrupted_run_is_taken_up_again(self, kernel, node, data, monkeypatch):
        whole = _quotactl.set_tag

        def cut_short(descriptor, wanted):
            if len(kernel.calls) == 2:
                raise OSError(5, "Input/output error")
            whole(descriptor, wanted)

        monkeypatch.setattr(_quotactl, "set_tag", cut_short)
        failed = converge(node, item(node))
        assert "Input/output error" in failed.failures["velo-ecole"]
        assert kernel.limits == {}
        monkeypatch.setattr(_quotactl, "set_tag", whole)
        report = converge(node, item(node))
        assert report.failures == {}
        assert kernel.tag_of(data / "alice/files/letter.txt").project == ID
        assert not (node / "velo-ecole/.tagging").exists()
        assert converge(node, item(node)).changes == {}

    def test_a_journal_without_damage_is_cleared_and_said(self, kernel, node, data):
        converge(node, item(node))
        (node / "velo-ecole/.tagging").touch()
        foreseen = converge(node, item(node), check=True)
        report = converge(node, item(node))
        assert foreseen.changes == report.changes
        assert report.changes["velo-ecole"] == ["marked as project 70003: 0 files and folders"]
        assert converge(node, item(node)).changes == {}

    def test_a_journal_beside_empty_data_is_cleared_too(self, kernel, node):
        converge(node, item(node))
        (node / "velo-ecole/.tagging").touch()
        assert converge(node, item(node)).changes
        assert converge(node, item(node)).changes == {}

    def test_folders_without_end_fail_that_space_alone(self, kernel, node, data, monkeypatch):
        def endless(*_arguments, **_options):
            raise RecursionError

        monkeypatch.setattr(_quotas, "walk", endless)
        report = converge(node, item(node))
        assert "nested too deeply" in report.failures["velo-ecole"]


class TestTemporaryFiles:
    """Nodes of earlier days limit the data alone: one run puts that right, and moves nothing."""

    @pytest.fixture
    def earlier(self, kernel, node, monkeypatch):
        home = node / "velo-ecole"
        (home / "data/letter.txt").write_text("x")
        converge(node, {**item(node), "paths": [f"{home}/data"]})
        (home / "tmp/phpAbc").write_text("half an upload")
        kernel.calls.clear()
        return home

    def test_they_are_marked_beside_data_that_are(self, kernel, node, earlier):
        foreseen = converge(node, item(node), check=True)
        report = converge(node, item(node))
        assert foreseen.changes == report.changes
        assert report.changes == {"velo-ecole": ["marked as project 70003: 2 files and folders"]}
        assert kernel.tag_of(earlier / "tmp") == _quotactl.Tag(ID, inherit=True)
        assert kernel.tag_of(earlier / "tmp/phpAbc").project == ID
        assert not (earlier / ".tagging").exists()
        assert converge(node, item(node)).changes == {}

    def test_data_that_are_right_are_not_walked_again(self, kernel, node, earlier):
        letter = (earlier / "data/letter.txt").stat().st_ino
        kernel.tags[letter] = _quotactl.Tag(5, inherit=False)
        converge(node, item(node))
        assert kernel.tags[letter].project == 5

    def test_one_that_vanishes_meanwhile_stops_nothing(self, kernel, node, earlier, monkeypatch):
        real = os.scandir

        def scandir(directory):
            entries = real(directory)
            (earlier / "tmp/phpAbc").unlink(missing_ok=True)
            return entries

        monkeypatch.setattr(os, "scandir", scandir)
        assert converge(node, item(node)).failures == {}

    def test_a_run_cut_short_between_the_trees_is_taken_up_again(
        self, kernel, node, earlier, monkeypatch
    ):
        whole = _quotactl.set_tag

        def cut_short(descriptor, wanted):
            if kernel.calls:
                raise OSError(5, "Input/output error")
            whole(descriptor, wanted)

        monkeypatch.setattr(_quotactl, "set_tag", cut_short)
        assert "Input/output error" in converge(node, item(node)).failures["velo-ecole"]
        # The folder has its project, what is in it does not: the journal alone tells.
        assert kernel.tag_of(earlier / "tmp").project == ID
        assert kernel.tag_of(earlier / "tmp/phpAbc").project == 0
        monkeypatch.setattr(_quotactl, "set_tag", whole)
        assert converge(node, item(node)).failures == {}
        assert kernel.tag_of(earlier / "tmp/phpAbc").project == ID

    def test_marked_before_data_that_a_restore_put_there(self, kernel, node, earlier):
        """A restore marks what it puts there; where it was cut short the next run does."""
        converge(node, item(node))
        _quotas.move(str(earlier / "data"), 0)
        report = converge(node, item(node))
        assert report.failures == {}
        assert kernel.tag_of(earlier / "data/letter.txt").project == ID


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
        (warning,) = _quotas.warnings({"backend": "auto"}, later)
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


class TestMoved:
    """Restoring keeps the present data aside and puts others in their place."""

    def test_what_is_kept_aside_counts_for_nobody_and_its_place_is_free(self, kernel, node):
        data = node / "velo-ecole/data"
        (data / "alice").mkdir()
        (data / "alice/letter.txt").write_text("x")
        converge(node, item(node))
        kept = node / ".kept"
        data.rename(kept)
        _quotas.move(str(kept), 0)
        assert kernel.tag_of(kept / "alice/letter.txt").project == 0
        assert kernel.tag_of(kept / "alice") == _quotactl.Tag(0, inherit=False)
        data.mkdir()
        (data / "restored.txt").write_text("x")
        _quotas.move(str(data), ID)
        assert kernel.tag_of(data / "restored.txt").project == ID
        assert converge(node, item(node)).result()["spaces"] == {}

    def test_where_nothing_is_counted_nothing_is_done(self, kernel, node, monkeypatch):
        monkeypatch.setattr(_quotactl, "state", lambda _descriptor: (False, False))
        _quotas.move(str(node / "velo-ecole/data"), ID)
        assert kernel.calls == []


def test_giving_limits_up_changes_nothing_and_is_said_each_time(kernel, node):
    report = converge(node, item(node), backend="none")
    assert (report.result()["changed"], report.facts["usage"], kernel.calls) == (False, {}, [])
    (warning,) = _quotas.warnings({"backend": "none", "root": "/srv/spaces"}, report)
    assert "No storage limit holds on this machine" in warning


def test_a_file_system_without_limits_stops_the_run_before_any_space(kernel, node, monkeypatch):
    found = replace(_filesystem.find(""), enforced=False)
    monkeypatch.setattr(_filesystem, "find", lambda _root: found)
    with pytest.raises(_filesystem.FilesystemError, match="prjquota is missing"):
        converge(node, item(node))
    assert kernel.calls == []


def test_claims_are_read_as_xfs_writes_them():
    text = "# id:path\n70003:/srv/builds/\n70003:/srv/more\nbad line\nname:/x\n"
    assert _quotas.claims(text) == {70003: ["/srv/builds", "/srv/more"]}


def test_a_soft_limit_is_taken_away(kernel, node, monkeypatch):
    converge(node, item(node))
    hard = _quotactl.read

    monkeypatch.setattr(_quotactl, "read", lambda *arguments: replace(hard(*arguments), soft=True))
    kernel.calls.clear()
    converge(node, item(node))
    assert kernel.calls == ["limit"]
