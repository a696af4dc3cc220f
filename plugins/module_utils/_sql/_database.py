# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""One space's database as a whole: written to a file, loaded, moved aside, removed.

MariaDB's own programs do the work: as root through the socket, without any password, or with a
space's own account on another node.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tempfile
import typing as t
from dataclasses import dataclass, field

from ansible_collections.archipel.spaces.plugins.module_utils._core import _config, _files
from ansible_collections.archipel.spaces.plugins.module_utils._sql._mariadb import (
    create_database,
    quote,
)

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import Json

# What mariadb-dump writes: a statement per table, each row on a line of its own. Line
# breaks in values are escaped, so that a line is a row.
INSERT = re.compile(rb"INSERT INTO `([^`]+)` VALUES\s*$")
CREATE = re.compile(rb"CREATE TABLE `([^`]+)` ")
DUMP_OPTIONS = (
    "--single-transaction",
    "--quick",
    "--hex-blob",
    "--routines",
    "--triggers",
    "--default-character-set=utf8mb4",
    "--skip-dump-date",
)
LOAD = "--init-command=SET SESSION foreign_key_checks=0, unique_checks=0, autocommit=0"


class DatabaseError(Exception):
    """A database could not be read or changed."""


@dataclass(frozen=True)
class Server:
    """How to get in: root through the socket, or a space's own account on another node."""

    options: tuple[str, ...]
    # Of another node: its address, as the space's configuration names it. Empty on this one.
    host: str = ""

    @property
    def distant(self) -> bool:
        """Tell whether it is on another node, where the account has its own database alone."""
        return bool(self.host)

    def command(self, program: str, *arguments: str) -> list[str]:
        """Return a client's command line; options come first, as the client wants it."""
        return [program, *self.options, *arguments]


@dataclass
class Counted:
    """What went through: rows per table, bytes, checksum."""

    tables: dict[str, int] = field(default_factory=dict)
    length: int = 0
    digest: t.Any = field(default_factory=hashlib.sha256)
    _table: str = ""

    def line(self, line: bytes) -> None:
        """Take one line of a dump into account."""
        self.length += len(line)
        self.digest.update(line)
        if line.startswith(b"("):
            if self._table:
                self.tables[self._table] += 1
            return
        if match := INSERT.match(line):
            self._table = match[1].decode()
        elif match := CREATE.match(line):
            self.tables.setdefault(match[1].decode(), 0)
        else:
            self._table = self._table if not line.strip() else ""


def local(socket: str) -> Server:
    """Return the server of this node."""
    return Server(("--no-defaults", f"--socket={socket}", "--user=root"))


def distant(path: str, values: Json, authorities: str) -> Server:
    """Return the server of another node, reached with a space's own account.

    Args:
        path: of the private file that keeps the password off the command line.
        values: host, port, user and password.
        authorities: those that the server's certificate must come from.

    """
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    content = _config.client_options(values, authorities)
    _files.write_file({"path": path, "content": content, "uid": 0, "gid": 0, "mode": 0o600})
    return known(path, str(values["host"]))


def known(path: str, host: str) -> Server:
    """Return the server of another node whose private file was written before."""
    return Server((f"--defaults-file={path}",), host)


def run(server: Server, statement: str, database: str = "") -> list[list[str]]:
    """Run SQL made of our own names only; return the rows.

    Raises:
        DatabaseError: the server says no, or does not answer.

    """
    arguments = ["--batch", "--raw", "--skip-column-names", *([database] if database else [])]
    done = subprocess.run(
        server.command("mariadb", *arguments),
        input=statement,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise DatabaseError(f"MariaDB: {done.stderr.strip()[-500:]}")
    return [line.split("\t") for line in done.stdout.splitlines()]


def rows(server: Server, statement: str, database: str) -> t.Generator[list[str], None, None]:
    """Run SQL made of our own names only; return row after row, however many there are.

    Raises:
        DatabaseError: the server says no, or does not answer to the end.

    """
    options = ("--quick", "--batch", "--raw", "--skip-column-names", f"--execute={statement}")
    command = server.command("mariadb", *options, database)
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, text=True
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                yield line.rstrip("\n").split("\t")
        except BaseException:
            process.kill()
            raise
        process.wait()
        said.seek(0)
        if process.returncode != 0:
            raise DatabaseError(f"MariaDB: {said.read().decode('utf-8', 'replace').strip()[-500:]}")


def text(value: str) -> str:
    """Return a value between quotes, as SQL reads it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def size(server: Server, name: str) -> int:
    """Return about how many bytes a database holds."""
    sql = "SELECT COALESCE(SUM(data_length), 0) FROM information_schema.tables"
    return int(float(run(server, f"{sql} WHERE table_schema = {text(name)}")[0][0]))


def exists(server: Server, name: str) -> bool:
    """Tell whether there is a database of this name."""
    sql = "SELECT 1 FROM information_schema.schemata WHERE schema_name"
    return bool(run(server, f"{sql} = {text(name)}"))


def tables(server: Server, name: str) -> list[str]:
    """Return the tables of a database."""
    sql = "SELECT table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
    return sorted(row[0] for row in run(server, f"{sql} AND table_schema = {text(name)}"))


def counts(server: Server, name: str) -> dict[str, int]:
    """Return the number of rows of each table."""
    names = tables(server, name)
    if not names:
        return {}
    each = (f"SELECT {text(one)}, COUNT(*) FROM {quote(name)}.{quote(one)}" for one in names)
    return {row[0]: int(row[1]) for row in run(server, " UNION ALL ".join(each))}


def dump(server: Server, name: str, path: str) -> Counted:
    """Write a database to a file, as it is at one moment; count what is written.

    Raises:
        DatabaseError: it could not be read to its end.
        OSError: the file could not be written.

    """
    counted = Counted()
    command = server.command("mariadb-dump", *DUMP_OPTIONS, name)
    with (
        open(path, "wb", opener=private) as file,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process,
    ):
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            for line in process.stdout:
                counted.line(line)
                file.write(line)
        except BaseException:
            process.kill()
            raise
        said = process.stderr.read().decode("utf-8", "replace")
    if process.returncode != 0:
        raise DatabaseError(f"mariadb-dump: {said.strip()[-500:]}")
    return counted


def private(path: str, flags: int) -> int:
    """Open a file that root alone can read."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def count(source: t.IO[bytes]) -> Counted:
    """Read a dump and count what is in it, as it was counted when it was written."""
    counted = Counted()
    for line in source:
        counted.line(line)
    return counted


def load(server: Server, name: str, source: t.IO[bytes]) -> Counted:
    """Make a database anew from a dump; count what is read.

    Raises:
        DatabaseError: the server did not take it.

    """
    counted = Counted()
    run(server, f"DROP DATABASE IF EXISTS {quote(name)}; {create_database(name)}")
    command = server.command("mariadb", "--default-character-set=utf8mb4", LOAD, name)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        try:
            for line in source:
                counted.line(line)
                process.stdin.write(line)
            process.stdin.write(b"COMMIT;\n")
            process.stdin.close()
        except BrokenPipeError:
            # The client has ended and says why.
            process.stdin = None
        said = process.stderr.read().decode("utf-8", "replace")
    if process.returncode != 0:
        raise DatabaseError(f"the dump could not be loaded: {said.strip()[-500:]}")
    return counted


def move(server: Server, source: str, target: str) -> None:
    """Move all tables into another database: names change, nothing is copied.

    Can be repeated after an interruption: what has been moved is no longer there.
    """
    left = tables(server, source)
    if not left:
        return
    if not exists(server, target):
        run(server, create_database(target))
    pairs = ", ".join(
        f"{quote(source)}.{quote(one)} TO {quote(target)}.{quote(one)}" for one in left
    )
    run(server, f"RENAME TABLE {pairs}")


def drop(server: Server, name: str) -> None:
    """Remove a database, if there is one."""
    run(server, f"DROP DATABASE IF EXISTS {quote(name)}")
