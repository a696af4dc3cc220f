# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Render what a node would hold into a folder of the controller."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.archipel.spaces.plugins.plugin_utils._actions import _options
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions._action import (
    COLLECTION,
    find_spaces,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Result
from ansible_collections.archipel.spaces.plugins.plugin_utils._render import _build, _render_files

SHOWN = 100
SPEC: dict[str, t.Any] = {
    "spaces": {"type": "raw", "required": True},
    "databases": {"type": "raw", "required": True},
    "settings": {"type": "dict", "required": True},
    "directory": {"type": "path", "required": True},
}


class ActionModule(ActionBase):
    """Runs on the controller alone: no connection is opened."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: Result | None = None) -> Result:
        """Render and write.

        Raises:
            AnsibleActionFail: something cannot be rendered or written, or options are wrong.

        """
        super().run(tmp, task_vars)
        options = _options.read("spaces_build", self._task.args, SPEC)
        spaces, databases = (
            find_spaces(options[key], task_vars or {}, self._templar)
            for key in ("spaces", "databases")
        )
        environment = _render_files.load_templates(_render_files.find_templates(COLLECTION))
        try:
            wanted = _build.render_documents(spaces, databases, options["settings"], environment)
            changes = _build.write(Path(options["directory"]), wanted, check=self._task.check_mode)
        except ValueError as error:
            raise AnsibleActionFail(f"spaces_build: {error}") from error
        except (KeyError, TypeError, OSError) as error:
            raise AnsibleActionFail(f"spaces_build: {type(error).__name__}: {error}") from error
        return {
            "changed": bool(changes),
            "known": len(spaces),
            "files": len(wanted),
            "changes": [str(change) for change in changes[:SHOWN]],
            "diff": [_difference(change) for change in changes[:SHOWN] if self._task.diff],
        }


def _difference(change: _build.Change) -> dict[str, str]:
    return {
        "before_header": change.name,
        "after_header": str(change),
        "before": change.before,
        "after": change.after or "",
    }
