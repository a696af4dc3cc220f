# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Action intake: make files of the registry of what associations have sent, on the controller."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.archipel.spaces.plugins.plugin_utils._actions import _options
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import RegistryError
from ansible_collections.archipel.spaces.plugins.plugin_utils._intake import (
    _files,
    _intake,
    _kinds,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _contacts, _edit

SPEC: dict[str, t.Any] = {
    "placement": {"type": "dict", "required": True},
    "submissions": {"type": "path"},
    "contacts": {
        "type": "str",
        "choices": [_contacts.PUBLIC, _contacts.VAULTED],
        "default": _contacts.PUBLIC,
    },
    "taken": {"type": "list", "elements": "str", "default": []},
    "offices": {"type": "list", "elements": "str", "default": []},
    "keep": {"type": "bool", "default": False},
    "discard": {"type": "list", "elements": "str", "default": []},
    "move_contacts": {"type": "bool", "default": False},
}


class ActionModule(ActionBase):
    """Write files of the registry, on the controller alone."""

    TRANSFERS_FILES = False
    BYPASS_HOST_LOOP = True
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None
    ) -> dict[str, t.Any]:
        """Take submissions in, or say what would come of them.

        Raises:
            AnsibleActionFail: the registry cannot be read or written, or there is no such folder.

        """
        super().run(tmp, task_vars)
        options = _options.read("intake", self._task.args, SPEC)
        home = Path(options["placement"]["path"]).parent
        try:
            outcome = self._take_in(home, options)
        except (RegistryError, _edit.EditError, _kinds.PlanError, OSError) as error:
            raise AnsibleActionFail("the requests could not be taken in") from error
        return {
            "changed": bool(outcome.changes),
            "spaces": outcome.changes,
            "refused": outcome.refused,
            "done": outcome.done,
            "diff": outcome.diff if self._task.diff else [],
        }

    def _take_in(self, home: Path, options: dict[str, t.Any]) -> _files.Outcome:
        """Do one of the two things.

        Raises:
            AnsibleActionFail: it is not said where submissions are, or they are not there.

        """
        write, vault = not self._task.check_mode, self._loader._vault
        if options["move_contacts"]:
            return _intake.move_contacts(home, vault, write=write)
        inbox = Path(options["submissions"] or "")
        if not options["submissions"] or not inbox.is_dir():
            text = f"submissions: {str(inbox)!r} is no folder; allowed: where requests are"
            raise AnsibleActionFail(text)
        wanted = _intake.Intake(
            inbox=inbox,
            taken=frozenset(options["taken"]),
            offices=options["offices"],
            vaulted=options["contacts"] == _contacts.VAULTED,
            keep=options["keep"],
            discard=frozenset(options["discard"]) - {""},
        )
        return _intake.take_in(home, wanted, vault, write=write)
