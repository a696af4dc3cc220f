# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Action plugin of spaces_quotas: render the desired limits of a node's spaces."""

from __future__ import annotations

from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import Quotas
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions._action import (
    Spaces,
    SpacesAction,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import KnownSpace
from ansible_collections.archipel.spaces.plugins.plugin_utils._render import _render_files
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_context import Context


class ActionModule(SpacesAction[Quotas]):
    """Desired state of the limits."""

    module = "spaces_quotas"

    def desired(self, spaces: Spaces, context: Context, known: list[KnownSpace]) -> Quotas:
        """Return the limits the node must keep."""
        return _render_files.plan_limits(spaces, context, known)
