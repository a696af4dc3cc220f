# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Action plugin of spaces_files: render what a node and its spaces must have on disk."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils import _layout
from ansible_collections.archipel.spaces.plugins.plugin_utils import _render_common, _render_files
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
        environment = _render_files.templates(_render_files.template_directory(COLLECTION))
        return {
            "node": self.rendered(self._task.args.get("node", {}), self.variables),
            "users": {
                "wanted": _render_files.users(spaces),
                "path": f"{settings['sysusers_directory']}/{_layout.DECLARATIONS}",
                "declared": _render_files.sysusers_lines(known, settings),
                "header": f"# {_render_common.MANAGED}",
            },
            "directories": {
                "wanted": _render_common.plain(_render_files.directories(spaces, settings)),
                "path": f"{settings['tmpfiles_directory']}/{_layout.DECLARATIONS}",
                "content": _render_files.tmpfiles_conf(_render_files.directories(known, settings)),
            },
            "files": _render_common.plain(_render_files.files(spaces, settings, environment)),
            "names": _render_files.names(known, settings),
            "quotas": _render_files.limits(spaces, settings, known),
        }
