# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Users of spaces: which to make, and which must not be touched."""

from __future__ import annotations

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _files
from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import Report
from ansible_collections.archipel.spaces.plugins.module_utils._system import _accounts

WANTED = {"space": "velo-ecole", "name": "space-velo-ecole", "id": 100003}


def plan(users, groups):
    report = Report()
    return _accounts.plan_users([WANTED], users, groups, report), report.failures


def test_ids_are_read_from_passwd_and_group_lines():
    lines = [
        "root:x:0:0:root:/root:/bin/sh\n",
        "# a remark\n",
        "space-x:x:100001:\n",
        "odd:x:one:\n",
    ]
    assert _accounts.parse_ids(lines) == {"root": 0, "space-x": 100001}


def test_an_existing_user_needs_nothing():
    there = {"space-velo-ecole": 100003}
    assert plan(there, there) == ([], {})


@pytest.mark.parametrize("groups", [{}, {"space-velo-ecole": 100003}])
def test_a_missing_user_is_made(groups):
    assert plan({}, groups) == ([WANTED], {})


@pytest.mark.parametrize(
    ("users", "groups", "word"),
    [
        ({"space-velo-ecole": 42}, {}, "has id 42"),
        ({}, {"space-velo-ecole": 42}, "placement.yml says 100003"),
        ({"mallory": 100003}, {}, "belongs to mallory"),
        ({}, {"mallory": 100003}, "belongs to mallory"),
    ],
)
def test_a_taken_name_or_id_fails_that_space(users, groups, word):
    missing, failures = plan(users, groups)
    assert missing == []
    assert word in failures["velo-ecole"]


def test_a_space_that_failed_is_not_declared(tmp_path, monkeypatch):
    ids = {"/etc/passwd": {"mallory": 100003}, "/etc/group": {}}
    monkeypatch.setattr(_accounts, "read_ids", ids.__getitem__)
    path = tmp_path / "spaces.conf"
    declared = {"velo-ecole": "u space-velo-ecole 100003", "amap": "u space-amap 100004"}
    monkeypatch.setattr(_files, "write_file", lambda item: path.write_text(item["content"]))
    _accounts.converge_users([WANTED], str(path), "# ours", declared, check=False)
    assert path.read_text() == "# ours\nu space-amap 100004\n"


def test_directories_are_compared_by_owner_and_mode(tmp_path):
    item = {
        "path": str(tmp_path / "x"),
        "uid": tmp_path.stat().st_uid,
        "gid": tmp_path.stat().st_gid,
    }
    assert _accounts.compare_directory({**item, "mode": 0o750}) == ["created"]
    (tmp_path / "x").mkdir(mode=0o700)
    assert _accounts.compare_directory({**item, "mode": 0o700}) == []
    assert _accounts.compare_directory({**item, "mode": 0o750}) == ["mode 0700 → 0750"]


def test_a_link_in_the_place_of_a_directory_is_refused(tmp_path):
    (tmp_path / "x").symlink_to("/etc")
    item = {"path": str(tmp_path / "x"), "uid": 0, "gid": 0, "mode": 0o755}
    assert _accounts.compare_directory(item) == ["not a directory"]


def test_a_file_in_the_place_of_a_space_fails_that_space_only(tmp_path, monkeypatch):
    (tmp_path / "amap").touch()
    own = {"uid": tmp_path.stat().st_uid, "gid": tmp_path.stat().st_gid, "mode": 0o750}
    wanted = [
        {"space": slug, "path": str(tmp_path / path), **own}
        for slug, path in (("amap", "amap"), ("amap", "amap/config"), ("velo", "velo"))
    ]

    def tmpfiles(_command):
        (tmp_path / "velo").mkdir(mode=0o750)
        return 0, ""

    monkeypatch.setattr(_accounts, "run", tmpfiles)
    monkeypatch.setattr(_accounts, "declare", lambda *_arguments, **_options: False)
    report = _accounts.converge_directories(wanted, "", "", check=False)
    assert report.failures == {
        "amap": f"{tmp_path}/amap is not a directory: move it away and run again"
    }
    assert set(report.changes) == {"velo"}


def test_an_access_list_that_cannot_be_removed_fails_its_space(tmp_path, monkeypatch):
    monkeypatch.setattr(_files, "list_access_lists", lambda _path: ["user.none"])
    report = Report()
    _accounts.remove_access_lists({"space": "amap", "path": str(tmp_path)}, report)
    assert set(report.failures) == {"amap"}
