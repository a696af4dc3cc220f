# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Action plugin of spaces_databases: render the desired databases of a node's spaces."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils import (
    _render_common,
    _render_database,
    _render_services,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._action import Spaces, SpacesAction


class ActionModule(SpacesAction):
    """Desired state of the databases."""

    module = "spaces_databases"

    def desired(
        self, spaces: Spaces, settings: dict[str, t.Any], known: Spaces
    ) -> dict[str, t.Any]:
        """Return the databases the node must have."""
        present = [space for space in spaces if space["status"] in _render_common.PRESENT]
        return {
            "databases": [_render_database.database(space, settings) for space in present],
            "socket": settings["database_socket"],
            "known": {space["slug"]: _render_services.state_of(space) for space in known},
        }
