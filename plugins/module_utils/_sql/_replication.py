# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A server and those that follow it: what there is, and what is to be done about it.

Planned purely, from what a server says of itself. No plan makes a replica the primary, and none
throws databases away but for a copy that was begun, or asked for by name.

Sources: https://mariadb.com/kb/en/gtid/, https://mariadb.com/kb/en/semisynchronous-replication/
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.archipel.spaces.plugins.module_utils._sql import _mariadb

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ACCOUNT = "archipel-replication"
# What a replica reads with, and makes its copy with.
RIGHTS = (
    "SELECT, RELOAD, SHOW DATABASES, LOCK TABLES, SHOW VIEW, EVENT, TRIGGER, SHOW CREATE ROUTINE, "
    "REPLICATION SLAVE, BINLOG MONITOR"
)
# Before MariaDB 11.3 the right to see routines is that to see everything, which SELECT gives.
LATER = "SHOW CREATE ROUTINE, "
SYSTEM = ("information_schema", "performance_schema", "mysql", "sys")
# Milliseconds that stand for "as long as it takes".
FOR_EVER = 10**15
# Error of a primary that has not what its replica asks for, and of one that is already there.
DIVERGED = (1236, 1945, 1947)


class ReplicationError(Exception):
    """What was asked for cannot be done, with what to do about it."""


@dataclass(frozen=True, slots=True)
class Following:
    """Whom a server follows, and how that goes."""

    host: str
    # Yes, No, or Connecting; and Yes or No.
    receives: str
    applies: str
    receive_error: str = ""
    apply_error: str = ""
    errno: int = 0
    # What was received, as a GTID.
    received: str = ""
    lag: int | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    """What a server is now."""

    read_only: bool
    binlog: bool
    # Variables of semi-synchronous replication, by name.
    semi: Mapping[str, int]
    # Everything that was committed, as a GTID; and what of another server was applied.
    position: str
    applied: str
    # Databases that are not the server's own.
    databases: int
    # Address → the stored password, of accounts that replicas come with.
    accounts: Mapping[str, str] = field(default_factory=dict)
    follows: Following | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a server shall be."""

    # Address of the primary; empty where the server is the primary itself.
    primary: str = ""
    # Addresses that replicas come from.
    replicas: Sequence[str] = ()
    password: str = ""
    # Milliseconds that a commit waits for a replica.
    wait_ms: int = 10_000


def settings(*, primary: bool, wait_ms: int) -> dict[str, int]:
    """Return the variables that differ between a primary and a replica."""
    return {
        "read_only": int(not primary),
        "rpl_semi_sync_master_enabled": int(primary),
        "rpl_semi_sync_slave_enabled": int(not primary),
        "rpl_semi_sync_master_timeout": wait_ms or FOR_EVER,
    }


# --- what there is -------------------------------------------------------------------


def read(cursor: t.Any) -> Observed:
    """Return what a server is now."""
    names = [*settings(primary=True, wait_ms=0), "log_bin", "gtid_current_pos", "gtid_slave_pos"]
    cursor.execute("SELECT " + ", ".join(f"@@global.{name}" for name in names))
    found = dict(zip(names, cursor.fetchone(), strict=True))
    marks = ", ".join(["%s"] * len(SYSTEM))
    cursor.execute(
        f"SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME NOT IN ({marks})",
        SYSTEM,
    )
    databases = int(cursor.fetchone()[0])
    cursor.execute(
        "SELECT Host, JSON_VALUE(Priv, '$.authentication_string') FROM mysql.global_priv "
        "WHERE User = %s",
        (ACCOUNT,),
    )
    accounts = {host: stored or "" for host, stored in cursor.fetchall()}
    return Observed(
        read_only=bool(found["read_only"]),
        binlog=bool(found["log_bin"]),
        semi={name: int(found[name]) for name in names if name.startswith("rpl_")},
        position=found["gtid_current_pos"] or "",
        applied=found["gtid_slave_pos"] or "",
        databases=databases,
        accounts=accounts,
        follows=read_following(cursor),
    )


def read_following(cursor: t.Any) -> Following | None:
    """Return whom a server follows; nothing where it follows nobody."""
    cursor.execute("SHOW SLAVE STATUS")
    row = cursor.fetchone()
    if row is None:
        return None
    said = dict(zip([column[0] for column in cursor.description], row, strict=True))
    return Following(
        host=said["Master_Host"],
        receives=said["Slave_IO_Running"],
        applies=said["Slave_SQL_Running"],
        receive_error=said["Last_IO_Error"] or "",
        apply_error=said["Last_SQL_Error"] or "",
        errno=int(said["Last_IO_Errno"] or 0),
        received=said["Gtid_IO_Pos"] or "",
        lag=said["Seconds_Behind_Master"],
    )


# --- what is to be done: pure ----------------------------------------------------------


def plan_primary(seen: Observed, wanted: Wanted) -> list[tuple[str, _mariadb.Statement]]:
    """Return what makes a server let its replicas in and wait for them.

    Raises:
        ReplicationError: it is none that may be the primary.

    """
    if seen.follows:
        raise ReplicationError(
            f"it follows {seen.follows.host}, and placement.yml has databases of spaces here: "
            "playbooks/promote.yml alone makes a replica the primary"
        )
    check_binlog(seen)
    return [
        *plan_settings(seen, primary=True, wait_ms=wanted.wait_ms),
        *plan_accounts(seen, wanted),
    ]


def check_binlog(seen: Observed) -> None:
    """Refuse a server that nobody can follow.

    Raises:
        ReplicationError: it writes no binary log yet.

    """
    if not seen.binlog:
        raise ReplicationError(
            "it was started without a binary log, which its configuration has by now: restart it "
            "when a pause of a few seconds suits (systemctl restart mariadb), and run again"
        )


def plan_settings(
    seen: Observed, *, primary: bool, wait_ms: int
) -> list[tuple[str, _mariadb.Statement]]:
    """Return the variables that are to change while the server runs."""
    now = {"read_only": int(seen.read_only), **seen.semi}
    return [
        (f"{name}: {now[name]} → {value}", (f"SET GLOBAL {name} = {value}", ()))
        for name, value in settings(primary=primary, wait_ms=wait_ms).items()
        if now[name] != value
    ]


def plan_accounts(seen: Observed, wanted: Wanted) -> list[tuple[str, _mariadb.Statement]]:
    """Return what lets the replicas in, from their addresses, and nobody else."""
    stored = _mariadb.password_hash(wanted.password)
    steps: list[tuple[str, _mariadb.Statement]] = []
    for host in wanted.replicas:
        if seen.accounts.get(host) == stored:
            continue
        what = f"account {ACCOUNT}@{host}"
        made = "CREATE OR REPLACE USER %s@%s IDENTIFIED VIA mysql_native_password USING %s"
        steps.append((what, (f"{made} REQUIRE SSL", (ACCOUNT, host, stored))))
        steps.append((f"rights of {what}", ("rights", (ACCOUNT, host))))
    for host in sorted(set(seen.accounts) - set(wanted.replicas)):
        what = f"account {ACCOUNT}@{host}: taken away"
        steps.append((what, ("DROP USER IF EXISTS %s@%s", (ACCOUNT, host))))
    return steps


Step = t.Literal["copy", "follow", "again", "start", "settings"]


def plan_replica(seen: Observed, wanted: Wanted, *, begun: bool, discard: bool) -> list[Step]:
    """Return what makes a server follow the primary.

    Args:
        seen: what it is now.
        wanted: what it shall be.
        begun: whether a copy was begun here and did not come to its end.
        discard: whether what it has may be thrown away.

    Returns:
        "copy": take everything from the primary; "follow": from where the server is, if the primary
        knows that; "again": follow another one than before; "start": what was stopped.

    Raises:
        ReplicationError: it cannot follow, and what there is would have to be thrown away.

    """
    check_binlog(seen)
    steps: list[Step] = []
    now = {"read_only": int(seen.read_only), **seen.semi}
    if now != settings(primary=False, wait_ms=wanted.wait_ms):
        steps.append("settings")
    found = seen.follows
    broken = "" if found is None else find_fault(found)
    if begun or (discard and (found is None or broken)) or (found is None and not seen.databases):
        return [*steps, "copy"]
    if found is None:
        return [*steps, "follow"]
    if broken:
        raise ReplicationError(cannot_follow(broken))
    if found.host != wanted.primary:
        return [*steps, "again"]
    stopped = "No" in (found.receives, found.applies)
    return [*steps, "start"] if stopped else steps


def find_fault(found: Following) -> str:
    """Return why a server does not follow any more, and will not by itself."""
    if found.apply_error:
        return found.apply_error
    return found.receive_error if found.errno in DIVERGED else ""


def cannot_follow(why: str) -> str:
    """Return what is said of a server that has something else than its primary."""
    return (
        f"it cannot follow: {why}. Nothing is thrown away without a word: -e rejoin=<this node> "
        "with playbooks/platform.yml --tags mariadb removes its databases, and copies those of the "
        "primary"
    )
