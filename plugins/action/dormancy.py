# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Action dormancy: what is next for spaces that nobody uses, as changes of their files."""

from __future__ import annotations

import datetime
import typing as t
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.archipel.spaces.plugins.plugin_utils._actions import _options
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import RegistryError
from ansible_collections.archipel.spaces.plugins.plugin_utils._intake import (
    _correspondence,
    _decide,
    _dormancy,
    _moderation,
)

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.plugin_utils._registry._registry import Record

SPEC: dict[str, t.Any] = {
    "placement": {"type": "dict", "required": True},
    "states": {"type": "dict", "required": True},
    "days": {"type": "int", "required": True},
    "notice_days": {"type": "int", "required": True},
    "closing_days": {"type": "int", "required": True},
    "letters_days": {"type": "int", "required": True},
}
# Options that are the policy, in its order.
PATIENCE = ("", "notice_", "closing_", "letters_")


class ActionModule(ActionBase):
    """Write the next step of each into its file."""

    TRANSFERS_FILES = False
    BYPASS_HOST_LOOP = True
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None
    ) -> dict[str, t.Any]:
        """Write, or say what would be written.

        Raises:
            AnsibleActionFail: the registry cannot be read or written.

        """
        super().run(tmp, task_vars)
        options = _options.read("dormancy", self._task.args, SPEC)
        home = Path(options["placement"]["path"]).parent
        patience = _dormancy.Patience(*(options[f"{key}days"] for key in PATIENCE))
        uses = read_uses(options["states"])
        steps: dict[str, _dormancy.Step] = {}
        now = datetime.datetime.now(tz=datetime.UTC)
        try:
            sent = frozenset(_correspondence.read(home))

            def follow(record: Record) -> tuple[_moderation.Changes, str] | None:
                step = _dormancy.plan(record, uses.get(record.slug), patience, sent, now)
                if step is None:
                    return None
                steps[record.slug] = step
                return (step.changes, step.said) if step.changes else None

            outcome = _decide.change_each(
                home, follow, self._loader._vault, write=not self._task.check_mode
            )
        except (RegistryError, OSError) as error:
            raise AnsibleActionFail("the registry could not be changed") from error
        return {
            "changed": bool(outcome.changes),
            "spaces": outcome.changes,
            "refused": outcome.refused,
            "unused": list(_dormancy.list_unused(steps)),
            "diff": outcome.diff if self._task.diff else [],
        }


def read_uses(states: t.Mapping[str, t.Any]) -> dict[str, _dormancy.Use]:
    """Return what nodes say of the use of spaces; one that says nothing usable is left out."""
    found = {}
    for slug, state in states.items():
        accounts = state.get("accounts") or {}
        last, at = accounts.get("last_use"), accounts.get("at")
        if isinstance(last, int) and isinstance(at, str):
            try:
                measured = datetime.datetime.fromisoformat(at).timestamp()
            except ValueError:
                continue
            found[slug] = _dormancy.Use(last, measured)
    return found
