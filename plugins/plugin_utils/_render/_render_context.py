# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What renderers are given beside a space: the node and the policy, the same for all of a run.

The role spaces makes it of its variables, `__spaces_settings` in its vars: nothing of it comes from
the registry.
"""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._core._nextcloud_payloads import (
    AppliedPolicy,
    Installer,
    Settings,
    UpgradePlaces,
)
from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import (
    NginxSources,
    OwnServer,
    PhpSources,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import Suite

# Empty: nothing is ever sent. One key is a word of Python.
Relay = t.TypedDict(
    "Relay",
    {
        "host": str,
        # Address of the sender; {slug} in it is the name of the space.
        "from": str,
        "port": int,
        # ssl or empty; STARTTLS is taken wherever it is offered.
        "secure": str,
        "user": str,
        "password": str,
        # The authority of its certificate, the name in it, and whether it is looked at.
        "ca": str,
        "certificate_name": str,
        "verify": bool,
    },
    total=False,
)


class Applications(t.TypedDict, total=False):
    """The application set of every space: ids, and application → key → value."""

    enabled: list[str]
    disabled: list[str]
    settings: dict[str, Settings]


class Registration(t.TypedDict, total=False):
    """How visitors ask for an account; empty: nowhere."""

    application: str
    settings: Settings


class Storage(t.TypedDict):
    """How storage limits are kept; `quotas` of the payload says more."""

    backend: str
    # One file for so many bytes of a limit.
    bytes_per_file: int
    allow_over: bool
    verify: bool


class Retention(t.TypedDict):
    """How long what was deleted is kept: days, and percent of a space's storage."""

    trash_days: int
    versions_days: int
    trash_percent: int


class Copies(t.TypedDict):
    """What holds for copies of spaces alone."""

    # Applications that are off in them, and keys of config.php.
    disabled: list[str]
    config: Settings


class Context(t.TypedDict):
    """The node and the policy."""

    # Folders of the node.
    root: str
    vhost_directory: str
    php_directory: str
    redis_run: str
    sysusers_directory: str
    tmpfiles_directory: str
    # Network of the addresses at which spaces reach themselves.
    own_network: str
    # Names that nginx's usual server answers for, and the server of the others.
    server_names: list[str]
    domains_server: OwnServer
    # What every secret is derived from, and how often databases' passwords were changed.
    master_key: str
    rotation: t.NotRequired[int]
    # The node's own MariaDB, and connections that an account may have at the same time.
    database_socket: str
    database_connections: int
    # Seconds in which a database on another node takes a connection.
    database_seconds: int
    # Node → where it is found by others, as a database and as its client.
    database_hosts: dict[str, str]
    database_client_hosts: dict[str, str]
    # File of the authorities that another node's certificate comes from.
    database_ca: str
    # Processes of a space, and the memory of each as PHP writes it: 512M.
    php_children: int
    php_memory: str
    # Script that runs before each request of a space.
    php_prepended: str
    # Keys of config.php that the policy sets for all.
    nextcloud_config: Settings
    # Empty: nothing is ever sent.
    mail_relay: Relay
    applied_state: AppliedPolicy
    applications: Applications
    # Suite → what it is; and those that a space may use, the default first.
    office_suites: dict[str, Suite]
    offices: list[str]
    registration: Registration
    copies: Copies
    # name, url, email, help_url.
    operator: dict[str, str]
    # Login name of a new space's first administrator.
    administrator: str
    quotas: Storage
    retention: Retention
    # Spaces that are installed at the same time.
    install_parallel: int
    installer: Installer
    upgrade: UpgradePlaces
    services: PhpSources
    nginx: NginxSources
