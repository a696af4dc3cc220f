# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Small files and folders: what is read, what is listed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _files


def test_all_that_is_below_a_folder_is_listed_and_links_are_not_followed(tmp_path: Path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").touch()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").touch()
    (tmp_path / "a/link").symlink_to(tmp_path / "outside")
    found = {os.path.relpath(entry.path, tmp_path) for entry in _files.list_tree(f"{tmp_path}/a")}
    assert found == {"a/b", "a/b/file", "a/link"}


def test_a_folder_that_cannot_be_read_is_no_empty_one(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        list(_files.list_tree(str(tmp_path / "missing")))


def test_a_link_in_the_place_of_a_file_is_none_of_ours(tmp_path: Path):
    (tmp_path / "real").write_text("x")
    (tmp_path / "link").symlink_to("real")
    state = _files.read_file(str(tmp_path / "link"))
    assert state is not None
    assert state.content is None
    assert _files.read_text(str(tmp_path / "link")) == ""
    assert _files.read_file(str(tmp_path / "missing")) is None


def test_names_are_those_of_one_suffix_and_of_no_file_that_is_being_written(tmp_path: Path):
    for name in ("amap.conf", "velo.conf.bak", ".archipel-x.conf"):
        (tmp_path / name).touch()
    assert _files.list_names(str(tmp_path), ".conf") == {"amap"}
    assert _files.list_names(str(tmp_path / "missing"), ".conf") == set()
