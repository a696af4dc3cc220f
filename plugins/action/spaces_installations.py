# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Action plugin of spaces_installations: render the desired installations of a node's spaces."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils import _render
from ansible_collections.archipel.spaces.plugins.plugin_utils._action import Spaces, SpacesAction


class ActionModule(SpacesAction):
    """Desired state of the installations."""

    module = "spaces_installations"

    def desired(
        self, spaces: Spaces, settings: dict[str, t.Any], known: Spaces
    ) -> dict[str, t.Any]:
        """Return the installations the node must have."""
        return {
            "installations": _render.installations(spaces, settings),
            "parallel": settings["install_parallel"],
            "node": settings["installer"],
        }
