# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Render what a role wants of a node here, bring it in place there, in one task."""

from __future__ import annotations

import re
import typing as t

from ansible.errors import AnsibleActionFail

from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import NodeState
from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import pack
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions import _options, _templates
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import (
    Draft,
    Result,
    Unchecked,
    Variables,
)

UNIT = {
    "name": {"type": "str", "required": True},
    "enabled": {"type": "bool"},
    "masked": {"type": "bool"},
    "state": {"type": "str", "choices": ["started", "stopped"]},
    "newer": {"type": "list", "elements": "path", "default": []},
    "arrived": {"type": "list", "elements": "path", "default": []},
    "count_removed": {"type": "bool", "default": False},
    "then": {
        "type": "str",
        "choices": ["restart", "reload", "stop", "report"],
        "default": "restart",
    },
    "validate": {"type": "list", "elements": "str", "default": []},
}
LINK = {"path": {"type": "path", "required": True}, "target": {"type": "str", "required": True}}
SPEC: Draft = {
    "groups": {"type": "list", "elements": "str", "default": []},
    "packages": {"type": "list", "elements": "str", "default": []},
    "services": {"type": "bool", "default": False},
    "index_age": {"type": "int", "default": 86400},
    "absent": {"type": "list", "elements": "path", "default": []},
    "links": {"type": "list", "elements": "dict", "default": [], "options": LINK},
    "sysusers": {"type": "list", "elements": "path", "default": []},
    "sysctls": {"type": "dict", "default": {}},
    "manager": {"type": "dict", "default": {}},
    "units": {"type": "list", "elements": "dict", "default": [], "options": UNIT},
    **_templates.SPEC,
}
# What is wrong with a name, where it does not look like this.
NAMES = {
    "groups": (r"[a-z_][a-z0-9_-]{0,31}", "small letters, digits, _ and -"),
    "packages": (
        r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9-]+)?",
        "a name of Debian's, without a version",
    ),
    "sysctls": (r"[a-z0-9_][\w./-]*", "a name such as net.core.somaxconn"),
    "units": (
        r"[\w@:.\\-]+\.(service|socket|timer|path|mount|target|slice)",
        "a name with its suffix, such as nginx.service",
    ),
}
# What policy-rc.d says to who would start a service: it may not.
FORBIDDEN = 101
# Ansible's own, that a second run of a module says as well.
APT = "ansible.builtin.apt"


class ActionModule(_templates.TemplatesAction):
    """Render, then run the module of the same name; apt in between where packages are missing."""

    def run(
        self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None
    ) -> dict[str, t.Any]:
        """Return what the module says, and what apt did."""
        super().run(tmp, task_vars)
        variables = task_vars or {}
        options = _options.read("node_state", self._task.args, SPEC)
        refuse_names(options)
        wanted: NodeState = {
            **self.rendered_options(options, variables),
            "packages": options["packages"],
            "pending": [],
            "groups": options["groups"],
            "absent": options["absent"],
            "links": options["links"],
            "sysusers": options["sysusers"],
            "sysctls": {name: str(value) for name, value in options["sysctls"].items()},
            "manager": {name: str(value) for name, value in options["manager"].items()},
            "units": options["units"],
        }
        result = self._converge(wanted, variables)
        if missing := result.pop("missing", []):
            result = self._install(missing, result, options, variables)
            if not result.get("failed"):
                wanted["pending"] = missing if self._task.check_mode else []
                result = joined(result, self._converge(wanted, variables))
                refuse_missing(result.pop("missing", []))
        result.pop("index", None)
        result.setdefault("pending", wanted["pending"])
        return result

    def _converge(self, wanted: NodeState, variables: Variables) -> Result:
        """Return what the module says of one pass."""
        result: Result = self._execute_module(
            module_name="archipel.spaces.node_state",
            module_args={"payload": pack(wanted)},
            task_vars=variables,
        )
        return result

    def _install(
        self, missing: list[str], found: Result, options: Draft, variables: Variables
    ) -> Result:
        """Install packages in one transaction; return that as a result, after what was found."""
        # A time of the folder may be that of its making: without any index its age says nothing.
        age = options["index_age"] if found["index"] else 0
        index = {"update_cache": True, "cache_valid_time": age}
        if self._task.check_mode:
            # Also brings apt's binding along, without which nothing can be said about packages.
            refreshed = self._apt(index, variables, check=False)
            if refreshed.get("failed"):
                return refreshed
            index = {}
        wanted = {"name": missing, "install_recommends": False, **index}
        if not options["services"]:
            wanted["policy_rc_d"] = FORBIDDEN
        done = self._apt(wanted, variables, check=self._task.check_mode)
        if done.get("failed"):
            return done
        said = done.get("diff") or []
        packages = {f"package {name}": ["installed"] for name in missing}
        return joined(
            found,
            {
                "changed": bool(done.get("changed")),
                "changes": packages if done.get("changed") else {},
                "diff": said if isinstance(said, list) else [said],
            },
        )

    def _apt(self, arguments: Draft, variables: Variables, *, check: bool) -> Result:
        """Return what apt says, in check mode or not, whatever the task is in."""
        before = self._task.check_mode
        self._task.check_mode = check
        try:
            result: Result = self._execute_module(
                module_name=APT, module_args=arguments, task_vars=variables
            )
        finally:
            self._task.check_mode = before
        return result


def joined(first: Result, second: Result) -> Result:
    """Return what two steps say as one result; what the second says alone, as it says it. Pure."""
    if second.get("failed"):
        return second
    return {
        **first,
        **second,
        "changed": first["changed"] or second["changed"],
        "changes": {**first["changes"], **second["changes"]},
        "diff": [*first["diff"], *second["diff"]],
    }


def refuse_missing(missing: list[str]) -> None:
    """End the task where packages are not there although apt was content.

    Raises:
        AnsibleActionFail: there are some.

    """
    if missing:
        raise AnsibleActionFail(
            f"archipel.spaces.node_state: not installed, though apt had nothing to say: "
            f"{', '.join(missing)}. Name the packages themselves, not what they provide"
        )


def refuse_names(options: Unchecked) -> None:
    """End the task where a name is none.

    Raises:
        AnsibleActionFail: all of them, with the option that has them.

    """
    problems = []
    for option, (pattern, allowed) in NAMES.items():
        values = options[option]
        for value in values:
            name = str(value["name"] if option == "units" else value)
            if not re.fullmatch(pattern, name):
                problems.append(f'{option} has "{name}"; allowed: {allowed}')
    _options.refuse("node_state", problems)
