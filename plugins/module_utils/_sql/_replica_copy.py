# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Everything of another server, copied to this one, which follows it from that moment on.

The other server works on meanwhile: what is copied is its state at one moment, which the copy
names. While one is under way there is a mark: a copy that was cut short is begun anew.
"""

from __future__ import annotations

import os
import subprocess
import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._core import _config, _files
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _mariadb, _replication
from ansible_collections.archipel.spaces.plugins.module_utils._sql._replication import (
    ReplicationError,
)

MARK = "/var/lib/archipel/replica-copy"
OPTIONS = "/run/archipel/replica.cnf"
# Accounts of a server that every server has.
KEPT = ("root", "mysql", "mariadb.sys", "PUBLIC", "")
COMMON = ("--default-character-set=utf8mb4", "--max-allowed-packet=1G")
# Accounts as statements, where there is none of that name.
ACCOUNTS = ("--system=users", "--insert-ignore")
# One moment, with its GTID. What is of the server itself is not copied.
DATA = (
    *("--all-databases", "--single-transaction", "--quick", "--master-data=1", "--gtid"),
    *("--routines", "--events", "--triggers", "--hex-blob"),
    *(f"--ignore-database={name}" for name in _replication.SYSTEM),
)
# While a copy is loaded: it is begun anew if the power fails.
FAST = {"innodb_flush_log_at_trx_commit": 0, "sync_binlog": 0}


class Source(t.NamedTuple):
    """Where the copy comes from, and how it is loaded here."""

    host: str
    port: int
    password: str
    authorities: str
    socket: str

    def options(self) -> str:
        """Return the client's options for the other server."""
        account = {"host": self.host, "port": self.port, "user": _replication.ACCOUNT}
        return _config.client_options({**account, "password": self.password}, self.authorities)


def begun(mark: str = MARK) -> bool:
    """Tell whether a copy was begun here and did not come to its end."""
    return os.path.exists(mark)


def begin(source: Source, mark: str = MARK) -> None:
    """Note that a copy is under way."""
    os.makedirs(os.path.dirname(mark), mode=0o755, exist_ok=True)
    text = f"{source.host}\n"
    _files.write_file({"path": mark, "content": text, "uid": 0, "gid": 0, "mode": 0o600})
    _files.sync_folder(os.path.dirname(mark))


def end(mark: str = MARK) -> None:
    """Note that it is whole."""
    os.unlink(mark)
    _files.sync_folder(os.path.dirname(mark))


def empty(cursor: t.Any) -> None:
    """Throw away what the server has: databases, accounts, and the memory of what it followed."""
    cursor.execute("SET SESSION sql_log_bin = 0")
    if _replication.read_following(cursor):
        cursor.execute("STOP SLAVE")
        cursor.execute("RESET SLAVE ALL")
    marks = ", ".join(["%s"] * len(_replication.SYSTEM))
    cursor.execute(
        f"SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME NOT IN ({marks})",
        _replication.SYSTEM,
    )
    for (name,) in cursor.fetchall():
        cursor.execute(f"DROP DATABASE {_mariadb.quote(name)}")
    marks = ", ".join(["%s"] * len(KEPT))
    cursor.execute(f"SELECT User, Host FROM mysql.global_priv WHERE User NOT IN ({marks})", KEPT)
    for user, host in cursor.fetchall():
        cursor.execute("DROP USER %s@%s", (user, host))
    cursor.execute("RESET MASTER")
    cursor.execute("SET GLOBAL gtid_slave_pos = ''")


def copy(cursor: t.Any, source: Source, options: str = OPTIONS) -> None:
    """Copy accounts and databases of the other server; the server follows nobody yet.

    Raises:
        ReplicationError: it did not come to its end.

    """
    empty(cursor)
    os.makedirs(os.path.dirname(options), mode=0o755, exist_ok=True)
    _files.write_file(
        {"path": options, "content": source.options(), "uid": 0, "gid": 0, "mode": 0o600}
    )
    before = read_speed(cursor)
    try:
        set_speed(cursor, FAST)
        for what in (ACCOUNTS, DATA):
            transfer(["mariadb-dump", f"--defaults-file={options}", *COMMON, *what], source.socket)
        cursor.execute("FLUSH PRIVILEGES")
    finally:
        set_speed(cursor, before)
        os.unlink(options)


def read_speed(cursor: t.Any) -> dict[str, int]:
    """Return when the server writes to its disk."""
    cursor.execute("SELECT " + ", ".join(f"@@global.{name}" for name in FAST))
    return dict(zip(FAST, map(int, cursor.fetchone()), strict=True))


def set_speed(cursor: t.Any, values: t.Mapping[str, int]) -> None:
    """Say when the server writes to its disk."""
    for name, value in values.items():
        cursor.execute(f"SET GLOBAL {name} = {int(value)}")


def transfer(command: t.Sequence[str], socket: str) -> None:
    """Load here what a command writes.

    Raises:
        ReplicationError: one of both ended with an error.

    """
    here = ["mariadb", "--no-defaults", f"--socket={socket}", "--user=root", *COMMON]
    here += ["--init-command=SET SESSION sql_log_bin = 0"]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as there,
        subprocess.Popen(here, stdin=there.stdout, stderr=subprocess.PIPE) as loading,
    ):
        assert there.stdout is not None
        assert there.stderr is not None
        # So that the other one learns of it when this one ends.
        there.stdout.close()
        said = loading.communicate()[1], there.stderr.read()
    for process, text in zip((loading, there), said, strict=True):
        if process.returncode != 0:
            words = text.decode("utf-8", "replace").strip()[-500:]
            raise ReplicationError(f"the copy did not come to its end: {words}; run again")
