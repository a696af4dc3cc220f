# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Databases and accounts of spaces, and how a space reaches its own."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._render_common import (
    Settings,
    Space,
    layout_of,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._render_php import Expression
from ansible_collections.archipel.spaces.plugins.plugin_utils._secrets import derive


def database(space: Space, settings: Settings) -> dict[str, t.Any]:
    """Return the database and its account, the password only where one is needed."""
    wanted: dict[str, t.Any] = {
        **database_account(space, settings),
        "name": layout_of(space, settings).database,
        "max_user_connections": settings["database_connections"],
        "password": None,
    }
    if space["db"] != space["web"]:
        wanted["password"] = derive(
            settings["master_key"], "database", space["slug"], settings.get("rotation", 0)
        )
    return wanted


def database_account(space: Space, settings: Settings) -> dict[str, str]:
    """Return who a space is at its database server, and from where."""
    local = space["db"] == space["web"]
    return {
        "space": space["slug"],
        "user": layout_of(space, settings).user,
        "host": "localhost" if local else address("database_client_hosts", "web", space, settings),
    }


def database_host(space: Space, settings: Settings) -> str:
    """Return where a space finds its database, as Nextcloud writes it."""
    if space["db"] == space["web"]:
        return f"localhost:{settings['database_socket']}"
    return address("database_hosts", "db", space, settings)


def address(setting: str, part: str, space: Space, settings: Settings) -> str:
    """Return where a node of another part finds the one that a space lives on.

    Raises:
        ValueError: the operator has not said it.

    """
    node = space[part]
    if node not in settings[setting]:
        raise ValueError(
            f"{space['slug']} has its files on {space['web']} and its database on {space['db']}: "
            f"spaces_{setting} must name an address for {node}, or placement.yml one for both"
        )
    return str(settings[setting][node])


def database_config(space: Space, settings: Settings) -> dict[str, t.Any]:
    """Return how a space reaches its database."""
    account = database(space, settings)
    config: dict[str, t.Any] = {
        "dbtype": "mysql",
        "dbhost": database_host(space, settings),
        "dbname": account["name"],
        "dbuser": account["user"],
        "dbpassword": account["password"] or "",
        "mysql.utf8mb4": True,
    }
    if account["password"] is not None:
        config["dbdriveroptions"] = {
            Expression("PDO::MYSQL_ATTR_SSL_CA"): settings["database_ca"],
            Expression("PDO::MYSQL_ATTR_SSL_VERIFY_SERVER_CERT"): True,
        }
    return config
