# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Action plugin of spaces_users: render the desired unix users of a node's spaces."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils import _render
from ansible_collections.archipel.spaces.plugins.plugin_utils._action import Spaces, SpacesAction


class ActionModule(SpacesAction):
    """Desired state of the unix users."""

    module = "spaces_users"

    def desired(
        self, spaces: Spaces, settings: dict[str, t.Any], known: Spaces
    ) -> dict[str, t.Any]:
        """Return the unix users the node must have."""
        path = f"{settings['sysusers_directory']}/archipel-spaces.conf"
        return {
            "wanted": _render.users(spaces),
            "path": path,
            "declared": _render.sysusers_lines(known, settings),
            "header": f"# {_render.MANAGED}",
        }
