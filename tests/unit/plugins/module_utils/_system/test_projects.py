# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Marking trees: nothing is missed on the way, whatever people have put there.

The kernel is a dictionary here. The scenario `quota` has a real one.
"""

from __future__ import annotations

import os
import resource
from types import SimpleNamespace

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._system import _projects, _quotactl
from tests.unit.plugins.module_utils.kernel import ID, converge, item, kernel, node

__all__ = ["kernel", "node"]


def flatten(folder: int) -> None:
    """Take nested folders out of one another: whoever removes them would call himself too often."""
    level = 0
    while True:
        inner = os.open("a", os.O_RDONLY, dir_fd=folder)
        try:
            os.rename("a", f"level-{level}", src_dir_fd=inner, dst_dir_fd=folder)
        except FileNotFoundError:
            return
        finally:
            os.close(inner)
        os.rename(f"level-{level}", "b", src_dir_fd=folder, dst_dir_fd=folder)
        os.rename("a", f"level-{level}", src_dir_fd=folder, dst_dir_fd=folder)
        os.rename("b", "a", src_dir_fd=folder, dst_dir_fd=folder)
        level += 1


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
        previewed = converge(node, item(node), check=True)
        report = converge(node, item(node))
        assert previewed.changes == report.changes
        assert report.changes["velo-ecole"] == ["marked as project 70003: 0 files and folders"]
        assert converge(node, item(node)).changes == {}

    def test_a_journal_beside_empty_data_is_cleared_too(self, kernel, node):
        converge(node, item(node))
        (node / "velo-ecole/.tagging").touch()
        assert converge(node, item(node)).changes
        assert converge(node, item(node)).changes == {}

    def test_folders_are_followed_however_deep_they_are(self, kernel, node, data):
        """Deeper than Python calls itself, and than files are open in one process by default."""
        levels, top = 1200, os.open(data, os.O_RDONLY)
        here = os.dup(top)
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)
        for _ in range(levels):
            os.mkdir("a", dir_fd=here)
            inner = os.open("a", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = inner
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, soft[1]))
        try:
            report = converge(node, item(node))
            assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 1024
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, soft)
            deepest = os.fstat(here).st_ino
            flatten(top)
            os.close(here)
            os.close(top)
        assert report.failures == {}
        assert kernel.tags[deepest] == _quotactl.Tag(ID, inherit=True)

    def test_no_file_stays_open(self, kernel, node, data, monkeypatch):
        before = os.listdir("/proc/self/fd")
        converge(node, item(node))

        def refused(_descriptor, _wanted):
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(_quotactl, "set_tag", refused)
        kernel.tags.clear()
        assert converge(node, item(node)).failures
        assert os.listdir("/proc/self/fd") == before

    def test_a_file_system_that_is_mounted_meanwhile_fails_that_space_alone(
        self, kernel, node, data, monkeypatch
    ):
        whole, foreign = os.fstat, os.stat(data / "alice/files").st_ino

        def fstat(descriptor):
            info = whole(descriptor)
            values = {name: getattr(info, name) for name in dir(info) if name.startswith("st_")}
            return SimpleNamespace(**values | ({"st_dev": -1} if info.st_ino == foreign else {}))

        monkeypatch.setattr("os.fstat", fstat)
        report = converge(node, item(node))
        assert "was mounted inside" in report.failures["velo-ecole"]


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
        previewed = converge(node, item(node), check=True)
        report = converge(node, item(node))
        assert previewed.changes == report.changes
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
        _projects.move(str(earlier / "data"), 0)
        report = converge(node, item(node))
        assert report.failures == {}
        assert kernel.tag_of(earlier / "data/letter.txt").project == ID


class TestMoved:
    """Restoring keeps the present data aside and puts others in their place."""

    def test_what_is_kept_aside_counts_for_nobody_and_its_place_is_free(self, kernel, node):
        data = node / "velo-ecole/data"
        (data / "alice").mkdir()
        (data / "alice/letter.txt").write_text("x")
        converge(node, item(node))
        kept = node / ".kept"
        data.rename(kept)
        _projects.move(str(kept), 0)
        assert kernel.tag_of(kept / "alice/letter.txt").project == 0
        assert kernel.tag_of(kept / "alice") == _quotactl.Tag(0, inherit=False)
        data.mkdir()
        (data / "restored.txt").write_text("x")
        _projects.move(str(data), ID)
        assert kernel.tag_of(data / "restored.txt").project == ID
        assert converge(node, item(node)).result()["spaces"] == {}

    def test_where_nothing_is_counted_nothing_is_done(self, kernel, node, monkeypatch):
        monkeypatch.setattr(_quotactl, "state", lambda _descriptor: (False, False))
        _projects.move(str(node / "velo-ecole/data"), ID)
        assert kernel.calls == []
