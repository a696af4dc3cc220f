#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The floor: what the bare work costs on a node, without Ansible.

Reads ``{"spaces": [...], "root": "/srv/floor"}`` from standard input, renders three
files per space and compares them with what is there, reads all databases, accounts and
grants once and makes what is missing. Prints the seconds it took.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pymysql

VHOST = "{domain} approved/fr/{slug}@127.112.0.1;\n"
POOL = "[{slug}]\nlisten = /run/floor/{slug}.sock\npm = ondemand\npm.max_children = 8\n"
CONFIG = "<?php\n$CONFIG = [\n  'dbname' => 'floor_{slug}',\n  'user-limit' => {accounts},\n];\n"


def files(space: dict[str, object], root: Path) -> dict[Path, str]:
    """Render three files of one space."""
    values = {
        "slug": space["slug"],
        "accounts": space["accounts"],
        "domain": f"{space['slug']}.example",
    }
    return {
        root / f"{space['slug']}.vhost": VHOST.format(**values),
        root / f"{space['slug']}.pool": POOL.format(**values),
        root / f"{space['slug']}.php": CONFIG.format(**values),
    }


def converge_files(spaces: list[dict[str, object]], root: Path) -> None:
    """Write what differs."""
    root.mkdir(parents=True, exist_ok=True)
    for space in spaces:
        for path, text in files(space, root).items():
            if not path.exists() or path.read_text() != text:
                path.write_text(text)


def converge_databases(spaces: list[dict[str, object]]) -> None:
    """Make what is missing, over one connection."""
    connection = pymysql.connect(
        unix_socket="/run/mysqld/mysqld.sock", user="root", autocommit=True
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA")
        databases = {row[0] for row in cursor.fetchall()}
        cursor.execute("SELECT User, Priv FROM mysql.global_priv")
        accounts = {row[0] for row in cursor.fetchall()}
        cursor.execute("SELECT * FROM mysql.db")
        cursor.fetchall()
        for space in spaces:
            name = f"floor_{space['slug']}"
            if name not in databases:
                cursor.execute(f"CREATE DATABASE `{name}`")
            if name not in accounts:
                cursor.execute(f"CREATE USER `{name}`@localhost IDENTIFIED VIA unix_socket")
                cursor.execute(f"GRANT ALL ON `{name}`.* TO `{name}`@localhost")


def main() -> None:
    """Do the work once and say how long it took."""
    request = json.load(sys.stdin)
    start = time.perf_counter()
    converge_files(request["spaces"], Path(request["root"]))
    converge_databases(request["spaces"])
    print(time.perf_counter() - start)


if __name__ == "__main__":
    main()
