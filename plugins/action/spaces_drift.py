# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Action plugin of spaces_drift: what the registry says of a node."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils import (
    _render_common,
    _render_database,
    _render_services,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._action import Spaces, SpacesAction


class ActionModule(SpacesAction):
    """What the node is compared with: all its spaces, whatever a run is narrowed to."""

    module = "spaces_drift"
    needs_place = False

    def desired(
        self, spaces: Spaces, settings: dict[str, t.Any], known: Spaces
    ) -> dict[str, t.Any]:
        """Return the state of each space of the node."""
        present = [space for space in spaces if space["status"] in _render_common.PRESENT]
        return {
            **_render_services.expected(known, settings),
            "accounts": [_render_database.database_account(space, settings) for space in present],
            "of": self._task.args.get("of", "web"),
            "socket": settings["database_socket"],
        }
