# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Action plugin of spaces_services: render the desired services of a node's spaces."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils import _render_services
from ansible_collections.archipel.spaces.plugins.plugin_utils._action import Spaces, SpacesAction


class ActionModule(SpacesAction):
    """Desired state of the services."""

    module = "spaces_services"

    def desired(
        self, spaces: Spaces, settings: dict[str, t.Any], known: Spaces
    ) -> dict[str, t.Any]:
        """Return the services the node must have."""
        return {
            "units": _render_services.units(spaces),
            "php": settings["services"],
            "nginx": settings["nginx"],
            "drift": _render_services.expected(known, settings),
        }
