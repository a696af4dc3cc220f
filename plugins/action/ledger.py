# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Action ledger: record on the controller, signed, that spaces were purged."""

from __future__ import annotations

import datetime
import getpass
import typing as t
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.archipel.spaces.plugins.plugin_utils._actions import _options
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    RegistryError,
    shown,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._secrets import derive
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import _lock_record
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _ledger

SPEC: dict[str, t.Any] = {
    "placement": {"type": "dict", "required": True},
    "master_key": {"type": "str", "required": True, "no_log": True},
    "spaces": {"type": "list", "elements": "dict", "required": True},
    "backups": {"type": "dict", "default": {}},
    "placed": {"type": "bool", "default": True},
}


class ActionModule(ActionBase):
    """Write lines of the ledger, and take spaces out of the lock file."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None
    ) -> dict[str, t.Any]:
        """Record, or say what would be recorded.

        Raises:
            AnsibleActionFail: a line cannot be written, or what is there contradicts it.

        """
        super().run(tmp, task_vars)
        options = _options.read("ledger", self._task.args, SPEC)
        lock = Path(options["placement"]["path"])
        changes: dict[str, list[str]] = {}
        for space in options["spaces"]:
            slug = str(space["slug"])
            try:
                if found := self._record(lock, options, space):
                    changes[slug] = found
            except (RegistryError, _lock_record.ConflictError, OSError, ValueError) as error:
                raise AnsibleActionFail(f"{slug} could not be recorded: {error}") from error
        return {"changed": bool(changes), "spaces": changes}

    def _record(self, lock: Path, options: dict[str, t.Any], space: dict[str, t.Any]) -> list[str]:
        """Record one space: first that it is gone, then that its place is free."""
        slug, number, write = str(space["slug"]), int(space["id"]), not self._task.check_mode
        environment = str(options["placement"]["environment"])
        key = derive(options["master_key"], _ledger.PURPOSE, environment)
        entry: _ledger.Entry = {
            "act": "purged",
            "at": datetime.datetime.now(tz=datetime.UTC).isoformat(timespec="seconds"),
            "by": getpass.getuser(),
            "environment": environment,
            "slug": slug,
            "id": number,
            "web": str(space["web"]),
            "closed_on": str(space["closed_on"]),
            # The restore point that was verified; empty where there was nothing to lose.
            "backup": str(options["backups"].get(slug, "")),
        }
        path = lock.with_name(_ledger.NAME)
        found = []
        if options["placed"]:
            if _lock_record.forget(lock, slug, number, write=write):
                found.append(f"taken out of {shown(lock)}")
        elif _ledger.append(path, key, entry, write=write):
            found.append(f"written into {shown(path)}")
        return found
