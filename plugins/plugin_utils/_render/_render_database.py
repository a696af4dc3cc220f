# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Databases and accounts of spaces, and how a space reaches its own."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import (
    Account,
    Database,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._secrets import derive
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import SpaceEntry
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_common import (
    find_layout,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_context import Context
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_php import (
    Expression,
    PhpValues,
)

# MariaDB's own, where an address says none; "[fd00::1]" does not.
PORT = 3306
HAS_PORT = re.compile(r"(?:^[^:]+|\]):\d+$")


def plan_database(space: SpaceEntry, context: Context) -> Database:
    """Return the database and its account, the password only where one is needed."""
    wanted: Database = {
        **find_account(space, context),
        "name": find_layout(space, context).database,
        "further": [],
        "left": [],
        "max_user_connections": context["database_connections"],
        "password": None,
    }
    if space["db"] != space["web"]:
        wanted["password"] = derive(
            context["master_key"], "database", space["slug"], context.get("rotation", 0)
        )
    return wanted


def find_account(space: SpaceEntry, context: Context) -> Account:
    """Return who a space is at its database server, and from where."""
    local = space["db"] == space["web"]
    hosts = context["database_client_hosts"]
    client = "" if local else find_address(space, "web", "database_client_hosts", hosts)
    return {
        "space": space["slug"],
        "user": find_layout(space, context).user,
        "host": client or "localhost",
    }


def find_host(space: SpaceEntry, context: Context) -> str:
    """Return where a space finds its database, as Nextcloud writes it."""
    if space["db"] == space["web"]:
        return f"localhost:{context['database_socket']}"
    found = find_address(space, "db", "database_hosts", context["database_hosts"])
    # Its last part would be taken for a port.
    return f"[{found}]" if found.count(":") > 1 and not found.startswith("[") else found


def find_stream(space: SpaceEntry, context: Context) -> str:
    """Return where a space's database listens, as PHP's streams are told it."""
    if space["db"] == space["web"]:
        return f"unix://{context['database_socket']}"
    host = find_host(space, context)
    return f"tcp://{host}" if HAS_PORT.search(host) else f"tcp://{host}:{PORT}"


def find_address(
    space: SpaceEntry, part: t.Literal["web", "db"], setting: str, known: t.Mapping[str, str]
) -> str:
    """Return where a node of another part finds the one that a space lives on.

    Raises:
        ValueError: the operator has not said it.

    """
    node = space[part]
    if node not in known:
        raise ValueError(
            f"{space['slug']} has its files on {space['web']} and its database on {space['db']}: "
            f"spaces_{setting} must name an address for {node}, or placement.yml one for both"
        )
    return str(known[node])


def configure_database(space: SpaceEntry, context: Context) -> PhpValues:
    """Return how a space reaches its database."""
    account = plan_database(space, context)
    config: PhpValues = {
        "dbtype": "mysql",
        "dbhost": find_host(space, context),
        "dbname": account["name"],
        "dbuser": account["user"],
        "dbpassword": account["password"] or "",
        "mysql.utf8mb4": True,
    }
    if account["password"] is not None:
        config["dbdriveroptions"] = {
            # Without it PHP waits 30 seconds for a server that is cut off, and visitors with it.
            Expression("PDO::ATTR_TIMEOUT"): context["database_seconds"],
            Expression("PDO::MYSQL_ATTR_SSL_CA"): context["database_ca"],
            Expression("PDO::MYSQL_ATTR_SSL_VERIFY_SERVER_CERT"): True,
        }
    return config
