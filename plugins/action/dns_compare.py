# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ask resolvers whether the names of an environment lead where they shall."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.archipel.spaces.plugins.plugin_utils._actions import _dns, _options
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Result
from ansible_collections.archipel.spaces.plugins.plugin_utils._dns import _compare, _resolve

SPEC: dict[str, t.Any] = {
    **_dns.SPEC,
    "resolvers": {"type": "list", "elements": "str", "default": []},
    "seconds": {"type": "float", "default": 10.0},
    "parallel": {"type": "int", "default": 100},
    "report": {"type": "path", "required": True},
    "only": {"type": "str", "default": ""},
}


class ActionModule(ActionBase):
    """Runs on the controller alone, and asks from there."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: Result | None = None) -> Result:
        """Ask, compare, and keep what was found as JSON; that names are wrong is no failure here.

        Raises:
            AnsibleActionFail: options are wrong, or the report cannot be written.

        """
        super().run(tmp, task_vars)
        options = _options.read("dns_compare", self._task.args, SPEC)
        names, zone = _dns.find_names(options, task_vars or {}, options["only"])
        limits = _resolve.Limits(options["seconds"], options["parallel"])
        report = Path(options["report"])
        try:
            resolvers = options["resolvers"] or _resolve.list_system()
            answers = _resolve.ask(names, resolvers, limits)
            rows = [
                _compare.compare(name, found, zone)
                for name, found in zip(names, answers, strict=True)
            ]
            report.parent.mkdir(parents=True, exist_ok=True)
            report.write_text(
                json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
            )
        except (_resolve.ResolverError, OSError) as error:
            raise AnsibleActionFail(f"dns_compare: {error}") from error
        wrong = [row for row in rows if row["state"] != _compare.OK]
        return {
            "changed": False,
            "resolvers": resolvers,
            "summary": _compare.summarize(rows),
            "problems": [row["problem"] for row in wrong],
            "associations": {
                row["domain"]: row["association"] for row in wrong if row["association"]
            },
        }
