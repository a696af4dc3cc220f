# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What applications keep in tables, as any spreadsheet reads it."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _export_tables,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from tests.unit.plugins.module_utils.exporting import content, export, space

__all__ = ["space"]


def test_each_table_is_a_file_with_its_columns(space: _backup.Node, tmp_path: Path):
    found = content(export(space, tmp_path)["path"])
    boards = list(csv.reader(io.StringIO(found["tables/deck/boards.csv"], newline="")))
    assert boards[:2] == [["id", "title"], ["1", "Potager d’été 🌻"]]
    comments = list(csv.reader(io.StringIO(found["tables/deck/comments.csv"], newline="")))
    # Whatever people typed is one cell.
    assert comments[1] == ["7", "Qui\nvient\t?"]
    assert "3 rows" in found["README.txt"]


def test_what_somebody_typed_is_no_formula(space: _backup.Node, tmp_path: Path):
    found = content(export(space, tmp_path)["path"])["tables/deck/boards.csv"]
    assert list(csv.reader(io.StringIO(found)))[2][1] == '\'=HYPERLINK("https://x.example")'


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        (-5, "-5"),
        (0.5, "0.5"),
        ("", ""),
        ("été", "été"),
        ("+33 1", "'+33 1"),
        ("-5", "'-5"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ({"é": [1]}, '{"é": [1]}'),
        (["=1"], '["=1"]'),
    ],
)
def test_cells(value: object, cell: str):
    assert _export_tables.text(value) == cell


def test_comments_belong_to_an_application_that_is_there():
    columns = [["oc_comments", "id", "int"], ["oc_talk_rooms", "id", "int"]]
    (rooms, comments) = _export_tables.plan(columns)
    assert (rooms.path, comments.path) == ("tables/talk/rooms.csv", "tables/talk/comments.csv")
    assert comments.query.endswith("FROM `oc_comments` WHERE object_type = 'chat'")
    assert _export_tables.plan([["oc_comments", "id", "int"], ["oc_users", "uid", "text"]]) == []


def test_what_is_not_text_is_written_in_hexadecimal():
    (table,) = _export_tables.plan([["oc_polls_x", "a`b", "varbinary"]])
    assert "CONCAT('0x', HEX(`a``b`))" in table.query


def test_a_row_that_the_server_does_not_let_through_is_said(
    space: _backup.Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_database, "rows", lambda *_: [["NULL"]])
    found = _backup.read_space(space, "amap")
    (table,) = _export_tables.plan([["oc_polls_polls", "id", "int"]])
    with pytest.raises(_database.DatabaseError, match="max_allowed_packet"):
        list(_export_tables.read(found, table))


def test_half_a_character_spoils_no_table(
    space: _backup.Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_database, "rows", lambda *_: [[b'["a\xf0\x9f"]'.hex()]])
    found = _backup.read_space(space, "amap")
    (table,) = _export_tables.plan([["oc_polls_polls", "title", "varchar"]])
    assert list(_export_tables.read(found, table)) == [["a\ufffd"]]
