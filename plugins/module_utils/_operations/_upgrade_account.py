# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The account that an upgrade's check borrows, and how nothing is left of that.

Its application password is one row, written by this node. No command of occ makes one in the same
way in every release (the option that names it came with 33), and each of them reports it to the
account, by activity and mail, as it would of somebody who broke in.
"""

from __future__ import annotations

import hashlib
import secrets
import typing as t
from collections.abc import Callable, Mapping, Sequence

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import (
        Json,
        JsonObject,
    )

# What is executed: statements with the database's quoted name as `{0}`, and their values.
Statement = tuple[str, Sequence[t.Any]]
Execute = Callable[..., list[t.Any]]
# A borrowed account in the journal: its name, and when somebody last logged in to it.
Account = list[str]

NAME = "archipel-upgrade"
# Seconds after which a password is worth nothing, should it ever be left behind.
LIFETIME = 3600
# Nextcloud's own kinds: a permanent token, in the present format.
PERMANENT, FORMAT = 1, 2
# Where people read what happened, and what numbers the rows.
NOTICES = {
    "oc_activity": "activity_id",
    "oc_activity_mq": "mail_id",
    "oc_notifications": "notification_id",
}

# Accounts that are not disabled and that somebody has logged in to, and when.
SEEN = """
SELECT p.userid, p.configvalue FROM {0}.oc_preferences p JOIN {0}.oc_users u ON u.uid = p.userid
WHERE p.appid = 'login' AND p.configkey = 'lastLogin' AND p.configvalue > '0' AND p.userid NOT IN (
  SELECT userid FROM {0}.oc_preferences
  WHERE appid = 'core' AND configkey = 'enabled' AND configvalue = 'false'
) ORDER BY p.userid LIMIT 1
"""
FORGET = "DELETE FROM {0}.oc_authtoken WHERE name = %s"
LEND = """
INSERT INTO {0}.oc_authtoken (uid, login_name, name, token, type, remember, last_activity,
  last_check, expires, version, password_invalid)
VALUES (%s, %s, %s, %s, %s, 0, %s, %s, %s, %s, 0)
"""
TABLES = """
SELECT table_name FROM information_schema.tables WHERE table_schema = %s AND table_name IN %s
"""
HIGHEST = "SELECT COALESCE(MAX({1}), 0) FROM {{0}}.{0}"
LATER = "DELETE FROM {{0}}.{0} WHERE {1} > %s"
PREFERENCES = "SELECT appid, configkey, configvalue FROM {0}.oc_preferences WHERE userid = %s"
WAS = """
UPDATE {0}.oc_preferences SET configvalue = %s WHERE userid = %s AND appid = %s AND configkey = %s
"""
VISITED = """
INSERT INTO {0}.oc_preferences (userid, appid, configkey, configvalue) VALUES (%s, %s, %s, %s)
"""
NEW = "DELETE FROM {0}.oc_preferences WHERE userid = %s AND appid = %s AND configkey = %s"
LOGIN = ("login", "lastLogin")


def choose(execute: Execute) -> Account | None:
    """Return an account that somebody has logged in to, and when that was.

    A first login would copy example files into the account. The check must not change the time.
    """
    rows = execute((SEEN, ()))
    return [str(rows[0][0]), str(rows[0][1])] if rows else None


def lend(execute: Execute, name: str, secret: str, now: float) -> str:
    """Give an account a password for some minutes, and return it; one that was left goes.

    Args:
        execute: runs statements on the space's database.
        name: the account, as its login name too: all that log in through the database have one.
        secret: of the space's state file, which Nextcloud hashes passwords with.
        now: unix time.

    """
    password, at = secrets.token_urlsafe(54), int(now)
    hashed = hashlib.sha512(f"{password}{secret}".encode()).hexdigest()
    values = (name, name, NAME, hashed, PERMANENT, at, at, at + LIFETIME, FORMAT)
    execute((FORGET, (NAME,)), (LEND, values))
    return password


def remember(execute: Execute, database: str, name: str) -> JsonObject:
    """Return what the account was sent and has set until now: all later is the check's doing.

    Only of a space that is closed: else it may be people's.
    """
    tables = execute((TABLES, (database, tuple(NOTICES))))
    there = {str(row[0]): NOTICES[str(row[0])] for row in tables}
    marks = {
        table: int(execute((HIGHEST.format(table, key), ()))[0][0]) for table, key in there.items()
    }
    return {"notices": marks, "preferences": preferences(execute, name)}


def not_visited(
    before: Sequence[Sequence[t.Any]], visits: Mapping[str, Mapping[str, str]]
) -> list[list[str]]:
    """Return the settings that keep an application from making things at a first visit. Pure.

    Args:
        before: the account's settings.
        visits: application → setting → what it is once somebody has been there.

    """
    there = {(app, key) for app, key, _ in before}
    return [
        [app, key, value]
        for app, settings in visits.items()
        for key, value in settings.items()
        if (app, key) not in there
    ]


def mark_visited(execute: Execute, name: str, marks: Sequence[Sequence[str]]) -> None:
    """Let applications take the check's visit for one of many."""
    if marks:
        execute(*((VISITED, (name, *mark)) for mark in marks))


def preferences(execute: Execute, name: str) -> list[list[t.Any]]:
    """Return the settings of an account."""
    return [list(row) for row in execute((PREFERENCES, (name,)))]


def forget(
    execute: Execute,
    account: Account | None,
    remembered: Json | None,
    marks: Sequence[Sequence[str]] = (),
) -> None:
    """Take back the password and all that came of its use. Can be repeated."""
    statements: list[Statement] = [(FORGET, (NAME,))]
    if account:
        statements += [(NEW, (account[0], app, key)) for app, key, _ in marks]
    if account and remembered:
        # By its former word, where it was noted before.
        marked = remembered.get("notices") or remembered.get("told") or {}
        statements += [
            (LATER.format(table, NOTICES[table]), (mark,)) for table, mark in marked.items()
        ]
        now = preferences(execute, account[0])
        statements += as_before(account[0], remembered["preferences"], now)
    elif account:
        statements.append((WAS, (account[-1], account[0], *LOGIN)))
    execute(*statements)


def as_before(
    name: str, before: Sequence[Sequence[t.Any]], now: Sequence[Sequence[t.Any]]
) -> list[Statement]:
    """Return the statements that bring an account's settings back. Pure."""
    was = {(app, key): value for app, key, value in before}
    changed = [(app, key) for app, key, value in now if was.get((app, key), value) != value]
    new = [(app, key) for app, key, _ in now if (app, key) not in was]
    return [
        *((WAS, (was[place], name, *place)) for place in changed),
        *((NEW, (name, *place)) for place in new),
    ]
