# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Action plugin of spaces_files: render what a node and its spaces must have on disk."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils import _render
from ansible_collections.archipel.spaces.plugins.plugin_utils._action import (
    COLLECTION,
    Spaces,
    SpacesAction,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._templates import TemplatesAction


class ActionModule(SpacesAction, TemplatesAction):
    """Desired state of the node's own files, and of its spaces' users, files and limits."""

    module = "spaces_files"

    def desired(
        self, spaces: Spaces, settings: dict[str, t.Any], known: Spaces
    ) -> dict[str, t.Any]:
        """Return what the node must have."""
        environment = _render.templates(_render.template_directory(COLLECTION))
        return {
            "node": self.rendered(self._task.args.get("node", {}), self.variables),
            "users": {
                "wanted": _render.users(spaces),
                "path": f"{settings['sysusers_directory']}/archipel-spaces.conf",
                "declared": _render.sysusers_lines(known, settings),
                "header": f"# {_render.MANAGED}",
            },
            "directories": {
                "wanted": _render.plain(_render.directories(spaces, settings)),
                "path": f"{settings['tmpfiles_directory']}/archipel-spaces.conf",
                "content": _render.tmpfiles_conf(_render.directories(known, settings)),
            },
            "files": _render.plain(_render.files(spaces, settings, environment)),
            "names": _render.names(known, settings),
            "quotas": _render.limits(spaces, settings, known),
        }
