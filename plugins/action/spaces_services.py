# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Action plugin of spaces_services: render the desired services of a node's spaces."""

from __future__ import annotations

from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import SpacesServices
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions._action import (
    Spaces,
    SpacesAction,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import KnownSpace
from ansible_collections.archipel.spaces.plugins.plugin_utils._render import _render_services
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_context import Context


class ActionModule(SpacesAction[SpacesServices]):
    """Desired state of the services."""

    module = "spaces_services"

    def desired(self, spaces: Spaces, context: Context, known: list[KnownSpace]) -> SpacesServices:
        """Return the services the node must have."""
        return {
            "units": _render_services.list_units(spaces),
            "php": context["services"],
            "nginx": context["nginx"],
            "drift": _render_services.list_expected(known, context),
        }
