# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Render many templates here, put all of them in place there, in one task."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import pack
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions._templates import (
    TemplatesAction,
)


class ActionModule(TemplatesAction):
    """Render, then run the module of the same name on the node."""

    def run(
        self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None
    ) -> dict[str, t.Any]:
        """Return what the module says."""
        super().run(tmp, task_vars)
        payload = pack(self.rendered(self._task.args, task_vars or {}))
        return self._execute_module(
            module_name="archipel.spaces.templates",
            module_args={"payload": payload},
            task_vars=task_vars,
        )
