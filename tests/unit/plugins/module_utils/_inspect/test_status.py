# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What a node says of its spaces."""

from __future__ import annotations

import json
import os

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._inspect import _status


@pytest.mark.parametrize("folder", ["amap", "amap/config"])
def test_a_file_where_a_folder_should_be_does_not_hide_the_others(tmp_path, monkeypatch, folder):
    monkeypatch.setattr(_journal.under_way, "__defaults__", (str(tmp_path / "life"),))
    (tmp_path / folder).parent.mkdir(exist_ok=True)
    (tmp_path / folder).touch()
    state = _status.state(str(tmp_path), "amap", {})
    assert state["pending"] == f"{tmp_path}/amap/config/config.php: Not a directory"
    assert state["installed"] is False


def test_services_that_failed_are_named(tmp_path, monkeypatch):
    """The web server answers for such a space: its page looks like that of one that wakes."""
    monkeypatch.setattr(_journal.under_way, "__defaults__", (str(tmp_path / "life"),))
    active = {
        "space-php@amap.service": "failed",
        "space-redis@amap.service": "active",
        "space-cron@amap.service": "failed",
        "space-cron@amap.timer": "active",
        "space-php@velo.service": "failed",
    }
    state = _status.state(str(tmp_path), "amap", active)
    assert state["failed"] == ["space-php@amap.service", "space-cron@amap.service"]


def test_certificates_are_those_that_somebody_has_to_look_at(tmp_path):
    """Of own domains by name; what concerns the platform is the node's."""
    trouble = {"kind": "domain", "reason": "velo.example has no address", "tries": 1, "again": 2.0}
    report = {
        "version": 1,
        "problems": ["wildcard: ends in 0.5 days: down"],
        "certificates": {
            "wildcard": {"own": False, "until": 1.0, "problem": {**trouble, "reason": "down"}},
            "velo.example": {"own": True, "until": None, "problem": trouble},
            "amap.example": {"own": True, "until": 3.0, "problem": None},
        },
    }
    (tmp_path / "report.json").write_text(json.dumps(report))
    assert _status.read_certificates(str(tmp_path / "report.json")) == (
        {"velo.example": "velo.example has no address"},
        ["wildcard: ends in 0.5 days: down"],
    )


def test_a_node_that_orders_none_has_nothing_to_say(tmp_path):
    assert _status.read_certificates(str(tmp_path / "report.json")) == ({}, [])


class TestWhatANodeHas:
    def test_is_memory_and_the_disk_that_spaces_are_on(self, tmp_path):
        (tmp_path / "meminfo").write_text("MemTotal:       16384000 kB\nMemFree: 1 kB\n")
        disk = os.statvfs(tmp_path)
        assert _status.read_room(str(tmp_path), str(tmp_path / "meminfo")) == {
            "memory_bytes": 16_384_000 * 1024,
            "disk_bytes": disk.f_blocks * disk.f_frsize,
            "disk_free_bytes": pytest.approx(disk.f_bavail * disk.f_frsize, rel=0.2),
        }

    def test_is_said_of_a_node_that_has_no_spaces_yet(self, tmp_path):
        assert _status.read_room(str(tmp_path / "none"))["disk_bytes"] > 0

    def test_is_refused_where_the_kernel_says_it_otherwise(self, tmp_path):
        (tmp_path / "meminfo").write_text("Memory: much\n")
        with pytest.raises(ValueError, match="found 'Memory: much' in its first line"):
            _status.read_room(str(tmp_path), str(tmp_path / "meminfo"))
