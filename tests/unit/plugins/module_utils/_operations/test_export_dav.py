# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Calendars and address books that programs read."""

from __future__ import annotations

import json
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _export_dav,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from tests.unit.plugins.module_utils.exporting import event, export, space

__all__ = ["space"]


def test_many_objects_become_one_calendar():
    text = "".join(
        _export_dav.calendar("Réunions, etc.", [event("a"), event("b").replace("\r\n", "\n")])
    )
    assert text.count("BEGIN:VCALENDAR") == text.count("END:VCALENDAR") == 1
    assert text.count("BEGIN:VEVENT") == text.count("END:VEVENT") == 2
    assert text.count("BEGIN:VTIMEZONE") == 1
    assert text.count("PRODID") == 1
    assert "X-WR-CALNAME:Réunions\\, etc.\r\n" in text
    assert "\n" not in text.replace("\r\n", "")


def test_a_space_without_calendars_is_said(space: _backup.Node, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(_database, "tables", lambda *_: ["oc_accounts"])
    made = export(space, tmp_path)
    assert made["counts"]["remarks"] == [
        "Its Nextcloud keeps no calendars: there are none here.",
        "Its Nextcloud keeps no address books: there are none here.",
    ]
    note = json.loads((tmp_path / "spool/amap.json").read_text())
    assert note["counts"] == made["counts"]
