# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Check the tenants here, once for all; put their files in place there, in one task."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.archipel.spaces.plugins.module_utils._core._nextcloud_payloads import (
    OnlyofficeTenants,
)
from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import pack
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions import _options
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions._action import find_spaces
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import Tenant
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Result
from ansible_collections.archipel.spaces.plugins.plugin_utils._render import _onlyoffice

SHOWN = 20
SPEC: dict[str, t.Any] = {
    # A list, or the name of the variable that holds it.
    "tenants": {"type": "raw", "required": True},
    "shards": {"type": "dict", "required": True},
    "directory": {"type": "path", "required": True},
    "nginx_directory": {"type": "path", "required": True},
    "ports": {"type": "dict", "required": True},
    "rotate_while_open": {"type": "bool", "default": False},
}


class ActionModule(ActionBase):
    """Turn thousands of tenants into the desired state of one module."""

    def run(self, tmp: str | None = None, task_vars: Result | None = None) -> Result:
        """Check, render, and run the module of the same name on the node.

        Raises:
            AnsibleActionFail: tenants or options are wrong.

        """
        super().run(tmp, task_vars)
        options = _options.read("onlyoffice_tenants", self._task.args, SPEC)
        variables = task_vars or {}
        found = find_spaces(options["tenants"], variables, self._templar)
        tenants = t.cast("list[Tenant]", [dict(one) for one in found])
        shards: dict[str, str] = options["shards"]
        wrong = _onlyoffice.check(shards, tenants)
        if wrong:
            more = [f"and {len(wrong) - SHOWN} more"] if len(wrong) > SHOWN else []
            raise AnsibleActionFail("onlyoffice_tenants: " + "; ".join(wrong[:SHOWN] + more))
        managed = str(variables.get("ansible_managed", "Ansible managed"))
        wanted = _onlyoffice.plan(shards, tenants, managed)
        payload: OnlyofficeTenants = {
            **wanted,
            "directory": options["directory"],
            "nginx_directory": options["nginx_directory"],
            "ports": options["ports"],
            "groups": shards,
            "rotate_while_open": options["rotate_while_open"],
        }
        result: Result = self._execute_module(
            module_name="archipel.spaces.onlyoffice_tenants",
            module_args={"payload": pack(payload)},
            task_vars=task_vars,
        )
        return result
