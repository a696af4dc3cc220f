# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Action plugin of spaces_files: render the desired files of a node's spaces."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils import _render
from ansible_collections.archipel.spaces.plugins.plugin_utils._action import (
    COLLECTION,
    Spaces,
    SpacesAction,
)


class ActionModule(SpacesAction):
    """Desired state of the files."""

    module = "spaces_files"

    def desired(
        self, spaces: Spaces, settings: dict[str, t.Any], known: Spaces
    ) -> dict[str, t.Any]:
        """Return the files the node must have."""
        environment = _render.templates(_render.template_directory(COLLECTION))
        return {"files": _render.plain(_render.files(spaces, settings, environment))}
