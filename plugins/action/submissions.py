# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Action submissions: what waits on a node comes to the controller, whole or not at all."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import (
    pack,
    unpack,
)
from ansible_collections.archipel.spaces.plugins.module_utils._system import _submissions
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions import _options
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _writing

SPEC: dict[str, t.Any] = {
    "folder": {"type": "path", "required": True},
    "dest": {"type": "path"},
    "remove": {"type": "list", "elements": "str", "default": []},
}


class ActionModule(ActionBase):
    """Ask the node as often as it has more, and write files."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None
    ) -> dict[str, t.Any]:
        """Copy submissions, or remove some.

        Raises:
            AnsibleActionFail: an option is wrong, or a file cannot be written here.

        """
        super().run(tmp, task_vars)
        options = _options.read("submissions", self._task.args, SPEC)
        fetched: list[str] = []
        refused: dict[str, str] = {}
        last = ""
        while True:
            result = self._ask(options, last, task_vars)
            if result.get("failed"):
                return result
            try:
                fetched += _keep(unpack(result["files"]), options["dest"])
            except OSError as error:
                text = f"submissions could not be written to {options['dest']}"
                raise AnsibleActionFail(text) from error
            refused |= result["refused"]
            last = result["last"]
            if not last:
                break
        return {
            "changed": result["changed"],
            "fetched": fetched,
            "removed": result["removed"],
            "refused": refused,
        }

    def _ask(
        self, options: dict[str, t.Any], after: str, task_vars: dict[str, t.Any] | None
    ) -> dict[str, t.Any]:
        payload = {
            "folder": options["folder"],
            "read": bool(options["dest"]),
            "remove": options["remove"],
            "after": after,
        }
        return t.cast(
            "dict[str, t.Any]",
            self._execute_module(
                module_name="archipel.spaces.submissions",
                module_args={"payload": pack(payload)},
                task_vars=task_vars,
            ),
        )


def _keep(files: dict[str, str], folder: str | None) -> list[str]:
    """Write files, each whole; a node that is not ours any more leads no path elsewhere.

    Raises:
        AnsibleActionFail: a name is none of a submission.

    """
    for name, text in files.items():
        if not _submissions.NAME.fullmatch(name):
            raise AnsibleActionFail(f"the node handed over {name!r}, which is no submission")
        path, data = Path(folder or "", name), text.encode("latin-1")
        if not path.is_file() or path.read_bytes() != data:
            _writing.replace(path, data)
    return sorted(files)
