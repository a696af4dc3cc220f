# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Compare the certificates of a node with what our own authority shall have signed."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime
from pathlib import Path

from ansible.plugins.action import ActionBase

from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import pack
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions import (
    _certificates,
    _options,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Draft

SPEC: Draft = {
    "requests": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "domains": {"type": "list", "elements": "str", "required": True},
        },
    },
    "directory": {"type": "path", "required": True},
    "trusted": {"type": "path", "required": True},
    "group": {"type": "str", "required": True},
    "renew_days": {"type": "int", "required": True},
    "authority": {
        "type": "dict",
        "required": True,
        "options": {
            "folder": {"type": "path", "required": True},
            "name": {"type": "str", "required": True},
            "domains": {"type": "list", "elements": "str", "default": []},
            "passphrase": {"type": "str", "default": ""},
        },
    },
}


class ActionModule(ActionBase):
    """Read the authority here and the certificates there."""

    def run(
        self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None
    ) -> dict[str, t.Any]:
        """Return what differs."""
        super().run(tmp, task_vars)
        options = _options.read("certificates_compare", self._task.args, SPEC)
        requests = [
            _certificates.Request(one["name"], tuple(one["domains"])) for one in options["requests"]
        ]
        of = options["authority"]
        wanted = _certificates.Authority(
            Path(of["folder"]), of["name"], tuple(of["domains"]), of["passphrase"]
        )
        authority, differing = _certificates.read_authority(wanted)
        if differing:
            # All of it is done again: what the node has need not be looked at.
            return {"changed": False, "differing": differing}
        given = {
            "directory": options["directory"],
            "names": [request.name for request in requests],
            "trusted": options["trusted"],
        }
        result: dict[str, t.Any] = self._execute_module(
            module_name="archipel.spaces.certificates_compare",
            module_args={"payload": pack(given)},
            task_vars=task_vars,
        )
        if result.get("failed"):
            return result
        found = result.pop("found")
        now, days = datetime.now(UTC), options["renew_days"]
        result["differing"] = _certificates.compare_all(
            requests, found, authority, group=options["group"], now=now, renew_days=days
        )
        return result
