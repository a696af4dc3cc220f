# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Rows are counted as they go by."""

from __future__ import annotations

import hashlib

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database

# As mariadb-dump 11.8 writes it.
DUMP = b"""/*M!999999\\- enable the sandbox mode */
CREATE TABLE `oc_a` (
  `id` int(11) NOT NULL
);
INSERT INTO `oc_a` VALUES
(1,'INSERT INTO `oc_b` VALUES'),
(2,'a\\nb');
CREATE TABLE `oc_empty` (
  `id` int(11) NOT NULL
);
CREATE TABLE `oc_b` (
  `id` int(11) NOT NULL
);
INSERT INTO `oc_b` VALUES
(0x00);
INSERT INTO `oc_b` VALUES
(0x01);
"""


def test_rows_are_counted_per_table():
    counted = _database.Counted()
    for line in DUMP.splitlines(keepends=True):
        counted.line(line)
    assert counted.tables == {"oc_a": 2, "oc_empty": 0, "oc_b": 2}
    assert counted.length == len(DUMP)
    assert counted.digest.hexdigest() == hashlib.sha256(DUMP).hexdigest()


def test_lines_of_a_table_s_definition_are_no_rows():
    counted = _database.Counted()
    for line in (b"INSERT INTO `t` VALUES\n", b"/*!40000 ALTER TABLE */;\n", b"(1)\n"):
        counted.tables.setdefault("t", 0)
        counted.line(line)
    assert counted.tables == {"t": 0}


def test_a_value_stays_a_value():
    assert _database.text("a'b\\c") == "'a''b\\\\c'"


def client(tmp_path, monkeypatch, script: str) -> None:
    """Put a client of the test's own first in PATH."""
    (tmp_path / "mariadb").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "mariadb").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")


def test_rows_come_one_by_one(tmp_path, monkeypatch):
    """The client never ends by itself: who waited for all rows would wait for ever."""
    client(tmp_path, monkeypatch, "while :; do printf '1\\tcamille\\n'; done")
    found = _database.rows(_database.local("/s"), "SELECT 1", "space_amap")
    assert [next(found) for _ in range(3)] == [["1", "camille"]] * 3
    found.close()


def test_rows_that_break_off_are_said(tmp_path, monkeypatch):
    client(tmp_path, monkeypatch, "printf '1\\n'; echo 'ERROR 2013: Lost connection' >&2; exit 1")
    found = _database.rows(_database.local("/s"), "SELECT 1", "space_amap")
    assert next(found) == ["1"]
    with pytest.raises(_database.DatabaseError, match="Lost connection"):
        next(found)


def test_no_rows_are_none(tmp_path, monkeypatch):
    client(
        tmp_path,
        monkeypatch,
        'case "$*" in *--quick*--execute=SELECT*space_amap) ;; *) exit 9 ;; esac',
    )
    assert list(_database.rows(_database.local("/s"), "SELECT 1", "space_amap")) == []
