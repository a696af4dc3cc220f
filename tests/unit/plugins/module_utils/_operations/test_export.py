# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""An archive that other programs read."""

from __future__ import annotations

import contextlib
import json
import os
import tarfile
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _export,
    _export_files,
    _spool,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from ansible_collections.archipel.spaces.plugins.modules import spaces_export
from tests.unit.plugins.module_utils.exporting import content, export, space

__all__ = ["space"]


def test_all_that_people_made_is_in_it(space: _backup.Node, tmp_path: Path):
    made = export(space, tmp_path)
    found = content(made["path"])
    readme = found.pop("README.txt")
    assert set(found) == {
        "database.sql",
        "files/camille/dossier/a.txt",
        "group-folders/Comité - bureau-1/minutes.txt",
        "group-folders/folder-7/before-version-20.txt",
        "applications/deck/file-card-1/plan.pdf",
        "applications/collectives/1/Readme.md",
        "calendars/camille/Réunions-1.ics",
        "contacts/camille/Contacts-1.vcf",
        "tables/deck/boards.csv",
        "tables/deck/comments.csv",
    }
    assert found["calendars/camille/Réunions-1.ics"].count("BEGIN:VEVENT") == 2
    assert made["counts"] == {
        "files": 1,
        "group_folders": 2,
        "group_files": 2,
        "app_files": 2,
        "calendars": 1,
        "events": 2,
        "books": 1,
        "cards": 1,
        "tables": 2,
        "rows": 3,
        "remarks": [],
    }
    assert "2 files of 2 group folders" in readme
    assert "Not here: what is in the trash" in readme
    assert sorted(os.listdir(tmp_path / "spool")) == ["amap.json", "amap.tar.gz"]
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700


def test_owners_are_left_out(space: _backup.Node, tmp_path: Path):
    with tarfile.open(export(space, tmp_path)["path"]) as archive:
        members = list(archive)
    assert {(m.uid, m.gid, m.uname, m.mode) for m in members} == {
        (0, 0, "", 0o644),
        (0, 0, "", 0o755),
    }


def test_an_archive_that_waits_is_used_again(space: _backup.Node, tmp_path, monkeypatch):
    first = export(space, tmp_path)
    assert not first["reused"]
    (Path(space.root) / "amap/data/camille/files/new.txt").write_text("new")
    second = export(space, tmp_path)
    assert second == {**first, "reused": True}
    third = export(space, tmp_path, again=True)
    assert third["counts"]["files"] == first["counts"]["files"] + 1
    monkeypatch.setattr(_export, "FRESH", -1)
    assert not export(space, tmp_path)["reused"]


@pytest.mark.parametrize("how", ["cut", "gone", "unnoted"])
def test_an_archive_that_is_not_whole_is_not_used(space: _backup.Node, tmp_path: Path, how: str):
    path = Path(export(space, tmp_path)["path"])
    if how == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif how == "gone":
        path.unlink()
    else:
        (tmp_path / "spool/amap.json").unlink()
    assert not export(space, tmp_path)["reused"]


def test_what_fails_leaves_nothing(space: _backup.Node, tmp_path: Path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_export_files, "add_files", full)
    with pytest.raises(OSError, match="No space left"):
        export(space, tmp_path)
    assert os.listdir(tmp_path / "spool") == []


def test_what_was_killed_is_cleared_away(space: _backup.Node, tmp_path: Path):
    (tmp_path / "spool").mkdir()
    for name in ("amap.sql", "amap.tar.gz.part"):
        (tmp_path / "spool" / name).write_text("half")
    export(space, tmp_path)
    assert sorted(os.listdir(tmp_path / "spool")) == ["amap.json", "amap.tar.gz"]
    assert _export.remove(str(tmp_path / "spool"), "amap")
    assert os.listdir(tmp_path / "spool") == []
    assert not _export.remove(str(tmp_path / "spool"), "amap")


class Killed(BaseException):
    """The process is gone: nothing tidies up after it."""


@pytest.mark.parametrize("at", ["export:clear", "export:write", "export:bring"])
def test_killed_at_each_step_it_goes_on(space: _backup.Node, tmp_path: Path, monkeypatch, at: str):
    left = [at]

    def die(place: str) -> None:
        if left == [place]:
            left.clear()
            raise Killed

    monkeypatch.setattr(_journal, "die_here", die)
    with pytest.raises(Killed):
        export(space, tmp_path)
    done = export(space, tmp_path)
    assert sorted(os.listdir(tmp_path / "spool")) == ["amap.json", "amap.tar.gz"]
    assert done["counts"]["files"] == 1
    # Nothing but the transfer was left.
    assert done["reused"] == (at == "export:bring")
    assert not {"verb", "step", "direction"} & set(done)


def test_an_archive_that_was_noted_without_a_step_is_used(space: _backup.Node, tmp_path: Path):
    """As the code of before has written it."""
    first = export(space, tmp_path)
    note = tmp_path / "spool/amap.json"
    text = json.loads(note.read_text())
    note.write_text(json.dumps({key: text[key] for key in text if key not in ("verb", "step")}))
    assert export(space, tmp_path) == {**first, "reused": True}


def test_nothing_is_exported_of_what_was_left_half_way_meanwhile(space, tmp_path, monkeypatch):
    exclusive = _journal.exclusive

    @contextlib.contextmanager
    def fails_meanwhile(name, **options):
        with exclusive(name, **options):
            _journal.write("amap", {"verb": "restore", "step": "load"})
            yield

    monkeypatch.setattr(_journal, "exclusive", fails_meanwhile)
    with pytest.raises(_export.ExportError, match="a restore of it was interrupted"):
        export(space, tmp_path)
    assert os.listdir(tmp_path / "spool") == []


def test_nothing_is_exported_of_a_space_that_is_worked_on(space: _backup.Node, tmp_path: Path):
    _journal.write("amap", {"verb": "restore", "step": "load"})
    with pytest.raises(_export.ExportError, match="a restore of it was interrupted"):
        export(space, tmp_path)
    _journal.remove("amap")
    with _journal.exclusive("life-amap"), pytest.raises(_journal.JournalError, match="another run"):
        export(space, tmp_path)


def test_a_check_run_says_how_much_there_is_and_whether_it_fits(
    space: _backup.Node, tmp_path: Path, monkeypatch
):
    size = _export.preview(space, "amap", str(tmp_path / "spool"))
    assert (size.files, size.database_bytes) == (5, 1000)
    assert size.bytes == sum(map(len, ("a", "minutes", "old layout", "attachment", "page")))
    assert not (tmp_path / "spool").exists()
    monkeypatch.setattr(_spool, "RESERVE_SHARE", 1)
    with pytest.raises(_spool.SpoolError, match="make room"):
        _export.preview(space, "amap", str(tmp_path / "spool"))


def test_what_moved_meanwhile_is_said():
    assert _export.remarks(_spool.Changed()) == []
    gone, shorter = _export.remarks(_spool.Changed(gone=2, shorter=1))
    assert gone.startswith("2 files were moved or deleted")
    assert shorter.startswith("1 files became shorter")


ACCOUNT = """<?php
  'dbname' => 'space_amap',
  'dbhost' => '10.0.0.2:3306',
  'dbuser' => 'space-amap',
  'dbpassword' => 'secret',
"""


@pytest.mark.parametrize("check", [True, False])
def test_a_node_without_backups_exports_and_no_password_stays(
    space: _backup.Node, tmp_path: Path, monkeypatch, check: bool
):
    (Path(space.root) / "amap/config/managed.config.php").write_text(ACCOUNT)
    asked: list[str] = []

    def size(server: _database.Server, _name: str) -> int:
        # Read while it is there.
        asked.append(Path(server.options[0].partition("=")[2]).read_text())
        return 1000

    monkeypatch.setattr(_database, "size", size)
    monkeypatch.setattr(_backup, "CONFIGURATION", str(tmp_path / "none"))
    memory = tmp_path / "run"
    memory.mkdir()
    monkeypatch.setattr(spaces_export, "MEMORY", str(memory))
    options = {
        **dict.fromkeys(("database_socket", "database_ca"), "/s"),
        "space": "amap",
        "name": "AMAP du Val",
        "folder": str(tmp_path / "spool"),
        "root": space.root,
        "vhosts": space.vhosts,
        "again": False,
        "state": "present",
    }
    made = spaces_export.act(options, check=check)
    assert made["would"]["files"] == 5 if check else content(made["path"])["database.sql"]
    assert "secret" in asked[0]
    assert list(memory.iterdir()) == []
