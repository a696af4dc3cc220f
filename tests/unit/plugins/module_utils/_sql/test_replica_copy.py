# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A server takes a copy of another one: what goes first, what is loaded, and what if it ends."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _files
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _replica_copy
from ansible_collections.archipel.spaces.plugins.module_utils._sql._replication import (
    ReplicationError,
)

# Says what it was called with, and in which order; then what it is told to say.
DUMP = """\
#!/bin/sh
echo "dump $*" >> "$LOG"
cat "${1#--defaults-file=}" >> "$LOG"
echo 'CREATE DATABASE x;'
%s
"""
LOAD = """\
#!/bin/sh
echo "load $*" >> "$LOG"
cat >> "$LOG"
%s
"""


class Cursor:
    """A server that has two databases and an account, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._rows: list[t.Any] = []
        self.description: list[tuple[str]] = []

    def execute(self, sql: str, values: t.Sequence[t.Any] = ()) -> None:
        self.asked.append(f"{sql} {' '.join(map(str, values))}".strip())
        self._rows = []
        if sql.startswith("SELECT SCHEMA_NAME"):
            self._rows = [("space_a",), ("we`ird",)]
        elif sql.startswith("SELECT User"):
            self._rows = [("space-a", "10.0.0.1")]
        elif sql.startswith("SELECT @@global"):
            self._rows = [(1, 1)]

    def fetchone(self) -> t.Any:
        return self._rows[0] if self._rows else None

    def fetchall(self) -> list[t.Any]:
        return self._rows


class Lab(t.NamedTuple):
    """A folder with programs that only write down what they are called with."""

    folder: Path

    def programs(self, dump: str = "exit 0", load: str = "exit 0") -> None:
        """Put the programs in their place."""
        for name, text in (("mariadb-dump", DUMP % dump), ("mariadb", LOAD % load)):
            path = self.folder / "bin" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            path.chmod(0o755)

    @property
    def options(self) -> str:
        return str(self.folder / "run/replica.cnf")

    def log(self) -> list[str]:
        return (self.folder / "log").read_text().splitlines()


SOURCE = _replica_copy.Source("10.0.0.2", 3306, "secret#1", "/ca.pem", "/run/socket")


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setattr(os, "fchown", lambda *_: None)
    monkeypatch.setattr(os, "chown", lambda *_, **__: None)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    found = Lab(tmp_path)
    found.programs()
    return found


def test_what_the_server_has_goes_first_and_is_written_to_no_log():
    cursor = Cursor()
    _replica_copy.empty(cursor)
    assert cursor.asked[0] == "SET SESSION sql_log_bin = 0"
    assert "DROP DATABASE `space_a`" in cursor.asked
    assert "DROP DATABASE `we``ird`" in cursor.asked
    assert "DROP USER %s@%s space-a 10.0.0.1" in cursor.asked
    kept = next(sql for sql in cursor.asked if sql.startswith("SELECT User"))
    assert kept.endswith("root mysql mariadb.sys PUBLIC")
    assert cursor.asked[-2:] == ["RESET MASTER", "SET GLOBAL gtid_slave_pos = ''"]


def test_accounts_come_before_data_over_tls_and_no_password_is_on_a_command_line(lab: Lab):
    cursor = Cursor()
    _replica_copy.copy(cursor, SOURCE, lab.options)
    dumps = [line for line in lab.log() if line.startswith("dump ")]
    assert ["--system=users" in line for line in dumps] == [True, False]
    assert "--single-transaction" in dumps[1]
    assert "--gtid" in dumps[1]
    assert "--ignore-database=mysql" in dumps[1]
    assert "secret" not in "".join(dumps)
    assert 'password="secret#1"' in lab.log()
    assert "ssl-verify-server-cert" in lab.log()
    loads = [line for line in lab.log() if line.startswith("load ")]
    assert all("sql_log_bin = 0" in line for line in loads)
    assert lab.log().count("CREATE DATABASE x;") == 2
    assert not Path(lab.options).exists()
    assert cursor.asked[-2:] == [
        "SET GLOBAL innodb_flush_log_at_trx_commit = 1",
        "SET GLOBAL sync_binlog = 1",
    ]


@pytest.mark.parametrize(
    ("dump", "load", "said"),
    [
        ("echo 'no such host' >&2; exit 2", "exit 0", "no such host"),
        ("exit 0", "echo 'table is full' >&2; exit 1", "table is full"),
        # Who loads has gone: the other one is not waited for.
        ("yes | head -c 4000000", "echo 'gone away' >&2; exit 1", "gone away"),
    ],
)
def test_one_that_did_not_come_to_its_end_is_none(lab: Lab, dump: str, load: str, said: str):
    lab.programs(dump, load if load != "exit 0" else "exit 0")
    cursor = Cursor()
    with pytest.raises(ReplicationError, match=f"did not come to its end: .*{said}"):
        _replica_copy.copy(cursor, SOURCE, lab.options)
    # And the server writes as carefully as before.
    assert cursor.asked[-1] == "SET GLOBAL sync_binlog = 1"
    assert not Path(lab.options).exists()


def test_while_it_is_under_way_there_is_a_mark(lab: Lab):
    mark = str(lab.folder / "life/replica-copy")
    assert not _replica_copy.begun(mark)
    _replica_copy.begin(SOURCE, mark)
    _replica_copy.begin(SOURCE, mark)
    assert _replica_copy.begun(mark)
    assert "secret" not in (_files.read_text(mark) or "")
    _replica_copy.end(mark)
    assert not _replica_copy.begun(mark)
