# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Action plugin of spaces_directories: render the desired directories of a node's spaces."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils import _render
from ansible_collections.archipel.spaces.plugins.plugin_utils._action import Spaces, SpacesAction


class ActionModule(SpacesAction):
    """Desired state of the directories."""

    module = "spaces_directories"

    def desired(
        self, spaces: Spaces, settings: dict[str, t.Any], known: Spaces
    ) -> dict[str, t.Any]:
        """Return the directories the node must have."""
        return {
            "wanted": _render.plain(_render.directories(spaces, settings)),
            "path": f"{settings['tmpfiles_directory']}/archipel-spaces.conf",
            "content": _render.tmpfiles_conf(_render.directories(known, settings)),
        }
