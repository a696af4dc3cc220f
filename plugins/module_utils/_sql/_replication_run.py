# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What was planned for a server of a cluster, done: let in, follow, promote, retire."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._sql import _mariadb, _replication
from ansible_collections.archipel.spaces.plugins.module_utils._sql._replication import (
    ReplicationError,
)

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.archipel.spaces.plugins.module_utils._sql._replication import (
        Observed,
        Wanted,
    )

UNKNOWN_CONNECTION = 1094
# Seconds: between two looks, and until a connection is there.
PAUSE, PATIENCE = 0.2, 30.0


def run(cursor: t.Any, steps: Sequence[tuple[str, _mariadb.Statement]]) -> list[str]:
    """Do what was planned; return it in words."""
    for _what, (sql, values) in steps:
        if sql == "rights":
            grant(cursor, values)
        else:
            cursor.execute(sql, values)
    return [what for what, _statement in steps]


def grant(cursor: t.Any, account: tuple[t.Any, ...]) -> None:
    """Give the account of a replica its rights, as this version knows them."""
    cursor.execute("SELECT VERSION()")
    numbers = tuple(int(part) for part in cursor.fetchone()[0].split("-")[0].split(".")[:2])
    rights = (
        _replication.RIGHTS
        if numbers >= (11, 3)
        else _replication.RIGHTS.replace(_replication.LATER, "")
    )
    cursor.execute(f"GRANT {rights} ON *.* TO %s@%s", account)


def change_primary(cursor: t.Any, wanted: Wanted, port: int, authorities: str) -> None:
    """Say whom the server follows from now on, over TLS that is verified, and begin."""
    cursor.execute(
        "CHANGE MASTER TO MASTER_HOST = %s, MASTER_PORT = %s, MASTER_USER = %s, "
        "MASTER_PASSWORD = %s, MASTER_SSL = 1, MASTER_SSL_CA = %s, "
        "MASTER_SSL_VERIFY_SERVER_CERT = 1, MASTER_CONNECT_RETRY = 5, MASTER_USE_GTID = slave_pos",
        (wanted.primary, port, _replication.ACCOUNT, wanted.password, authorities),
    )
    cursor.execute("START SLAVE")


def wait_connected(cursor: t.Any, patience: float = PATIENCE) -> None:
    """Wait until a server receives and applies what its primary has.

    Raises:
        ReplicationError: it does not.

    """
    end = time.monotonic() + patience
    while True:
        found = _replication.read_following(cursor)
        if found is None:
            raise ReplicationError("somebody else has told it to follow nobody; run again")
        if found.apply_error or found.errno in _replication.DIVERGED:
            raise ReplicationError(_replication.cannot_follow(_replication.find_fault(found)))
        if (found.receives, found.applies) == ("Yes", "Yes"):
            return
        if time.monotonic() > end:
            why = found.receive_error or f"receives: {found.receives}, applies: {found.applies}"
            raise ReplicationError(
                f"it does not reach the primary {found.host}: {why}. Once that answers, it follows "
                "by itself"
            )
        time.sleep(PAUSE)


def follow(cursor: t.Any, seen: Observed, wanted: Wanted, port: int, authorities: str) -> None:
    """Follow from where the server is, if the primary knows that; leave no trace if not.

    Raises:
        ReplicationError: it has something that the primary has not.

    """
    try:
        cursor.execute("SET GLOBAL gtid_slave_pos = %s", (seen.position,))
        change_primary(cursor, wanted, port, authorities)
        wait_connected(cursor)
    except ReplicationError:
        cursor.execute("STOP SLAVE")
        cursor.execute("RESET SLAVE ALL")
        raise


def follow_other(cursor: t.Any, wanted: Wanted, port: int, authorities: str) -> None:
    """Follow the primary of now instead of that of before."""
    cursor.execute("STOP SLAVE")
    change_primary(cursor, wanted, port, authorities)
    wait_connected(cursor)


def promote(cursor: t.Any, wanted: Wanted, position: str, seconds: float) -> list[str]:
    """Apply all that was received, follow nobody, and take what is written.

    Args:
        cursor: of the replica.
        wanted: what the new primary shall be.
        position: what the old one had, if that is known: nothing less is enough.
        seconds: how long may be waited for it.

    Raises:
        ReplicationError: it lacks something; it still follows.

    """
    found = _replication.read_following(cursor)
    if found is not None:
        if found.apply_error:
            raise ReplicationError(_replication.cannot_follow(found.apply_error))
        if position:
            wait_position(cursor, position, seconds)
        wait_applied(cursor, seconds)
        cursor.execute("STOP SLAVE")
        cursor.execute("RESET SLAVE ALL")
    seen = _replication.read(cursor)
    steps = [
        *_replication.plan_settings(seen, primary=True, wait_ms=wanted.wait_ms),
        *_replication.plan_accounts(seen, wanted),
    ]
    words = run(cursor, steps)
    return [f"follows {found.host} no more", *words] if found else words


def wait_position(cursor: t.Any, position: str, seconds: float) -> None:
    """Wait until everything of the old primary is here.

    Raises:
        ReplicationError: it is not.

    """
    cursor.execute("SELECT MASTER_GTID_WAIT(%s, %s)", (position, seconds))
    if cursor.fetchone()[0] != 0:
        raise ReplicationError(
            f"it has not all that the primary had ({position}) after {seconds:g} seconds: nothing "
            "was promoted; look at SHOW SLAVE STATUS there"
        )


def wait_applied(cursor: t.Any, seconds: float) -> None:
    """Wait until everything that was received is applied.

    Raises:
        ReplicationError: it is not.

    """
    end = time.monotonic() + seconds
    cursor.execute("STOP SLAVE IO_THREAD")
    while True:
        seen = _replication.read(cursor)
        if seen.follows is None or same(seen.follows.received, seen.applied):
            return
        if seen.follows.apply_error or time.monotonic() > end:
            why = seen.follows.apply_error or f"not done after {seconds:g} seconds"
            cursor.execute("START SLAVE IO_THREAD")
            raise ReplicationError(
                f"what it has received is not applied: {why}; nothing was promoted"
            )
        time.sleep(PAUSE)


def same(one: str, other: str) -> bool:
    """Tell whether two positions are the same, in whatever order their domains are named."""
    return set(one.split(",")) == set(other.split(",")) or not one


def retire(cursor: t.Any) -> str:
    """Let a primary take no more writes, and nobody go on writing; return its last position."""
    cursor.execute("SET GLOBAL read_only = 1")
    cursor.execute(
        "SELECT ID FROM information_schema.PROCESSLIST WHERE USER LIKE %s", (_mariadb.OURS,)
    )
    for (number,) in cursor.fetchall():
        kill(cursor, int(number))
    cursor.execute("SELECT @@global.gtid_binlog_pos")
    return str(cursor.fetchone()[0] or "")


def kill(cursor: t.Any, number: int) -> None:
    """End a connection, if it has not ended by itself."""
    try:
        cursor.execute(f"KILL {number}")
    except cursor.connection.OperationalError as error:
        if error.args[0] != UNKNOWN_CONNECTION:
            raise
