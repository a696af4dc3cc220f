# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Action plugin of spaces_upgrade: one call per batch, and a word about how far it is."""

from __future__ import annotations

import json
import time
import typing as t
from datetime import UTC, datetime
from pathlib import Path

from ansible.errors import AnsibleConnectionFailure
from ansible.utils.display import Display

from ansible_collections.archipel.spaces.plugins.module_utils._core._nextcloud_payloads import (
    Brief,
    Moving,
    SpacesUpgrade,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions import _options
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions._action import (
    Spaces,
    SpacesAction,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core import _progress
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import (
    KnownSpace,
    SpaceEntry,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import (
    Result,
    Variables,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._policy import _upgrades
from ansible_collections.archipel.spaces.plugins.plugin_utils._render import (
    _render_database,
    _render_nextcloud,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_context import Context

# Requested, refused and purged ones have no space; closed ones await their purge as they are.
MOVING = frozenset({"approved", "suspended"})


class ActionModule(SpacesAction[SpacesUpgrade]):
    """Spaces, and what is applied to them on the new release."""

    module = "spaces_upgrade"
    OWN: t.ClassVar[_options.Spec] = {
        "release": {"type": "dict", "default": {}},
        "stage": {"type": "str", "choices": ["plan", "run", "undo", "end"], "default": "plan"},
        "slugs": {"type": "list", "elements": "str", "default": []},
        "run": {"type": "dict", "required": True},
        "wave": {"type": "str", "default": ""},
        "budget": {"type": "int", "default": 0},
        "parallel": {"type": "int", "default": 2},
        "events": {"type": "path"},
        "keep_releases": {"type": "list", "elements": "str", "default": []},
        "keep_days": {"type": "int", "default": 14},
    }

    def desired(self, spaces: Spaces, context: Context, known: list[KnownSpace]) -> SpacesUpgrade:
        """Return what the node is asked to do."""
        options, stage = self.options, self.options["stage"]
        moving = [space for space in spaces if space["status"] in MOVING]
        if stage in {"run", "undo"}:
            order = {slug: place for place, slug in enumerate(options["slugs"])}
            here = [space for space in moving if space["slug"] in order]
            moving = sorted(here, key=lambda space: order[space["slug"]])
        return {
            "stage": stage,
            "items": list_moving(moving, context)
            if stage in {"run", "undo"}
            else [brief(space, context) for space in moving],
            "node": context["installer"],
            "places": context["upgrade"],
            "disabled": context["applications"].get("disabled", []),
            "release": options["release"],
            "run": options["run"],
            "budget": _upgrades.share(options["budget"], len(moving), len(options["slugs"])),
            "parallel": options["parallel"],
            "seconds": _upgrades.BATCH,
            "keep_releases": options["keep_releases"],
            "keep_days": float(options["keep_days"]),
        }

    def converge(self, desired: SpacesUpgrade, task_vars: Variables) -> Result:
        """Call the module until no space is left or too many failed."""
        begun = start = time.monotonic()
        result = batch = super().converge(desired, task_vars)
        self._note(task_vars, result, batch, start)
        while batch.get("remaining") and batch.get("begun") and not batch.get("exhausted"):
            left = set(batch["remaining"])
            following: SpacesUpgrade = {
                **desired,
                "items": [item for item in desired["items"] if item["space"] in left],
                "budget": desired["budget"] - len(result["failed_spaces"]),
                "seconds": _upgrades.batch_seconds(
                    time.monotonic() - begun, batch["begun"], desired["parallel"]
                ),
            }
            begun = time.monotonic()
            try:
                batch = super().converge(following, task_vars)
            except AnsibleConnectionFailure as error:
                # What came of the batches before is still to be reported.
                return _progress.merged(result, {"unreachable": True, "msg": str(error)})
            if batch.get("failed"):
                return _progress.merged(result, batch)
            result = _progress.merged(result, batch)
            self._note(task_vars, result, batch, start)
        return result

    def _note(
        self,
        task_vars: Variables,
        result: Result,
        batch: Result,
        start: float,
    ) -> None:
        """Say how far it is, to people who look and in the file for programs."""
        if "begun" not in batch:
            return
        seconds = time.monotonic() - start
        done, left, failed = (len(result.get(key, ())) for key in COUNTED)
        node = str(task_vars.get("inventory_hostname", ""))
        base = {"at": datetime.now(tz=UTC).isoformat(timespec="seconds"), "node": node}
        base["wave"] = self.options["wave"]
        lines = [
            *({**base, "space": s, "result": "upgraded", "said": w} for s, w in changes(batch)),
            *(
                {**base, "space": s, "result": batch.get("ends", {}).get(s, "refused"), "said": w}
                for s, w in failures(batch)
            ),
            {**base, "done": done, "failed": failed, "left": left, "seconds": round(seconds, 1)},
        ]
        if path := self.options["events"]:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
            # At once: the processes of several nodes write into the same file.
            with Path(path).open("ab", buffering=0) as file:
                file.write(text.encode())
        if _progress.TERMINAL:
            words = _progress.sentence("upgraded", done + failed, left, failed, seconds)
            Display().display(f"{node}, {base['wave']}: {words}")


def list_moving(spaces: Spaces, context: Context) -> list[Moving]:
    """Return what moving spaces needs. Pure."""
    hosts = {space["slug"]: space["domains"][0] for space in spaces}
    return [
        {**item, "host": hosts[item["space"]]}
        for item in _render_nextcloud.list_installations(spaces, context)
    ]


def brief(space: SpaceEntry, context: Context) -> Brief:
    """Return what looking at a space needs. Pure."""
    account = _render_database.plan_database(space, context)
    address = _render_database.find_host(space, context)
    return {"space": space["slug"], "database": {**account, "address": address}}


COUNTED = ("spaces", "remaining", "failed_spaces")


def changes(batch: Result) -> list[tuple[str, str]]:
    """Return what was done, by slug. Pure."""
    return [(slug, "; ".join(said)) for slug, said in batch.get("spaces", {}).items()]


def failures(batch: Result) -> list[tuple[str, str]]:
    """Return what went wrong, by slug. Pure."""
    return list(batch.get("failed_spaces", {}).items())
