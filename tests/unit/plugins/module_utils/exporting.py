# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A space with something of everything: for the tests of exports."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _export,
    _spool,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from tests.unit.plugins.module_utils.machine import own_journals

ZONE = "BEGIN:VTIMEZONE\r\nTZID:Europe/Paris\r\nBEGIN:STANDARD\r\nEND:STANDARD\r\nEND:VTIMEZONE"


def event(uid: str) -> str:
    inner = f"BEGIN:VEVENT\r\nUID:{uid}\r\nBEGIN:VALARM\r\nEND:VALARM\r\nEND:VEVENT"
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{ZONE}\r\n{inner}\r\nEND:VCALENDAR\r\n"


DAV = {
    "calendars": [["1", "principals/users/camille", "Réunions"]],
    "calendarobjects": [[event("a")], [event("b")]],
    "addressbooks": [
        ["1", "principals/users/camille", "Contacts"],
        ["2", "principals/system/x", "y"],
    ],
    "cards": [["BEGIN:VCARD\r\nFN:Nadia\r\nEND:VCARD"]],
}


# Table and its columns, and its rows.
COLUMNS = [
    *(["oc_comments", name, kind] for name, kind in (("id", "bigint"), ("message", "longtext"))),
    *(["oc_deck_boards", name, kind] for name, kind in (("id", "int"), ("title", "varchar"))),
    ["oc_forms_v2_forms", "id", "int"],
    ["oc_users", "uid", "varchar"],
]
TABLES: dict[str, list[list[Any]]] = {
    "oc_deck_boards": [[1, "Potager d’été 🌻"], [2, '=HYPERLINK("https://x.example")']],
    "oc_comments": [[7, "Qui\nvient\t?"]],
    "oc_forms_v2_forms": [],
}


def rows(_server, sql: str, _database: str) -> list[list[str]]:
    """Answer as MariaDB does."""
    if "JSON_ARRAY" in sql:
        found = TABLES[sql.partition("FROM `")[2].partition("`")[0]]
        return [[json.dumps(row).encode().hex()] for row in found]
    table = sql.partition("FROM oc_")[2].split()[0]
    found = DAV[table]
    if len(found[0]) == 1:
        return [[row[0].encode().hex()] for row in found]
    return [[*row[:2], row[2].encode().hex()] for row in found]


def here(tmp_path: Path) -> _backup.Node:
    """Return a node that keeps no backups."""
    return _backup.Node(
        root=str(tmp_path / "spaces"),
        vhosts=str(tmp_path / "vhosts"),
        work=str(tmp_path / "work"),
        socket="/s",
        database_ca="/ca",
    )


@pytest.fixture
def space(tmp_path, monkeypatch) -> _backup.Node:
    """Return where a space is that holds one of everything."""
    home = tmp_path / "spaces/amap"
    for name, text in {
        "config/config.php": "<?php\n$CONFIG = array (\n  'installed' => true,\n);\n",
        "data/camille/files/dossier/a.txt": "a",
        "data/camille/files_trashbin/files/old.txt": "gone",
        "data/camille/files_versions/a.txt.v1": "earlier",
        "data/__groupfolders/1/files/minutes.txt": "minutes",
        "data/__groupfolders/1/trash/x": "gone",
        "data/__groupfolders/7/before-version-20.txt": "old layout",
        "data/appdata_x/deck/file-card-1/plan.pdf": "attachment",
        "data/appdata_x/collectives/1/Readme.md": "page",
        "data/appdata_x/preview/1/2/x.png": "cache",
        "data/appdata_x/js/core/x.js": "cache",
    }.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    (home / "data/camille/files/passwd").symlink_to("/etc/passwd")
    own_journals(tmp_path, monkeypatch)
    known = [f"oc_{name}" for name in (*DAV, "group_folders")]
    monkeypatch.setattr(_database, "tables", lambda *_: known)
    monkeypatch.setattr(_database, "rows", rows)

    def run(_server, sql: str, *_: str) -> list[list[str]]:
        return COLUMNS if "information_schema" in sql else [["1", "Comité/bureau".encode().hex()]]

    monkeypatch.setattr(_database, "run", run)
    monkeypatch.setattr(_database, "size", lambda *_: 1000)

    def dump(_server, _name, path: str) -> None:
        Path(path).write_text("CREATE TABLE")

    monkeypatch.setattr(_database, "dump", dump)
    monkeypatch.setattr(_spool, "RESERVE_BYTES", 0)
    monkeypatch.setattr(_spool, "RESERVE_SHARE", 10**9)
    return here(tmp_path)


def export(space: _backup.Node, tmp_path: Path, **options: bool) -> dict[str, Any]:
    return _export.export(space, "amap", "AMAP du Val", str(tmp_path / "spool"), **options)


def content(path: str) -> dict[str, str]:
    with tarfile.open(path) as archive:
        return {
            member.name: archive.extractfile(member).read().decode()  # type: ignore[union-attr]
            for member in archive
            if member.isreg()
        }
