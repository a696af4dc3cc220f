# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What the page of status is made of: each space by itself, and what timers have written."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._inspect import _status
from ansible_collections.archipel.spaces.plugins.module_utils._system import _units
from tests.unit.plugins.module_utils.machine import own_journals

CONFIG = """<?php
$CONFIG = array (
  'installed' => true,
  'version' => '33.0.3.1',
{}
);
"""


@pytest.fixture
def node(tmp_path, monkeypatch) -> Path:
    """Return the folder of spaces of a node with one that is open, and one that is no more."""
    own_journals(tmp_path, monkeypatch)
    for name in ("USAGE", "ACCOUNTS"):
        monkeypatch.setattr(_status, name, str(tmp_path / f"{name}.json"))
    active = {
        "space-php@amap.socket": "active",
        "space-php@amap.service": "active",
        "space-cron@amap.timer": "active",
        "space-cron@velo.service": "failed",
    }
    monkeypatch.setattr(_units, "read_observed", lambda: SimpleNamespace(active=active))
    home = tmp_path / "spaces/amap"
    (home / "config").mkdir(parents=True)
    (home / "config/config.php").write_text(CONFIG.format(""))
    (home / "release").symlink_to("../../nextcloud/releases/33.0.3")
    return tmp_path / "spaces"


def read(node: Path, *slugs: str) -> dict[str, dict[str, object]]:
    return _status.read(str(node), slugs, str(node.parent / "record.json"))


def test_a_space_that_is_open(node: Path):
    (found,) = read(node, "amap").values()
    assert found["installed"] is found["open"] is found["awake"] is found["jobs"] is True
    assert (found["version"], found["release"]) == ("33.0.3.1", "33.0.3")
    assert (found["maintenance"], found["pending"], found["previous"]) == (False, None, False)
    assert (found["usage"], found["backup"], found["backup_failed"]) == (None, None, None)


def test_one_that_is_not_there_is_nothing(node: Path):
    (found,) = read(node, "velo").values()
    assert (found["installed"], found["version"], found["release"]) == (False, None, None)
    assert found["failed"] == ["space-cron@velo.service"]


def test_what_is_under_way_and_what_is_kept(node: Path):
    (node / "amap/config/config.php").write_text(CONFIG.format("  'maintenance' => true,"))
    (node / ".previous-amap").mkdir()
    _journal.write("amap", {"verb": "restore", "step": "load"})
    (found,) = read(node, "amap").values()
    assert found["maintenance"] is found["previous"] is True
    assert "playbooks/restore.yml -e only=amap" in str(found["pending"])


def test_what_timers_and_backups_have_written(node: Path):
    reports = {
        "USAGE": {"spaces": {"amap": {"bytes": 7}}},
        "ACCOUNTS": {"time": "2026-01-01T00:00:00Z", "spaces": {"amap": {"used": 3}}},
        "record": {"amap": {"backup": {"at": "1"}, "unverified": {"reason": "a pack is damaged"}}},
    }
    for name, value in reports.items():
        (node.parent / f"{name}.json").write_text(json.dumps(value))
    found = read(node, "amap", "velo")
    assert found["amap"]["usage"] == {"bytes": 7}
    # Who decides by it must know how old it is.
    assert found["amap"]["accounts"] == {"used": 3, "at": "2026-01-01T00:00:00Z"}
    assert found["amap"]["backup_failed"] == {"reason": "a pack is damaged"}
    assert found["velo"]["usage"] is None


def test_a_damaged_journal_hides_no_other_space(node: Path):
    _journal.write("amap", {"verb": "restore", "step": "load"})
    Path(_journal.path_of("amap", str(node.parent / "life"))).write_text("{")
    found = read(node, "amap", "velo")
    assert "amap.json is damaged" in str(found["amap"]["pending"])
    assert found["velo"]["pending"] is None
