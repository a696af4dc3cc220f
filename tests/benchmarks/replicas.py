#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Runs on a node: servers side by side on its loopback, spaces that write, another one upgraded.

Prints one line of JSON for each way of keeping databases twice. `bench_replication.py` brings it
to the node and makes a table of it. The servers differ in how they are kept twice and in nothing
else; all write to the same disk, and share the same processors.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import threading
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import pymysql

WAYS = ("alone", "replica", "galera", "copy")
# Servers of each way: three are what a cluster needs to outlive the loss of one.
SERVERS = {"alone": 1, "replica": 2, "galera": 3}
COMMON = """
skip_name_resolve = ON
bind_address = 127.0.0.1
character_set_server = utf8mb4
transaction_isolation = READ-COMMITTED
innodb_flush_log_at_trx_commit = 1
innodb_buffer_pool_size = 512M
innodb_log_file_size = 256M
innodb_file_per_table = ON
performance_schema = OFF
table_open_cache = 8000
open_files_limit = 65536
binlog_format = ROW
"""
REPLICATED = """
log_bin = bin
log_slave_updates = ON
sync_binlog = 1
gtid_strict_mode = ON
relay_log_recovery = ON
slave_parallel_threads = 4
slave_parallel_mode = optimistic
"""
SEMI_SYNC = {
    0: "rpl_semi_sync_master_enabled = ON\nrpl_semi_sync_master_timeout = 10000\n"
    "rpl_semi_sync_master_wait_point = AFTER_SYNC\n",
    1: "rpl_semi_sync_slave_enabled = ON\nread_only = ON\n",
}
# As in Nextcloud: narrow rows, several indexes.
TABLE = """
CREATE TABLE IF NOT EXISTS `{db}`.`{name}` (
  fileid BIGINT AUTO_INCREMENT PRIMARY KEY, storage BIGINT NOT NULL, path VARCHAR(4000),
  path_hash CHAR(32) NOT NULL, parent BIGINT NOT NULL, name VARCHAR(250), mtime BIGINT NOT NULL,
  UNIQUE KEY u (storage, path_hash), KEY p (parent, name), KEY m (mtime))
"""
FILL = """
INSERT INTO `{db}`.`{name}` (storage, path, path_hash, parent, name, mtime)
SELECT 1, CONCAT('files/', seq), MD5(seq), seq DIV 50, CONCAT('name-', seq), seq
FROM seq_1_to_{rows}
"""
# What an upgrade of one space does to its schema.
CHANGES = (
    "CREATE TABLE `{db}`.`new_{n}` (id BIGINT AUTO_INCREMENT PRIMARY KEY, w VARCHAR(64), KEY (w))",
    "ALTER TABLE `{db}`.`large` ADD COLUMN extra_{n} VARCHAR(64), ALGORITHM=INSTANT",
    "CREATE INDEX by_name_{n} ON `{db}`.`large` (name, mtime)",
    "ALTER TABLE `{db}`.`large` MODIFY path VARCHAR({width})",
)


@dataclass
class Server:
    """One server of its own folder, port and socket."""

    home: Path
    number: int
    port: int
    options: str
    process: subprocess.Popen[bytes] | None = None
    arguments: tuple[str, ...] = ()

    @property
    def socket(self) -> str:
        """Return the path of its socket."""
        return str(self.home / "socket")

    def make(self, root: str) -> None:
        """Make an empty server."""
        self.home.mkdir(parents=True)
        settings = {
            "datadir": f"{self.home}/data",
            "socket": self.socket,
            "port": self.port,
            "server_id": self.number + 1,
            "pid_file": f"{self.home}/pid",
            "log_error": f"{self.home}/log.err",
            "basedir": f"{root}/usr",
            "lc_messages_dir": f"{root}/usr/share/mysql",
            "plugin_dir": f"{root}/usr/lib/mysql/plugin",
        }
        lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
        (self.home / "my.cnf").write_text(
            f"[mariadbd]\n{lines}{COMMON}{self.options}", encoding="utf-8"
        )
        call = [f"{root}/usr/bin/mariadb-install-db", f"--defaults-file={self.home}/my.cnf"]
        call += ["--auth-root-authentication-method=normal", "--skip-test-db"]
        call += [f"--basedir={root}/usr"] if root else []
        subprocess.run(call, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start(self, root: str, *arguments: str) -> None:
        """Start it and wait until it answers.

        Raises:
            RuntimeError: it does not.

        """
        call = [f"{root}/usr/sbin/mariadbd", f"--defaults-file={self.home}/my.cnf"]
        self.process = subprocess.Popen([*call, *arguments], stderr=subprocess.DEVNULL)
        for _ in range(600):
            try:
                self.ask("SELECT 1")
            except pymysql.Error:
                if self.process.poll() is not None:
                    break
                time.sleep(0.2)
            else:
                return
        said = (self.home / "log.err").read_text(encoding="utf-8", errors="replace")[-2000:]
        raise RuntimeError(f"{self.home} does not start: {said}")

    def connect(self) -> pymysql.connections.Connection[t.Any]:
        """Return a connection that commits each statement."""
        return pymysql.connect(
            unix_socket=self.socket, user="root", database="mysql", autocommit=True
        )

    def ask(self, *statements: str) -> list[tuple[t.Any, ...]]:
        """Run statements; return the rows of the last one."""
        with self.connect() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    def stop(self) -> None:
        """End it."""
        if self.process:
            self.process.kill()
            self.process.wait()


@dataclass
class Load:
    """Spaces that write all the time, one connection each."""

    server: Server
    spaces: int
    seconds: list[float] = field(default_factory=list)
    _ends: threading.Event = field(default_factory=threading.Event)

    def run(self, work: t.Callable[[], None]) -> dict[str, float]:
        """Write while something else is done; return what a commit took, in milliseconds."""
        threads = [threading.Thread(target=self._write, args=(n,)) for n in range(self.spaces)]
        begun = time.perf_counter()
        for thread in threads:
            thread.start()
        work()
        lasted = time.perf_counter() - begun
        self._ends.set()
        for thread in threads:
            thread.join()
        found = sorted(self.seconds)
        return {
            "commits_per_second": round(len(found) / lasted, 1),
            "p50_ms": round(statistics.median(found) * 1000, 2),
            "p99_ms": round(found[int(len(found) * 0.99)] * 1000, 2),
            "longest_ms": round(found[-1] * 1000, 1),
            "lasted_s": round(lasted, 1),
        }

    def _write(self, number: int) -> None:
        with self.server.connect() as connection, connection.cursor() as cursor:
            count = 0
            while not self._ends.is_set():
                begun = time.perf_counter()
                cursor.execute(
                    f"UPDATE `space_{number}`.`files_0` SET mtime = mtime + 1 WHERE fileid = %s",
                    (count % 100 + 1,),
                )
                self.seconds.append(time.perf_counter() - begun)
                count += 1
                # People pause; without it the disk alone would be measured.
                time.sleep(0.01)


def make(way: str, home: Path, root: str, servers: list[Server]) -> None:
    """Make and start the servers of one way, empty and in step; the list has those there are."""
    for number in range(SERVERS[way]):
        options = "" if way == "alone" else REPLICATED
        options += SEMI_SYNC[number] if way == "replica" else ""
        options += galera(number, root) if way == "galera" else ""
        servers.append(Server(home / str(number), number, 33060 + number, options))
    for server in servers:
        server.make(root)
    first, *others = servers
    first.start(root, *(["--wsrep-new-cluster"] if way == "galera" else []))
    first.ask(
        "CREATE USER IF NOT EXISTS r@'127.0.0.1' IDENTIFIED BY 'r'",
        "GRANT ALL ON *.* TO r@'127.0.0.1'",
    )
    for server in others:
        server.start(root)
    if way == "replica":
        follow(first, others[0])


def galera(number: int, root: str) -> str:
    """Return the settings of one member of a cluster on the loopback."""
    ports = [4567 + 10 * n for n in range(SERVERS["galera"])]
    members = ",".join(f"127.0.0.1:{port}" for port in ports)
    port = ports[number]
    return (
        "wsrep_on = ON\ninnodb_autoinc_lock_mode = 2\nwsrep_slave_threads = 4\n"
        "wsrep_sst_method = rsync\n"
        f"wsrep_provider = {root}/usr/lib/galera/libgalera_smm.so\n"
        f"wsrep_cluster_name = bench\nwsrep_cluster_address = gcomm://{members}\n"
        f"wsrep_node_name = m{number}\nwsrep_node_address = 127.0.0.1:{port}\n"
        f"wsrep_sst_receive_address = 127.0.0.1:{5444 + 10 * number}\n"
        f"wsrep_provider_options = 'base_port={port};gmcast.listen_addr=tcp://127.0.0.1:{port};"
        f"ist.recv_addr=127.0.0.1:{port + 1};gcache.size=512M'\n"
    )


def follow(first: Server, other: Server) -> None:
    """Let a server follow another one from its beginning."""
    position = first.ask("SELECT @@global.gtid_binlog_pos")[0][0]
    other.ask(
        f"SET GLOBAL gtid_slave_pos = '{position}'",
        f"CHANGE MASTER TO master_host='127.0.0.1', master_port={first.port}, master_user='r', "
        "master_password='r', master_use_gtid=slave_pos",
        "START SLAVE",
    )


def fill(first: Server, spaces: int, rows: int) -> None:
    """Make databases of spaces, and one with a large table that is upgraded."""
    for number in range(spaces):
        first.ask(
            f"CREATE DATABASE `space_{number}`", TABLE.format(db=f"space_{number}", name="files_0")
        )
        first.ask(FILL.format(db=f"space_{number}", name="files_0", rows=100))
    first.ask("CREATE DATABASE upgraded", TABLE.format(db="upgraded", name="large"))
    first.ask(FILL.format(db="upgraded", name="large", rows=rows))


def settle(servers: t.Sequence[Server]) -> None:
    """Wait until all of them have what the first one has."""
    wanted = servers[0].ask("SELECT COUNT(*) FROM upgraded.large")
    for server in servers[1:]:
        while (
            server.ask("SHOW DATABASES LIKE 'upgraded'") == []
            or server.ask("SELECT COUNT(*) FROM upgraded.large") != wanted
        ):
            time.sleep(0.5)


def upgrade(server: Server) -> dict[str, float]:
    """Do what an upgrade does to a schema; return the seconds of it."""
    begun = time.perf_counter()
    with server.connect() as connection, connection.cursor() as cursor:
        for number in range(3):
            for change in CHANGES:
                cursor.execute(change.format(db="upgraded", n=number, width=4001 + number))
    return {"seconds": round(time.perf_counter() - begun, 2)}


def measure(way: str, home: Path, root: str, asked: argparse.Namespace) -> dict[str, t.Any]:
    """Return what one way costs."""
    servers: list[Server] = []
    try:
        make(way, home, root, servers)
        fill(servers[0], asked.spaces, asked.rows)
        settle(servers)
        quiet = Load(servers[0], asked.spaces).run(lambda: time.sleep(asked.seconds))
        took: dict[str, float] = {}
        during = Load(servers[0], asked.spaces).run(lambda: took.update(upgrade(servers[0])))
        return {"way": way, "quiet": quiet, "during": during, "upgrade": took}
    finally:
        for server in servers:
            server.stop()


def measure_copy(home: Path, root: str, spaces: int, tables: int) -> dict[str, t.Any]:
    """Return how long a new replica takes for a copy, as database_replication makes it."""
    servers = [Server(home / str(n), n, 33060 + n, REPLICATED) for n in range(2)]
    try:
        for server in servers:
            server.make(root)
            server.start(root)
        first, other = servers
        for space in range(spaces):
            names = (TABLE.format(db=f"space_{space}", name=f"t_{n}") for n in range(tables))
            first.ask(f"CREATE DATABASE `space_{space}`", *names)
        other.ask("SET GLOBAL innodb_flush_log_at_trx_commit = 0", "SET GLOBAL sync_binlog = 0")
        begun = time.perf_counter()
        where = "--no-defaults --user=root --socket"
        dump = f"mariadb-dump {where}={first.socket} --all-databases --ignore-database=mysql"
        dump += " --ignore-database=sys --single-transaction --quick --master-data=1 --gtid"
        load = f"mariadb {where}={other.socket} --init-command='SET SESSION sql_log_bin = 0'"
        subprocess.run(["bash", "-o", "pipefail", "-c", f"{dump} | {load}"], check=True)
        lasted = time.perf_counter() - begun
        return {"way": "copy", "tables": spaces * tables, "seconds": round(lasted, 1)}
    finally:
        for server in servers:
            server.stop()


def main() -> None:
    """Measure each way, in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--home", type=Path, required=True, help="a folder on the disk that is measured"
    )
    parser.add_argument("--root", default="", help="where Debian's packages are unpacked")
    parser.add_argument("--spaces", type=int, default=8, help="spaces that write at the same time")
    parser.add_argument(
        "--rows", type=int, default=200_000, help="rows of the table that is altered"
    )
    parser.add_argument(
        "--seconds", type=float, default=20, help="how long is measured without an upgrade"
    )
    parser.add_argument("ways", nargs="*", default=WAYS)
    asked = parser.parse_args()
    for number, way in enumerate(asked.ways):
        home = asked.home / f"{number}-{way}"
        shutil.rmtree(home, ignore_errors=True)
        if way == "copy":
            found = measure_copy(home, asked.root, asked.spaces, 180)
        else:
            found = measure(way, home, asked.root, asked)
        print(json.dumps(found), flush=True)
        shutil.rmtree(home)


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    main()
