# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Action plugin of spaces_quotas: render the desired limits of a node's spaces."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils import _render_files
from ansible_collections.archipel.spaces.plugins.plugin_utils._action import Spaces, SpacesAction


class ActionModule(SpacesAction):
    """Desired state of the limits."""

    module = "spaces_quotas"

    def desired(
        self, spaces: Spaces, settings: dict[str, t.Any], known: Spaces
    ) -> dict[str, t.Any]:
        """Return the limits the node must keep."""
        return _render_files.limits(spaces, settings, known)
