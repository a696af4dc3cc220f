# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Databases, accounts and grants of all spaces: read once, compare, change the differences.

Sources: the grant tables of the `mysql` schema as MariaDB documents them
(https://mariadb.com/kb/en/mysqlglobal_priv-table/, .../mysqldb-table/).
"""

from __future__ import annotations

import hashlib
import json
import typing as t
from dataclasses import dataclass, field

from ansible_collections.archipel.spaces.plugins.module_utils._core import _config, _layout
from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import Report

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core import _payloads
    from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import (
        Database,
        ReachedDatabase,
    )

CHARACTER_SET, COLLATION = "utf8mb4", "utf8mb4_bin"
OURS = f"{_layout.USER}%"
PORT = 3306

Statement = tuple[str, tuple[t.Any, ...]]


@dataclass
class Account:
    """An account as the server knows it."""

    plugin: str = ""
    authentication: str = ""
    max_user_connections: int = 0
    tls: bool = False
    # Locked, or let in another way as well (`IDENTIFIED VIA … OR …`): never ours.
    locked: bool = False
    other_ways: bool = False
    access: int = 0
    # Pattern of the database name → whether it holds exactly all privileges, without GRANT OPTION.
    grants: dict[str, bool] = field(default_factory=dict)
    # Grants on single tables, columns or routines: never ours.
    finer: bool = False


@dataclass
class State:
    """What the server holds: databases with their collation, and our accounts."""

    databases: dict[str, str]
    accounts: dict[tuple[str, str], Account]


def pattern(name: str) -> str:
    r"""Return a database name as a grant must name it: `_` and `%` are wildcards there."""
    return name.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%")


def quote(name: str) -> str:
    """Return an identifier between back-quotes."""
    return "`" + name.replace("`", "``") + "`"


def create_database(name: str) -> str:
    """Return the statement that makes a space's database."""
    return f"CREATE DATABASE {quote(name)} CHARACTER SET {CHARACTER_SET} COLLATE {COLLATION}"


def password_hash(password: str) -> str:
    """Return the stored form of a password of the plugin mysql_native_password."""
    inner = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    return "*" + hashlib.sha1(inner, usedforsecurity=False).hexdigest().upper()


def read_state(cursor: t.Any) -> State:
    """Read schemata, accounts and grants in five queries, however many spaces there are."""
    cursor.execute("SELECT SCHEMA_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA")
    state = State(dict(cursor.fetchall()), {})
    cursor.execute("SELECT User, Host, Priv FROM mysql.global_priv WHERE User LIKE %s", (OURS,))
    for user, host, text in cursor.fetchall():
        row = json.loads(text)
        state.accounts[user, host] = Account(
            plugin=row.get("plugin", ""),
            authentication=row.get("authentication_string", ""),
            max_user_connections=row.get("max_user_connections", 0),
            tls=row.get("ssl_type", 0) > 0,
            locked=bool(row.get("account_locked", False)),
            # One entry is empty: it stands for the way named above, and stays when it is the last.
            other_ways=any(row.get("auth_or", [])),
            access=row.get("access", 0),
        )
    read_grants(cursor, state)
    return state


def read_grants(cursor: t.Any, state: State) -> None:
    """Add to the accounts what they may do on databases, tables, columns and routines."""
    cursor.execute("SELECT * FROM mysql.db WHERE User LIKE %s", (OURS,))
    names = [column[0] for column in cursor.description]
    for values in cursor.fetchall():
        row = dict(zip(names, values, strict=True))
        account = state.accounts.get((row["User"], row["Host"]))
        if account is None:
            continue
        rights = {name: value == "Y" for name, value in row.items() if name.endswith("_priv")}
        grantable = rights.pop("Grant_priv")
        # MariaDB itself leaves this one out of ALL PRIVILEGES on some versions.
        rights.pop("Show_create_routine_priv", None)
        account.grants[row["Db"]] = all(rights.values()) and not grantable
    for table in ("tables_priv", "columns_priv", "procs_priv"):
        cursor.execute(f"SELECT DISTINCT User, Host FROM mysql.{table} WHERE User LIKE %s", (OURS,))
        for user, host in cursor.fetchall():
            if (user, host) in state.accounts:
                state.accounts[user, host].finer = True


def plan(item: Database, state: State) -> list[tuple[str, Statement]]:
    """Return what brings one space's database and account to their wanted state. Pure.

    Each step is a description and a statement with its values kept apart, so that
    neither a name nor a password is ever pasted into SQL or shown.
    """
    steps: list[tuple[str, Statement]] = []
    name, user, host = item["name"], item["user"], item["host"]
    if name not in state.databases:
        steps.append((f"database {name}", (create_database(name), ())))
    elif state.databases[name] != COLLATION:
        sql = f"ALTER DATABASE {quote(name)} CHARACTER SET {CHARACTER_SET} COLLATE {COLLATION}"
        steps.append((f"collation of {name}: {state.databases[name]} → {COLLATION}", (sql, ())))
    account = state.accounts.get((user, host))
    steps.extend(plan_account(item, account))
    steps.extend(plan_grants(item, account or Account()))
    for host in item["left"]:
        if (user, host) in state.accounts:
            steps.append((f"account {user}@{host}: taken away", ("DROP USER %s@%s", (user, host))))
    return steps


def plan_account(item: Database, account: Account | None) -> list[tuple[str, Statement]]:
    """Return the statement that makes or mends the account itself. Pure.

    It says everything, so that nothing somebody changed by hand outlives it.
    """
    user, host, password = item["user"], item["host"], item["password"]
    limit = int(item["max_user_connections"])
    if password is None:
        plugin, stored = "unix_socket", ""
        how, values = "IDENTIFIED VIA unix_socket REQUIRE NONE", [user, host]
    else:
        plugin, stored = "mysql_native_password", password_hash(password)
        how, values = (
            "IDENTIFIED VIA mysql_native_password USING %s REQUIRE SSL",
            [user, host, stored],
        )
    wanted = (plugin, stored, limit, password is not None)
    if account is not None:
        found = (account.plugin, account.authentication, account.max_user_connections, account.tls)
        if found == wanted and not account.locked and not account.other_ways:
            return []
    verb = "CREATE USER" if account is None else "ALTER USER"
    sql = f"{verb} %s@%s {how} WITH MAX_USER_CONNECTIONS {limit} ACCOUNT UNLOCK"
    what = f"account {user}@{host}" + ("" if account is None else ": authentication or limit")
    return [(what, (sql, tuple(values)))]


def plan_grants(item: Database, account: Account) -> list[tuple[str, Statement]]:
    """Return the statements that leave all of the space's own database, and no other grant. Pure.

    While it is restored from another node, its account moves tables aside: then, and until the next
    run, it has the database that keeps them as well.
    """
    user, host = item["user"], item["host"]
    names = {pattern(name): name for name in (item["name"], *item["further"])}
    steps: list[tuple[str, Statement]] = []
    extra = sorted(p for p, exact in account.grants.items() if p not in names or not exact)
    if account.access or account.finer:
        steps.append(
            (
                f"foreign rights of {user}@{host}",
                ("REVOKE ALL PRIVILEGES, GRANT OPTION FROM %s@%s", (user, host)),
            )
        )
    else:
        for name in extra:
            # Two statements, in this order: the second removes the row that the first needs.
            for right in ("GRANT OPTION", "ALL PRIVILEGES"):
                sql = f"REVOKE {right} ON {quote(name)}.* FROM %s@%s"
                steps.append((f"{right.lower()} on {name}: taken away", (sql, (user, host))))
    for own, name in names.items():
        if not account.grants.get(own) or account.access or account.finer:
            sql = f"GRANT ALL PRIVILEGES ON {quote(own)}.* TO %s@%s"
            steps.append((f"rights on {name}", (sql, (user, host))))
    return steps


def other_accounts(
    accounts: t.Iterable[tuple[str, str]], wanted: t.Iterable[_payloads.Account]
) -> set[str]:
    """Return the spaces whose user may also come from somewhere else. Pure."""
    hosts = {item["user"]: (item["host"], item["space"]) for item in wanted}
    return {hosts[user][1] for user, host in accounts if user in hosts and host != hosts[user][0]}


def converge(
    wanted: t.Sequence[Database],
    connection: t.Any,
    *,
    check: bool,
    diff: bool,
) -> tuple[Report, State]:
    """Bring all databases, accounts and grants to their wanted state over one connection.

    Returns:
        The report, and what was there before.

    """
    report = Report()
    with connection.cursor() as cursor:
        state = read_state(cursor)
        for item in wanted:
            for what, (sql, values) in plan(item, state):
                if not check:
                    try:
                        cursor.execute(sql, values)
                    except connection.Error as error:
                        report.fail(item["space"], f"{what}: {error}")
                        break
                report.change(item["space"], what)
                if diff:
                    report.diff(f"MariaDB, space {item['space']}", "", f"{what}\n")
    return report, state


def connect(driver: t.Any, database: ReachedDatabase, socket: str, authorities: str) -> t.Any:
    """Return a connection that may make and drop a space's database.

    Args:
        driver: the module pymysql, which this one can do without.
        database: a space's database: user, password, address.
        socket: of this node's server, where the account has no password.
        authorities: file of those that another node's certificate must come from.

    Raises:
        driver.Error: nobody answers, or not who should.

    """
    if database["password"] is None:
        return driver.connect(unix_socket=socket, user="root", autocommit=True)
    host, port = _config.split_address(str(database["address"]))
    return encrypted(driver)(
        host=host,
        port=int(port or PORT),
        user=database["user"],
        password=database["password"],
        # Without authorities the driver looks at no certificate at all.
        ssl={"ca": authorities, "check_hostname": True, "verify_mode": "required"},
        autocommit=True,
    )


def encrypted(driver: t.Any) -> t.Any:
    """Return the driver's connection, with TLS or not at all.

    The driver goes on in the clear with a server that offers none, or that seems to: whoever
    stands between could log in with what a space answers. PHP and the clients refuse that.

    Raises:
        OperationalError: the server offers no TLS (raised while it connects).

    """

    class Encrypted(driver.connections.Connection):
        """A connection that says who it is over TLS alone."""

        def _request_authentication(self) -> None:
            if not self.server_capabilities & driver.constants.CLIENT.SSL:
                raise driver.err.OperationalError(
                    f"{self.host} offers no TLS, so nothing is sent to it: run "
                    "playbooks/platform.yml on the database node, which turns it on"
                )
            super()._request_authentication()

    return Encrypted
