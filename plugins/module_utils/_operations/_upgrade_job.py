# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""One space on its way to another release: where things are, how far it is, what happens."""

from __future__ import annotations

import contextlib
import json
import os
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.archipel.spaces.plugins.module_utils._core import (
    _config,
    _files,
    _journal,
    _layout,
)
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _node, _occ, _repair
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _upgrade_facts,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._nextcloud_payloads import (
        Moving,
    )

VERB = "upgrade"
# What is kept of upgrades, the maintenance flags, what occ said.
WORK, CLOSED = _repair.WORK, _repair.CLOSED
LOGS = _layout.Places.upgrade_logs
REDIS = _layout.Places.redis
FORWARD = ("prepare", "close", "dump", "point", "upgrade", "apply", "check", "open")
# After a failure.
BACK = ("shut", "load", "files", "return", "verify", "reopen")
# On demand: the present state is written down before it goes.
UNDO = ("prepare", "close", "keep", *BACK)
WAYS = {"forward": FORWARD, "back": BACK, "undo": UNDO}
RUNNING = {"active", "activating", "deactivating", "reloading"}
POINT, STAGED = "point", "point.new"
LAST, RATE = "last.json", "rate.json"
Journal = dict[str, t.Any]


class UpgradeError(Exception):
    """A step failed; the space goes back to where it was."""


@dataclass(frozen=True)
class Settings:
    """Where things are on this node, and what the run wants."""

    node: _node.Node
    # Names the run in what is written down.
    run: str = ""
    work: str = WORK
    closed: str = CLOSED
    logs: str = LOGS
    redis: str = REDIS
    database_ca: str = ""
    port: int = 443
    # Seconds that jobs which are running may go on.
    jobs_seconds: int = 300
    occ_seconds: int = 7200
    # Applications the policy wants off: their being off after an upgrade is no loss.
    disabled: frozenset[str] = frozenset()
    # Pages that the check opens beside those of the account's menu.
    pages: Sequence[str] = ()
    # What it asks for beside them, by the names of _probe_requests.KINDS.
    requests: Sequence[str] = ()
    # Application → settings of an account that tell it of a first visit, as they are afterwards.
    first_visits: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def layout(self, slug: str) -> _layout.Layout:
        """Return the names and places of a space. Pure."""
        places = _layout.Places(
            root=self.node.root,
            upgrade=self.work,
            maintenance=self.closed,
            upgrade_logs=self.logs,
            redis=self.redis,
        )
        return _layout.Layout(slug, places)


@dataclass
class Job:
    """One space on its way."""

    settings: Settings
    item: Moving
    journal: Journal
    # What will run the upgrade, begun while people still work.
    ready: _occ.Ready | None = None
    # Seconds of each step that this run did.
    took: dict[str, float] = field(default_factory=dict)

    @property
    def slug(self) -> str:
        """The space."""
        return str(self.item["space"])

    @property
    def layout(self) -> _layout.Layout:
        """Its names and places."""
        return self.settings.layout(self.slug)

    @property
    def home(self) -> str:
        """Its folder."""
        return self.layout.home

    @property
    def folder(self) -> str:
        """What is written down about its upgrades."""
        return self.layout.upgrade

    @property
    def point(self) -> str:
        """The restore point of this very upgrade; of the last one, where that is undone."""
        kept = self.journal["direction"] == "undo" or self.journal.get("kept", False)
        return f"{self.folder}/{POINT if kept else STAGED}"

    @property
    def config_flag(self) -> str:
        """The file that lets Nextcloud refuse everybody who does not know the key.

        A request that was on its way when the space closed (an upload that takes minutes) is
        refused by Nextcloud itself, as in maintenance mode.
        """
        return self.layout.maintenance_config

    @property
    def log_path(self) -> str:
        """What occ said."""
        return self.layout.upgrade_log

    @property
    def database(self) -> str:
        """Its database."""
        return str(self.item["database"]["name"])

    @property
    def server(self) -> _database.Server:
        """How its database is reached."""
        account = self.item["database"]
        if _upgrade_facts.is_local(self.item):
            return _database.local(self.settings.node.database_socket)
        host, port = _config.split_address(str(account["address"]))
        # The account's own host is the one it calls from.
        values = {**account, "host": host, "port": port}
        ca = self.settings.database_ca
        return _database.distant(self.layout.upgrade_client, values, ca)

    def log(self, text: str) -> None:
        """Write down what happens, if there is room: a full disk must not end the rollback."""
        with contextlib.suppress(OSError):
            os.makedirs(self.settings.logs, mode=0o750, exist_ok=True)
            with open(self.log_path, "a", encoding="utf-8") as file:
                for line in text.splitlines() or [""]:
                    file.write(f"{_backup.now()} {line}\n")

    @property
    def entry(self) -> _journal.Entry:
        """Its journal, to be written and removed."""
        return _journal.Entry(self.slug, self.journal)

    def save(self, **changes: t.Any) -> None:
        """Write the journal, with changes; what could not be written is not believed either."""
        self.entry.save(**changes)

    @property
    def is_web(self) -> bool:
        """Tell whether people reach the space: a suspended one is upgraded while nobody does."""
        return bool(self.item["running"])

    @property
    def is_touched(self) -> bool:
        """Tell whether anything but the maintenance flag was changed, and can be brought back."""
        if self.journal["direction"] == "undo":
            return True
        failed = self.journal.get("failed_at", FORWARD[0])
        return FORWARD.index(failed) > FORWARD.index("dump")

    def version_of(self, release: str) -> str:
        """Return the full version of a release of this node."""
        manifest = _files.read_text(f"{self.settings.node.releases}/{release}.json")
        return str(json.loads(manifest)["version_full"])
