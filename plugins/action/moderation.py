# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Action moderation: decisions on associations as changes of their files, on the controller."""

from __future__ import annotations

import datetime
import getpass
import json
import os
import typing as t
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.archipel.spaces.plugins.plugin_utils._actions import _options
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import RegistryError
from ansible_collections.archipel.spaces.plugins.plugin_utils._intake import (
    _decide,
    _files,
    _moderation,
    _waiting,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _writing

SPEC: dict[str, t.Any] = {
    "placement": {"type": "dict", "required": True},
    "decision": {"type": "str", "default": ""},
    "only": {"type": "str", "default": ""},
    "by": {"type": "str", "default": ""},
    "reason": {"type": "str", "default": ""},
    "reasons": {"type": "dict", "default": {}},
    "maximum": {"type": "dict", "default": {}},
    "day": {"type": "str", "default": ""},
    "days": {"type": "int", "default": 0},
    "notice_days": {"type": "int", "default": 0},
    "refused_days": {"type": "int", "default": 0},
    "build": {"type": "path"},
    "link": {"type": "str", "default": ""},
}
# The decision that nobody takes: time alone.
EXPIRE = "expire"


class ActionModule(ActionBase):
    """Write decisions into files of the registry, and say what waits."""

    TRANSFERS_FILES = False
    BYPASS_HOST_LOOP = True
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None
    ) -> dict[str, t.Any]:
        """Decide, or say what would be changed; then list what waits.

        Raises:
            AnsibleActionFail: the registry cannot be read or written.

        """
        super().run(tmp, task_vars)
        options = _options.read("moderation", self._task.args, SPEC)
        home = Path(options["placement"]["path"]).parent
        patience = _moderation.Patience(
            options["days"], options["notice_days"], options["refused_days"]
        )
        try:
            outcome = self._decide(home, options, patience)
            waiting = self._list(home, options, patience)
        except (RegistryError, OSError) as error:
            raise AnsibleActionFail("the registry could not be moderated") from error
        return {
            "changed": bool(outcome.changes),
            "spaces": outcome.changes,
            "refused": outcome.refused,
            "waiting": waiting,
            "diff": outcome.diff if self._task.diff else [],
        }

    def _decide(
        self, home: Path, options: dict[str, t.Any], patience: _moderation.Patience
    ) -> _files.Outcome:
        kind, vault, write = options["decision"], self._loader._vault, not self._task.check_mode
        if not kind:
            return _files.Outcome()
        if kind == EXPIRE:
            return _decide.expire(home, patience, today(), vault, write=write)
        slugs = [word for word in options["only"].replace(" ", "").split(",") if word]
        decision = _moderation.Decision(
            kind,
            options["by"] or getpass.getuser(),
            today().isoformat(),
            options["reason"],
            options["day"],
            options["maximum"],
        )
        return _decide.decide(home, slugs, decision, options["reasons"], vault, write=write)

    def _list(
        self, home: Path, options: dict[str, t.Any], patience: _moderation.Patience
    ) -> list[str]:
        """Return what waits, in sentences, and write it beside what else runs leave."""
        folder = _files.read(home, self._loader._vault)
        known = folder.contacts.known
        waiting = _waiting.collect(folder.records, known, patience, today())
        if options["build"] and not self._task.check_mode:
            build = Path(options["build"])
            # Contacts are in it: for nobody else on this computer.
            build.mkdir(mode=0o700, parents=True, exist_ok=True)
            name = options["placement"]["environment"]
            # Without a forge, the file where it lies.
            beside = f"{os.path.relpath(folder.environment.spaces, build)}/{{slug}}.yml"
            page = _waiting.page(waiting, name, options["link"] or beside)
            text = json.dumps(waiting, ensure_ascii=False, indent=1) + "\n"
            _writing.replace(build / "index.html", page.encode())
            _writing.replace(build / "requests.json", text.encode())
        lost = sorted(set(known) - folder.taken)
        return _waiting.sentences(waiting, sealed=folder.contacts.sealed, lost=lost)


def today() -> datetime.date:
    """The day that decisions are dated with."""
    return datetime.datetime.now(tz=datetime.UTC).date()
