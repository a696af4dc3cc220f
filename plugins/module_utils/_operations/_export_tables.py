# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What applications keep in tables alone, as CSV: boards, forms, polls, tables, conversations.

These applications have no format of their own that the node could write without waking the space.
Any spreadsheet reads CSV (RFC 4180, UTF-8), and the columns say what is whose.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
import typing as t
from dataclasses import dataclass

from ansible_collections.archipel.spaces.plugins.module_utils._operations import _backup, _spool
from ansible_collections.archipel.spaces.plugins.module_utils._operations._export_files import (
    PREFIX,
    Counts,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database, _mariadb

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import Json

# Nextcloud keeps comments of all applications in one table.
COMMENTS = f"{PREFIX}comments"
BINARY = frozenset(
    {"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "bit", "geometry"}
)
# What a spreadsheet would take for a formula: somebody else may have written it.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
# What is not text is written so that it is no formula, and can be had back.
HEXADECIMAL = "0x"


@dataclass(frozen=True)
class Application:
    """One that keeps what people made in tables."""

    # Of the folder in the archive.
    name: str
    # Its tables begin so, after the prefix of all.
    begins: str
    # What its comments are about, if they are in the common table.
    comments: str = ""


APPLICATIONS = (
    Application("deck", "deck_", "deckCard"),
    Application("forms", "forms_"),
    Application("polls", "polls_"),
    Application("tables", "tables_"),
    Application("talk", "talk_", "chat"),
)


@dataclass(frozen=True)
class Table:
    """One file of the archive."""

    path: str
    table: str
    # Name and type of each column, in their order.
    columns: tuple[tuple[str, str], ...]
    where: str = ""

    @property
    def query(self) -> str:
        """The statement that returns each row as one value."""
        cells = ", ".join(_cell(name, kind) for name, kind in self.columns)
        # Whatever the locale of this process: emojis are people's words as well.
        head = "SET NAMES utf8mb4; SELECT HEX(JSON_ARRAY("
        return f"{head}{cells})) FROM {_mariadb.quote(self.table)}{self.where}"


def _cell(name: str, kind: str) -> str:
    column = _mariadb.quote(name)
    return f"CONCAT('{HEXADECIMAL}', HEX({column}))" if kind in BINARY else column


def plan(columns: t.Iterable[t.Sequence[str]]) -> list[Table]:
    """Return the files that there will be. Pure.

    Args:
        columns: table, column and type, in the order of the columns.

    """
    found: dict[str, list[tuple[str, str]]] = {}
    for table, name, kind in columns:
        found.setdefault(table, []).append((name, kind))
    planned = []
    for one in APPLICATIONS:
        own = sorted(table for table in found if table.startswith(PREFIX + one.begins))
        folder = f"tables/{one.name}"
        for table in own:
            path = f"{folder}/{table.removeprefix(PREFIX + one.begins)}.csv"
            planned.append(Table(path, table, tuple(found[table])))
        if own and one.comments and COMMENTS in found:
            where = f" WHERE object_type = {_database.text(one.comments)}"
            path = f"{folder}/comments.csv"
            planned.append(Table(path, COMMENTS, tuple(found[COMMENTS]), where))
    return planned


def text(value: Json) -> str:
    """Return a value as a cell; what people typed is no formula of a spreadsheet. Pure."""
    if value is None:
        return ""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return str(value)


def read(space: _backup.Space, table: Table) -> t.Generator[list[str], None, None]:
    """Yield row after row, however many there are.

    Raises:
        DatabaseError: the server says no, or a row is longer than it lets through.

    """
    for (row,) in _database.rows(space.server, table.query, space.database):
        if row == "NULL":
            raise _database.DatabaseError(
                f"a row of {table.table} is longer than max_allowed_packet of MariaDB: raise that"
            )
        # Columns of text may hold what is none: an emoji that was cut in half.
        values = json.loads(bytes.fromhex(row).decode("utf-8", "replace"), strict=False)
        yield [text(value) for value in values]


def write(file: t.IO[bytes], space: _backup.Space, table: Table) -> int:
    """Write a table; return how many rows it has."""
    number = 0
    wrapped = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(wrapped)
    writer.writerow([name for name, _kind in table.columns])
    for row in read(space, table):
        writer.writerow(row)
        number += 1
    wrapped.detach()
    return number


def columns(space: _backup.Space) -> list[list[str]]:
    """Return table, column and type of everything in a database, in the order of the columns."""
    sql = (
        "SELECT table_name, column_name, data_type FROM information_schema.columns "
        f"WHERE table_schema = {_database.text(space.database)} "
        "ORDER BY table_name, ordinal_position"
    )
    return _database.run(space.server, sql)


def add_tables(archive: _spool.Archive, space: _backup.Space, counts: Counts, folder: str) -> None:
    """Add what applications keep in tables; one that has nothing is left out."""
    for table in plan(columns(space)):
        with tempfile.TemporaryFile(dir=folder) as file:
            number = write(file, space, table)
            size = file.tell()
            file.seek(0)
            if number:
                archive.add(table.path, file, size)
                counts.tables += 1
                counts.rows += number
