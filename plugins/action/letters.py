# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Action letters: what associations are to be written, sent by a node and recorded here."""

from __future__ import annotations

import datetime
import json
import typing as t
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import pack
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions import _options
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import RegistryError
from ansible_collections.archipel.spaces.plugins.plugin_utils._intake import (
    _correspondence,
    _letters,
)

SPEC: dict[str, t.Any] = {
    "placement": {"type": "dict", "required": True},
    "relay": {"type": "dict", "required": True},
    "operator": {"type": "dict", "required": True},
    "url": {"type": "str", "required": True},
    "templates": {"type": "dict", "required": True},
    "own": {"type": "dict", "default": {}},
    "reasons": {"type": "dict", "default": {}},
    "locale": {"type": "str", "default": "fr"},
    "grace_days": {"type": "int", "default": 0},
    "days": {"type": "int", "default": 30},
    "request_days": {"type": "int", "default": 0},
    "notice_days": {"type": "int", "default": 0},
    "dormant_notice_days": {"type": "int", "default": 0},
    "only": {"type": "str", "default": ""},
    "preview": {"type": "path"},
}


class ActionModule(ActionBase):
    """Compose on the controller, send from a node, record on the controller."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None
    ) -> dict[str, t.Any]:
        """Send what is due, or say who would get what.

        Raises:
            AnsibleActionFail: templates are wrong, contacts are sealed, or files cannot be read.

        """
        super().run(tmp, task_vars)
        options = _options.read("letters", self._task.args, SPEC)
        home = Path(options["placement"]["path"]).parent
        try:
            letters = self._compose(home, options)
            if options["preview"]:
                return self._preview(letters, Path(options["preview"]))
            if not letters:
                return {"changed": False, "spaces": {}, "failed_spaces": {}, "node": [], "sent": {}}
            result = self._send(letters, options, task_vars)
            if not self._task.check_mode:
                _correspondence.record(home, result.get("sent", {}))
        except (RegistryError, OSError) as error:
            raise AnsibleActionFail("no letter could be written") from error
        return result

    def _compose(self, home: Path, options: dict[str, t.Any]) -> list[_letters.Letter]:
        """Return the letters that are due.

        Raises:
            AnsibleActionFail: a template is wrong.

        """
        templates = _correspondence.merge(options["templates"], options["own"])
        if wrong := _letters.check(templates):
            raise AnsibleActionFail("\n".join(wrong))
        house = _letters.House(
            operator=options["operator"],
            url=options["url"],
            templates=templates,
            reasons=options["reasons"],
            locale=options["locale"],
            grace_days=options["grace_days"],
        )
        wanted = _correspondence.Wanted(
            today=datetime.datetime.now(tz=datetime.UTC).date(),
            days=options["days"],
            request_days=options["request_days"],
            notice_days=options["notice_days"],
            dormant_notice_days=options["dormant_notice_days"],
            only=frozenset(options["only"].replace(" ", "").split(",")) - {""},
        )
        return _correspondence.compose(home, house, wanted, self._loader._vault)

    def _preview(self, letters: list[_letters.Letter], folder: Path) -> dict[str, t.Any]:
        """Write letters into a folder instead of sending them."""
        changes: dict[str, list[str]] = {}
        for one in letters:
            if not self._task.check_mode:
                _correspondence.preview(one, folder)
            path = folder / f"{one['slug']}.{one['step']}.txt"
            changes.setdefault(one["slug"], []).append(f"letter {one['step']} in {path}")
        result = {"changed": bool(changes), "spaces": changes}
        return {**result, "failed_spaces": {}, "node": [], "sent": {}}

    def _send(
        self,
        letters: list[_letters.Letter],
        options: dict[str, t.Any],
        task_vars: dict[str, t.Any] | None,
    ) -> dict[str, t.Any]:
        payload = {
            "letters": letters,
            "relay": json.loads(json.dumps(options["relay"], default=str)),
            "operator": json.loads(json.dumps(options["operator"], default=str)),
        }
        return t.cast(
            "dict[str, t.Any]",
            self._execute_module(
                module_name="archipel.spaces.letters",
                module_args={"payload": pack(payload)},
                task_vars=task_vars,
            ),
        )
