# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Action plugin of spaces_installations: render the desired installations of a node's spaces."""

from __future__ import annotations

import base64
import time
import typing as t
from pathlib import Path

from ansible.utils.display import Display

from ansible_collections.archipel.spaces.plugins.plugin_utils import _render_nextcloud
from ansible_collections.archipel.spaces.plugins.plugin_utils._action import Spaces, SpacesAction
from ansible_collections.archipel.spaces.plugins.plugin_utils._progress import merged, sentence

# Seconds between two lines about how far it is.
BATCH_SECONDS = 30


def logos(items: list[dict[str, t.Any]]) -> dict[str, str]:
    """Return the logos of these spaces, for the journey."""
    return {
        item["space"]: base64.b64encode(Path(item["logo"]["path"]).read_bytes()).decode()
        for item in items
    }


class ActionModule(SpacesAction):
    """Desired state of the installations."""

    module = "spaces_installations"

    def desired(
        self, spaces: Spaces, settings: dict[str, t.Any], known: Spaces
    ) -> dict[str, t.Any]:
        """Return the installations the node must have."""
        return {
            "installations": _render_nextcloud.installations(spaces, settings),
            "parallel": settings["install_parallel"],
            "node": settings["installer"],
            "seconds": BATCH_SECONDS,
            "logos": {},
        }

    def converge(self, desired: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Call the module until no space is left, and say in between how far it is."""
        start = time.monotonic()
        result = super().converge(desired, task_vars)
        lacking = set(result.pop("wanted_logos", ()))
        # A batch that began nothing would be followed by others like it.
        while result.get("remaining") and result.get("begun") and not result.get("failed"):
            left = set(result["remaining"])
            self._say(task_vars, result, time.monotonic() - start)
            rest = [item for item in desired["installations"] if item["space"] in left]
            batch = super().converge({**desired, "installations": rest}, task_vars)
            if not batch.get("begun"):
                return merged(result, batch)
            result = merged(result, batch)
        if not lacking or result.get("failed"):
            return result
        rest = [item for item in desired["installations"] if item["space"] in lacking]
        brought = {**desired, "installations": rest, "logos": logos(rest)}
        return merged(result, self.converge(brought, task_vars))

    def _say(
        self, task_vars: t.Mapping[str, t.Any], result: t.Mapping[str, t.Any], seconds: float
    ) -> None:
        counts = (result["begun"], len(result["remaining"]), len(result["failed_spaces"]))
        line = sentence("installed or configured", *counts, seconds)
        Display().display(f"{task_vars.get('inventory_hostname', '')}: {line}")
