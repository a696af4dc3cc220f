# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Action plugin of spaces_installations: render the desired installations of a node's spaces."""

from __future__ import annotations

import base64
import time
from pathlib import Path

from ansible.utils.display import Display

from ansible_collections.archipel.spaces.plugins.module_utils._core._nextcloud_payloads import (
    Installation,
    SpacesInstallations,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions._action import (
    Spaces,
    SpacesAction,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._progress import (
    merged,
    sentence,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import KnownSpace
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import (
    Result,
    Variables,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._render import _render_nextcloud
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_context import Context

# Seconds between two lines about how far it is.
BATCH_SECONDS = 30


def read_logos(items: list[Installation]) -> dict[str, str]:
    """Return the logos of these spaces, for the journey."""
    return {
        item["space"]: base64.b64encode(Path(logo["path"]).read_bytes()).decode()
        for item in items
        if (logo := item["logo"])
    }


class ActionModule(SpacesAction[SpacesInstallations]):
    """Desired state of the installations."""

    module = "spaces_installations"

    def desired(
        self, spaces: Spaces, context: Context, known: list[KnownSpace]
    ) -> SpacesInstallations:
        """Return the installations the node must have."""
        return {
            "installations": _render_nextcloud.list_installations(spaces, context),
            "parallel": context["install_parallel"],
            "node": context["installer"],
            "seconds": BATCH_SECONDS,
            "logos": {},
        }

    def converge(self, desired: SpacesInstallations, task_vars: Variables) -> Result:
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
        brought: SpacesInstallations = {
            **desired,
            "installations": rest,
            "logos": read_logos(rest),
        }
        return merged(result, self.converge(brought, task_vars))

    def _say(self, task_vars: Variables, result: Result, seconds: float) -> None:
        counts = (result["begun"], len(result["remaining"]), len(result["failed_spaces"]))
        line = sentence("installed or configured", *counts, seconds)
        Display().display(f"{task_vars.get('inventory_hostname', '')}: {line}")
