# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A folder of the node with a limit of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._system import (
    _filesystem,
    _folder_quota,
    _quotactl,
    _quotas,
)
from tests.unit.plugins.module_utils.kernel import GIB, ID, Kernel, kernel, node

__all__ = ["kernel", "node"]

PROJECT = 33


def folder(node: Path, gigabytes: int = 18) -> _folder_quota.Folder:
    return _folder_quota.Folder(str(node.parent / "bodies"), PROJECT, gigabytes * GIB)


def converge(node: Path, *, check: bool = False, backend: str = "auto", **wanted: int) -> list[str]:
    return _folder_quota.converge(folder(node, **wanted), backend, check=check)


@pytest.fixture
def bodies(kernel: Kernel, node: Path) -> Path:
    """The folder, with something from before it had a limit."""
    path = node.parent / "bodies"
    path.mkdir()
    (path / "0000000001").write_text("what somebody sent")
    return path


def test_it_gets_its_project_and_its_limit_with_what_is_in_it(kernel, node, bodies):
    assert converge(node) == [f"{bodies}: at most 18 GB"]
    assert kernel.limits == {PROJECT: (18 * GIB, 0)}
    assert kernel.tag_of(bodies) == _quotactl.Tag(PROJECT, inherit=True)
    assert kernel.tag_of(bodies / "0000000001") == _quotactl.Tag(PROJECT, inherit=False)


def test_a_second_run_changes_nothing(kernel, node, bodies):
    converge(node)
    kernel.calls.clear()
    assert converge(node) == []
    assert kernel.calls == []


def test_another_limit_is_one_call(kernel, node, bodies):
    converge(node)
    kernel.calls.clear()
    assert converge(node, gigabytes=5) == [f"{bodies}: at most 5 GB"]
    assert kernel.calls == ["limit"]
    assert kernel.limits == {PROJECT: (5 * GIB, 0)}


def test_a_check_run_says_what_a_real_run_does(kernel, node, bodies):
    previewed = converge(node, check=True)
    assert kernel.calls == []
    assert previewed == converge(node)


def test_a_check_run_is_ahead_of_the_folder(kernel, node):
    """It is made by the task before, which makes nothing then either."""
    assert converge(node, check=True) == [f"{node.parent}/bodies: at most 18 GB"]
    with pytest.raises(_folder_quota.FolderError, match="found no directory"):
        converge(node)


def test_where_limits_are_given_up_nothing_is_done(kernel, node, bodies):
    assert converge(node, backend="none") == []
    assert kernel.calls == []


def test_a_file_system_that_keeps_no_limit_is_refused(kernel, node, bodies, monkeypatch):
    found = _filesystem.Filesystem(str(bodies), "/", "btrfs", "/dev/vdb", False, False)
    monkeypatch.setattr(_filesystem, "find", lambda _path: found)
    with pytest.raises(_filesystem.FilesystemError, match="found btrfs, allowed: ext4 or xfs"):
        converge(node)


def test_a_link_in_its_place_is_refused(kernel, node):
    """Its limit would be another folder's."""
    (node.parent / "bodies").symlink_to(node)
    with pytest.raises(_folder_quota.FolderError, match="one that is no link"):
        converge(node)
    assert kernel.calls == []


def test_the_folder_of_somebody_with_a_limit_is_refused(kernel, node, bodies):
    kernel.tags[bodies.stat().st_ino] = _quotactl.Tag(ID, inherit=True)
    with pytest.raises(_folder_quota.FolderError, match=f"carries project {ID}, not {PROJECT}"):
        converge(node)
    assert kernel.calls == []


@pytest.mark.parametrize(("path", "refused"), [("/var/other", True), ("bodies", False)])
def test_a_number_that_is_given_away_is_refused(kernel, node, bodies, monkeypatch, path, refused):
    claimed = str(bodies) if path == "bodies" else path
    monkeypatch.setattr(_quotas, "read_claims", lambda: {PROJECT: [claimed]})
    if not refused:
        assert converge(node)
        return
    with pytest.raises(_folder_quota.FolderError, match="/var/other: remove that line"):
        converge(node)
    assert kernel.calls == []
