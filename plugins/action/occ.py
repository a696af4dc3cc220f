# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Run occ in the space that a command is aimed at: `ansible velo-ecole -m archipel.spaces.occ`."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _occ
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions import _options


class ActionModule(ActionBase):
    """Fill in the slug of a space of the inventory, then run the module on its node."""

    def run(
        self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None
    ) -> dict[str, t.Any]:
        """Run the module with the space it is meant for.

        Raises:
            AnsibleActionFail: nobody says which space is meant, or an option is unknown.

        """
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        _options.refuse_unknown("occ", arguments, _occ.OPTIONS)
        variables = task_vars or {}
        if not arguments.get("space") and not arguments.get("slug"):
            if "space" not in variables:
                raise AnsibleActionFail(
                    "occ needs to know the space: aim at one of the inventory "
                    "(ansible velo-ecole -m archipel.spaces.occ …), or give the option space"
                )
            arguments["space"] = variables["space"]["slug"]
        return self._execute_module(
            module_name="archipel.spaces.occ", module_args=arguments, task_vars=task_vars
        )
