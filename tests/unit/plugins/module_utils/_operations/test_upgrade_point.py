# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What is written down before an upgrade comes back as it was, or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._operations import _upgrade_point
from ansible_collections.archipel.spaces.plugins.module_utils._operations._upgrade_job import (
    UpgradeError,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from tests.unit.plugins.module_utils.upgrading import database, job, read, settings

__all__ = ["database", "settings"]


def test_files_come_back_as_they_were_and_those_that_were_not_there_go(settings):
    one = job(settings, direction="back", failed_at="upgrade")
    os.makedirs(one.point)
    for path, text in (
        (f"{one.point}/config.php", "old"),
        (f"{one.home}/config/config.php", "new"),
        (f"{one.home}/.applied", "new"),
    ):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    _upgrade_point.files(one)
    assert read(f"{one.home}/config/config.php") == "old"
    assert not os.path.exists(f"{one.home}/.applied")


def test_half_a_dump_is_not_kept(settings, monkeypatch):
    def full(_server, _name, path):
        with open(path, "w", encoding="ascii") as file:
            file.write("half")
        raise OSError("No space left on device")

    monkeypatch.setattr(_database, "dump", full)
    one = job(settings)
    for step in (_upgrade_point.dump, _upgrade_point.keep):
        with pytest.raises(OSError, match="No space"):
            step(one)
        assert os.listdir(one.folder) == []


def test_a_damaged_dump_is_not_taken_for_the_space(settings, monkeypatch):
    one = job(settings, direction="back", failed_at="upgrade")
    os.makedirs(one.point)
    with open(f"{one.point}/database.sql", "w", encoding="utf-8") as file:
        file.write("CREATE TABLE `x` (\n")
    with open(f"{one.point}/point.json", "w", encoding="utf-8") as file:
        described = {"release": "33.0.9", "to": "34.0.4", "version": "33.0.9.1", "at": 0}
        json.dump({**described, "sha256": "0"}, file)
    # The database is not emptied for it.
    monkeypatch.setattr(_database, "load", None)
    with pytest.raises(UpgradeError, match=r"database.sql is not what was written"):
        _upgrade_point.load(one)
    assert "loading" not in one.journal


SQL = b"CREATE TABLE `oc_a` (\nINSERT INTO `oc_a` VALUES\n(1),\n(2);\n"


class Server:
    """A database server with one database, which a test can have lose rows."""

    def __init__(self, monkeypatch, sql: bytes = SQL):
        self.sql, self.refuses = sql, 0
        self.tables: dict[str, int] = {}
        for name in ("dump", "load", "counts", "run"):
            monkeypatch.setattr(_database, name, getattr(self, name))

    def dump(self, _server, _name, path):
        with open(path, "wb") as file:
            file.write(self.sql)
        return self.read(self.sql.splitlines(keepends=True))

    def load(self, _server, _name, source):
        counted = self.read(source)
        self.tables = dict(counted.tables)
        return counted

    def counts(self, _server, _name):
        return self.tables

    def run(self, _server, _sql):
        self.refuses -= 1
        if self.refuses >= 0:
            raise _database.DatabaseError("it is coming back")

    def read(self, lines):
        counted = _database.Counted()
        for line in lines:
            counted.line(line)
        return counted


def write(one, name, text):
    with open(f"{one.home}/{name}", "w", encoding="utf-8") as file:
        file.write(text)


def test_a_point_holds_what_a_rollback_needs_and_says_so_last(settings, monkeypatch):
    Server(monkeypatch)
    one = job(settings, probe=["camille", "1"], pages={"/apps/files/": 200})
    write(one, "config/config.php", "state")
    saved = []
    save = _journal.save

    def last(path, value):
        saved.append(sorted(os.listdir(one.point)))
        save(path, value)

    monkeypatch.setattr(_journal, "save", last)
    _upgrade_point.dump(one)
    # A folder without its description counts for nothing.
    assert saved == [["config.php", "database.sql"]]
    point = _upgrade_point.read_point(one.point)
    assert (point["release"], point["to"], point["tables"]) == ("33.0.9", "34.0.4", {"oc_a": 2})
    assert (point["bytes"], point["sha256"]) == (len(SQL), hashlib.sha256(SQL).hexdigest())
    assert (point["probe"], point["pages"]) == (["camille", "1"], {"/apps/files/": 200})
    assert read(f"{one.point}/config.php") == "state"


def test_a_database_without_tables_is_no_point(settings, monkeypatch):
    Server(monkeypatch, b"")
    one = job(settings)
    with pytest.raises(UpgradeError, match="has no table: there is nothing to keep"):
        _upgrade_point.dump(one)
    assert not os.path.exists(one.point)


def test_what_was_written_down_comes_back_with_all_its_rows(settings, monkeypatch):
    server, one = Server(monkeypatch), job(settings)
    write(one, "config/config.php", "old")
    _upgrade_point.dump(one)
    write(one, "config/config.php", "new")
    back = replace(one, journal={**one.journal, "direction": "back", "failed_at": "upgrade"})
    _upgrade_point.load(back)
    _upgrade_point.files(back)
    assert server.tables == {"oc_a": 2}
    assert read(f"{one.home}/config/config.php") == "old"
    # From there on there is only the way through, also for whoever goes on.
    assert (_journal.read("amap") or {})["loading"]


def test_rows_that_did_not_arrive_are_no_rollback(settings, monkeypatch):
    server, one = Server(monkeypatch), job(settings)
    _upgrade_point.dump(one)
    monkeypatch.setattr(_database, "counts", lambda *_: {"oc_a": 1})
    back = replace(one, journal={**one.journal, "direction": "back", "failed_at": "check"})
    with pytest.raises(UpgradeError, match="other rows in: oc_a"):
        _upgrade_point.load(back)
    assert server.tables == {"oc_a": 2}


def test_the_present_state_is_kept_whole_before_an_older_one_comes(settings, monkeypatch):
    Server(monkeypatch)
    one = job(settings, direction="undo")
    os.makedirs(one.folder)
    _upgrade_point.keep(one)
    assert os.listdir(one.folder) == ["undone.sql"]
    assert read(f"{one.folder}/undone.sql").encode() == SQL


@pytest.mark.parametrize("seconds", [60, -1])
def test_a_server_that_is_coming_back_is_waited_for(settings, monkeypatch, seconds):
    server = Server(monkeypatch)
    server.refuses = 3
    monkeypatch.setattr(_upgrade_point, "DATABASE_SECONDS", seconds)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    if seconds > 0:
        _upgrade_point.wait_for_database(job(settings))
    else:
        with pytest.raises(_database.DatabaseError, match="coming back"):
            _upgrade_point.wait_for_database(job(settings))
