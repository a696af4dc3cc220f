# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Action plugin of spaces_drift: what the registry says of a node."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import SpacesDrift
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions import _options
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions._action import (
    Spaces,
    SpacesAction,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import KnownSpace
from ansible_collections.archipel.spaces.plugins.plugin_utils._render import (
    _render_common,
    _render_database,
    _render_services,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_context import Context


class ActionModule(SpacesAction[SpacesDrift]):
    """What the node is compared with: all its spaces, whatever a run is narrowed to."""

    module = "spaces_drift"
    needs_place = False
    OWN: t.ClassVar[_options.Spec] = {
        "of": {"type": "str", "choices": ["web", "database"], "default": "web"}
    }

    def desired(self, spaces: Spaces, context: Context, known: list[KnownSpace]) -> SpacesDrift:
        """Return the state of each space of the node."""
        present = [space for space in spaces if space["status"] in _render_common.PRESENT]
        return {
            **_render_services.list_expected(known, context),
            "accounts": [_render_database.find_account(space, context) for space in present],
            "of": self.options["of"],
            "socket": context["database_socket"],
        }
