# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Action copy_file: write the file of a copy of a space into the registry, on the controller."""

from __future__ import annotations

import datetime
import getpass
import typing as t
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.archipel.spaces.plugins.plugin_utils._actions import _options
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import RegistryError
from ansible_collections.archipel.spaces.plugins.plugin_utils._intake import _copying, _files

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Unchecked

SPEC: dict[str, t.Any] = {
    "placement": {"type": "dict", "required": True},
    "only": {"type": "str", "default": ""},
    "into": {"type": "str", "default": ""},
    "consent": {"type": "str", "default": ""},
    "by": {"type": "str", "default": ""},
    "last_day": {"type": "str", "default": ""},
    "days": {"type": "int", "default": 30},
    "ring": {"type": "str", "default": ""},
    "taken": {"type": "list", "elements": "str", "default": []},
    "nodes": {"type": "list", "elements": "dict", "default": []},
    "storage_gb": {"type": "int", "default": 0},
}


class ActionModule(ActionBase):
    """Write one file of the registry, or refuse with every reason."""

    TRANSFERS_FILES = False
    BYPASS_HOST_LOOP = True
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None
    ) -> dict[str, t.Any]:
        """Write it, or say what would be written.

        Raises:
            AnsibleActionFail: no copy may be made, or the registry cannot be read or written.

        """
        super().run(tmp, task_vars)
        options = _options.read("copy_file", self._task.args, SPEC)
        home = Path(options["placement"]["path"]).parent
        asked, write = asked_of(options), not self._task.check_mode
        try:
            found = _copying.copy(home, asked, self._loader._vault, write=write)
        except _copying.RefusedError as error:
            raise AnsibleActionFail(_("no copy is made. {why}", why=error)) from None
        except (RegistryError, OSError) as error:
            raise AnsibleActionFail("the file of the copy could not be written") from error
        new = bool(found.text)
        return {
            "changed": new,
            "spaces": {found.into: [f"copy of {found.source}"]} if new else {},
            "copy": {"source": found.source, "into": found.into, "web": found.web, "new": new},
            "diff": [_files.diff(found.path, b"", found.text)] if new and self._task.diff else [],
        }


def asked_of(options: Unchecked) -> _copying.Asked:
    """Return what is asked for, as plain values."""
    words = {key: str(options[key]).strip() for key in ("only", "into", "ring")}
    return _copying.Asked(
        **words,
        until=str(options["last_day"]).strip(),
        consent=str(options["consent"]),
        by=str(options["by"]) or getpass.getuser(),
        today=datetime.datetime.now(tz=datetime.UTC).date(),
        days=int(options["days"]),
        taken=frozenset(map(str, options["taken"])),
        nodes=tuple(options["nodes"]),
        storage_gb=int(options["storage_gb"]),
    )
