# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""An archive that other programs read."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils import _backup, _database, _export

ZONE = "BEGIN:VTIMEZONE\r\nTZID:Europe/Paris\r\nBEGIN:STANDARD\r\nEND:STANDARD\r\nEND:VTIMEZONE"


def event(uid: str) -> str:
    inner = f"BEGIN:VEVENT\r\nUID:{uid}\r\nBEGIN:VALARM\r\nEND:VALARM\r\nEND:VEVENT"
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{ZONE}\r\n{inner}\r\nEND:VCALENDAR\r\n"


def test_many_objects_become_one_calendar():
    text = _export.calendar("Réunions, etc.", [event("a"), event("b").replace("\r\n", "\n")])
    assert text.count("BEGIN:VCALENDAR") == text.count("END:VCALENDAR") == 1
    assert text.count("BEGIN:VEVENT") == text.count("END:VEVENT") == 2
    assert text.count("BEGIN:VTIMEZONE") == 1
    assert text.count("PRODID") == 1
    assert "X-WR-CALNAME:Réunions\\, etc.\r\n" in text
    assert "\n" not in text.replace("\r\n", "")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("Réunion 1", "Réunion 1"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("..", "unnamed"),
        ("", "unnamed"),
    ],
)
def test_names_stay_inside(name: str, path: str):
    assert _export.safe(name) == path


def test_files_of_accounts_without_links_and_owners(tmp_path: Path):
    files = tmp_path / "amap/data/camille/files/dossier"
    files.mkdir(parents=True)
    (files / "a.txt").write_text("a")
    (files / "passwd").symlink_to("/etc/passwd")
    (tmp_path / "amap/data/appdata_x").mkdir()
    space = _backup.Space("amap", str(tmp_path / "amap"), "closed", "x", _database.local("/s"))
    counts, buffer = _export.Counts(), io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        _export.add_files(archive, space, counts)
    buffer.seek(0)
    with tarfile.open(fileobj=buffer) as archive:
        members = {member.name: (member.uid, member.mode) for member in archive}
    assert members == {
        "files/camille": (0, 0o755),
        "files/camille/dossier": (0, 0o755),
        "files/camille/dossier/a.txt": (0, 0o644),
    }
    assert counts.files == 1
