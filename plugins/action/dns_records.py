# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Write the DNS records that an environment needs into a folder of the controller."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.archipel.spaces.plugins.plugin_utils._actions import _dns, _options
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import ngettext
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Result
from ansible_collections.archipel.spaces.plugins.plugin_utils._dns import _records
from ansible_collections.archipel.spaces.plugins.plugin_utils._render import _build

SHOWN = 100
SPEC: dict[str, t.Any] = {**_dns.SPEC, "directory": {"type": "path", "required": True}}


class ActionModule(ActionBase):
    """Runs on the controller alone: no connection is opened."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: Result | None = None) -> Result:
        """Write the zone, the table and what associations have to do.

        Raises:
            AnsibleActionFail: options or addresses are wrong, or the folder cannot be written.

        """
        super().run(tmp, task_vars)
        options = _options.read("dns_records", self._task.args, SPEC)
        if nameless := _dns.list_without_address(options):
            nothing = {"changed": False, "names": 0, "own": 0, "changes": []}
            return {**nothing, "problem": nameless, "said": nameless}
        names, zone = _dns.find_names(options, task_vars or {})
        wanted = _records.render(names, zone)
        try:
            changes = _build.write(Path(options["directory"]), wanted, check=self._task.check_mode)
        except (ValueError, OSError) as error:
            raise AnsibleActionFail(f"dns_records: {error}") from error
        own = sum(name.kind == "own" for name in names)
        return {
            "changed": bool(changes),
            "problem": "",
            "names": len(names),
            "own": own,
            "said": _say(len(names), own, options["directory"]),
            "changes": [str(change) for change in changes[:SHOWN]],
            "diff": [
                {
                    "before_header": change.name,
                    "after_header": str(change),
                    "before": change.before,
                    "after": change.after or "",
                }
                for change in changes[:SHOWN]
                if self._task.diff
            ],
        }


def _say(names: int, own: int, folder: str) -> str:
    return ngettext(
        "DNS records of {n} name, {own} of them of associations, in {folder}",
        "DNS records of {n} names, {own} of them of associations, in {folder}",
        names,
        own=own,
        folder=folder,
    )
