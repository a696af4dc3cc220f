# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Users, directories, files, limits: what fails early is left out later."""

from __future__ import annotations

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import Report
from ansible_collections.archipel.spaces.plugins.module_utils._system import (
    _accounts,
    _quotas,
    _tree,
)
from ansible_collections.archipel.spaces.plugins.module_utils._web import _managed_files

WANTED = {
    "node": {"directories": [], "files": [{"space": "/etc/unit"}]},
    "names": {
        "directory": "/nowhere",
        "path": "/x",
        "header": "",
        "served": [],
        "server": {},
        "known": {},
    },
    "users": {"wanted": []},
    "directories": {"wanted": [{"space": "amap"}, {"space": "velo"}]},
    "files": [{"space": slug, "kind": "php"} for slug in ("amap", "velo", "fanfare")],
    "quotas": {"wanted": [{"space": "amap"}, {"space": "velo"}, {"space": "fanfare"}]},
}


def empty():
    """Return what a part says that had nothing to do."""
    report = Report()
    report.facts["kinds"] = {}
    return report


@pytest.fixture
def seen(monkeypatch):
    """Which spaces each part was asked for; the first fails amap, the second velo."""
    asked = {}

    def part(name, failing):
        def converge(*arguments, check, **options):
            items = options["wanted"] if "wanted" in options else arguments[0]
            # Nobody's vhost is to change here.
            if name == "files" and not [item for item in items if item["kind"] == "php"]:
                return empty()
            asked[name] = [item["space"] for item in items]
            report = Report()
            report.fail(failing, f"its {name}")
            report.change("fanfare", name)
            report.facts[name] = True
            report.facts["kinds"] = {}
            return report

        return converge

    monkeypatch.setattr(_accounts, "converge_users", part("users", "amap"))
    monkeypatch.setattr(_accounts, "converge_directories", part("directories", "velo"))
    monkeypatch.setattr(_managed_files, "converge", part("files", "nobody"))
    monkeypatch.setattr(_quotas, "converge", part("quotas", "nobody"))

    def node(_wanted, *, check, diff):
        report = Report()
        report.change("/etc/unit", "content")
        report.diff("/etc/unit", "", "new")
        return report

    monkeypatch.setattr(_managed_files, "converge_node", node)
    return asked


def test_a_space_that_failed_is_left_out_of_what_follows(seen):
    _tree.converge(WANTED, check=False, diff=False)
    assert seen["directories"] == ["velo"]
    assert seen["files"] == seen["quotas"] == ["fanfare"]


@pytest.mark.usefixtures("seen")
def test_the_reports_become_one():
    result = _tree.converge(WANTED, check=False, diff=False).result()
    assert result["spaces"] == {"fanfare": ["users", "directories", "files", "quotas"]}
    assert result["node"] == ["/etc/unit: content"]
    assert result["diff"][0]["after"] == "new"
    assert result["failed_spaces"] == {
        "amap": "its users",
        "nobody": "its files",
        "velo": "its directories",
    }
    assert result["files"]


@pytest.mark.parametrize("check", [True, False])
def test_a_check_run_tells_what_changed_vhosts_would_hold(check):
    report = Report()
    report.facts["kinds"] = {"vhost": ["amap", "velo"], "php": ["fanfare"]}
    items = [
        {"space": "amap", "kind": "vhost", "content": ""},
        {"space": "amap", "kind": "vhost", "content": "amap.example"},
        {"space": "velo", "kind": "vhost", "content": "velo.example"},
        {"space": "fanfare", "kind": "vhost", "content": "fanfare.example"},
    ]
    assert _tree.list_expected(items, report) == {"amap": "amap.example", "velo": "velo.example"}
    empty_run = {**WANTED, "files": []}
    empty_report = Report()
    empty_report.facts["kinds"] = {}
    _tree.converge_names(empty_run, empty_report, check=check, diff=False)
    assert ("vhosts" in empty_report.facts) is check
