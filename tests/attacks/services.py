# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Sockets of the node, MariaDB and Redis."""

from __future__ import annotations

from tests.attacks.model import OCC, Attack

OWN_REDIS = """
def redis(*words):
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(5)
        link.connect(f"/run/archipel/redis/{slug}/redis.sock")
        link.sendall(b"".join([f"*{len(words)}\\r\\n".encode(),
                               *(f"${len(w)}\\r\\n{w}\\r\\n".encode() for w in words)]))
        said = link.recv(4096).decode()
    return "EPERM" if "NOPERM" in said or "not allowed" in said else "" if said[0] != "-" else said
"""

ATTACKS = (
    # --- sockets ------------------------------------------------------------------------------
    Attack(
        "hands FastCGI parameters to its own PHP",
        "answer = connects(socket.AF_UNIX, f'/run/archipel/php/{slug}.sock')",
        ("run hidden", "sockets' folder"),
    ),
    Attack(
        "hands FastCGI parameters to another space's PHP",
        "answer = connects(socket.AF_UNIX, f'/run/archipel/php/{other}.sock')",
        ("run hidden", "sockets' folder"),
    ),
    Attack(
        "talks to another space's Redis",
        "answer = connects(socket.AF_UNIX, f'/run/archipel/redis/{other}/redis.sock')",
        ("run hidden", "Redis' modes"),
    ),
    Attack(
        "talks to the system's bus",
        "answer = connects(socket.AF_UNIX, '/run/dbus/system_bus_socket')",
        ("run hidden",),
    ),
    Attack(
        "asks systemd who is a user",
        "answer = connects(socket.AF_UNIX, '/run/systemd/userdb/io.systemd.DynamicUser')",
        ("run hidden",),
    ),
    Attack(
        "reads what the node runs, in systemd's state",
        "answer = lists('/run/systemd/units')",
        ("run hidden",),
    ),
    Attack(
        "leaves a lock where others look for theirs",
        "answer = writes('/run/lock/planted')",
        ("run hidden",),
    ),
    # --- MariaDB ------------------------------------------------------------------------------
    Attack(
        "logs in to the databases as another space",
        "answer = sql('SELECT 1', user=f'space-{other}')",
        ("identity by socket",),
    ),
    Attack(
        "opens another space's database",
        "answer = sql(f'USE `space_{other}`', rows=False)",
        ("one database each",),
    ),
    Attack(
        "sees another space's database",
        "answer = sql(f\"SHOW DATABASES LIKE 'space\\\\_{other}'\")",
        ("one database each",),
    ),
    Attack(
        "makes a database whose name only looks like its own",
        "answer = sql(f'CREATE DATABASE `spaceX{slug}`', f'DROP DATABASE `spaceX{slug}`',"
        " rows=False)",
        ("escaped grants",),
    ),
    Attack(
        "sees who else asks the databases",
        'answer = sql(f"SELECT 1 FROM information_schema.processlist WHERE user <>'
        " 'space-{slug}'\")",
        ("no PROCESS",),
    ),
    Attack(
        "reads the accounts of the databases",
        "answer = sql('SELECT user FROM mysql.global_priv')",
        ("no grants of grants",),
    ),
    Attack(
        "reads a file of the node through MariaDB",
        "answer = sql(\"SELECT 1 FROM (SELECT LOAD_FILE('/etc/hostname') AS found) AS x"
        ' WHERE found IS NOT NULL")',
        ("no FILE",),
    ),
    Attack(
        "writes a file of the node through MariaDB",
        "answer = sql(f\"SELECT 1 INTO OUTFILE '/tmp/planted-{time.time_ns()}'\", rows=False)",
        ("no FILE",),
    ),
    Attack(
        "turns MariaDB's settings for everybody",
        "answer = sql('SET GLOBAL slow_query_log = 0', rows=False)",
        ("no SUPER",),
    ),
    Attack(
        "makes an account in the databases",
        "answer = sql('CREATE USER planted', 'DROP USER planted', rows=False)",
        ("no CREATE USER",),
    ),
    Attack(
        "ends a connection of others",
        "answer = sql(f'KILL {other_connection}', rows=False)",
        ("no CONNECTION ADMIN",),
        ways=(OCC,),
    ),
    Attack(
        "takes all connections of MariaDB",
        "os.environ.setdefault('USER', 'somebody')\nimport pymysql\nheld = []\nanswer = ''"
        "\ntry:\n    for _n in range(40):\n        held.append(pymysql.connect("
        "unix_socket='/run/mysqld/mysqld.sock', user=f'space-{slug}'))\n"
        "except pymysql.err.MySQLError as error:\n    answer = 'EPERM' if error.args[0] in"
        " DENIED else str(error.args)",
        ("bounded connections",),
    ),
    # --- Redis --------------------------------------------------------------------------------
    Attack(
        "lets its Redis write files",
        OWN_REDIS + "answer = redis('CONFIG', 'SET', 'maxmemory-samples', '5')",
        ("Redis' commands",),
    ),
    Attack(
        "reads the settings of its Redis",
        OWN_REDIS + "answer = redis('CONFIG', 'GET', 'dir')",
        ("Redis' commands",),
    ),
    Attack(
        "empties all databases of its Redis",
        OWN_REDIS + "answer = redis('FLUSHALL')",
        ("Redis' commands",),
    ),
    Attack(
        "lists who is connected to its Redis",
        OWN_REDIS + "answer = redis('CLIENT', 'LIST')",
        ("Redis' commands",),
    ),
    Attack(
        "gives itself other rights in its Redis",
        OWN_REDIS + "answer = redis('ACL', 'LIST')",
        ("Redis' commands",),
    ),
)
