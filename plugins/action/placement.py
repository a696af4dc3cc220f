# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Action placement: record on the controller where new spaces live."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.archipel.spaces.plugins.plugin_utils._actions import _options
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    RegistryError,
    shown,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import _lock_record
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._placement import Place

SPEC: dict[str, t.Any] = {
    "placement": {
        "type": "dict",
        "required": True,
        "options": {
            "path": {"type": "path", "required": True},
            "environment": {"type": "str", "required": True},
            "recorded": {"type": "bool"},
            "pending": {"type": "dict", "required": True},
        },
    },
    "moves": {"type": "dict", "default": {}},
}


class ActionModule(ActionBase):
    """Merge what the inventory decided into the lock file."""

    TRANSFERS_FILES = False
    BYPASS_HOST_LOOP = True
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None
    ) -> dict[str, t.Any]:
        """Record, or say what would be recorded.

        Raises:
            AnsibleActionFail: the lock file cannot be written, or contradicts what was decided.

        """
        super().run(tmp, task_vars)
        options = _options.read("placement", self._task.args, SPEC)
        placement, moves = options["placement"], _changes(options["moves"])
        pending = _places(placement["pending"])
        write = not self._task.check_mode
        try:
            done = _lock_record.record(
                Path(placement["path"]), placement["environment"], pending, moves, write=write
            )
        except (RegistryError, _lock_record.ConflictError, OSError) as error:
            raise AnsibleActionFail(_explain(error, placement["path"])) from error
        return {
            "changed": bool(done.new or done.moved),
            "path": placement["path"],
            "spaces": {
                **{slug: [_sentence(place)] for slug, place in done.new.items()},
                **{slug: [_moved(place)] for slug, place in done.moved.items()},
            },
            "diff": {
                "before_header": placement["path"],
                "after_header": placement["path"],
                "before": done.before,
                "after": done.after,
            },
        }


def _places(pending: dict[str, t.Any]) -> dict[str, Place]:
    """Return places as plain values, by slug.

    Raises:
        AnsibleActionFail: an entry is not whole.

    """
    try:
        # Plain values: what is written must not carry Ansible's tags.
        return {
            str(slug): Place(
                int(place["id"]),
                str(place["web"]),
                str(place["db"]),
                {str(suite): str(name) for suite, name in place.get("office", {}).items()},
            )
            for slug, place in pending.items()
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        allowed = "{slug: {id, web, db, office}}, as in archipel_placement"
        raise AnsibleActionFail(f"placement.pending: allowed: {allowed} ({error})") from error


def _changes(moves: dict[str, t.Any]) -> dict[str, _lock_record.Change]:
    """Return moves as plain values, by slug.

    Raises:
        AnsibleActionFail: an entry is not whole.

    """
    try:
        return {
            str(slug): _lock_record.Change(
                (str(move["from"]["web"]), str(move["from"]["db"])),
                str(move["web"]),
                str(move["db"]),
                str(move["lost"]) if "lost" in move else None,
            )
            for slug, move in moves.items()
        }
    except (AttributeError, KeyError, TypeError) as error:
        allowed = "{slug: {web, db, from: {web, db}, lost}}, as placement_writes returns it"
        raise AnsibleActionFail(f"placement.moves: allowed: {allowed} ({error})") from error


def _moved(place: Place) -> str:
    lost = f"; lost with {place.lost}, to be restored" if place.lost else ""
    return f"on {place.web}, its database on {place.db}{lost}"


def _sentence(place: Place) -> str:
    servers = f", office on {', '.join(place.office.values())}" if place.office else ""
    return f"placed on {place.web} with id {place.id}, database on {place.db}{servers}"


def _explain(error: Exception, path: str) -> str:
    if isinstance(error, _lock_record.ConflictError):
        return f"{shown(path)} has changed since this run read it: {error}. Run again"
    if isinstance(error, OSError):
        return f"{shown(path)} cannot be written ({error.strerror}); nothing was recorded"
    return str(error)
