# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Action plugin of spaces_files: render what a node and its spaces must have on disk."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._core import _layout
from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import SpacesFiles
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions import _options
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions._action import (
    COLLECTION,
    Spaces,
    SpacesAction,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions._templates import (
    TemplatesAction,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import KnownSpace
from ansible_collections.archipel.spaces.plugins.plugin_utils._render import (
    _render_common,
    _render_files,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_context import Context


class ActionModule(SpacesAction[SpacesFiles], TemplatesAction):
    """Desired state of the node's own files, and of its spaces' users, files and limits."""

    module = "spaces_files"
    OWN: t.ClassVar[_options.Spec] = {
        "node": {
            "type": "dict",
            "default": {},
            # What is in them is the matter of the templates.
            "options": {
                "files": {"type": "list", "elements": "dict", "default": []},
                "directories": {"type": "list", "elements": "dict", "default": []},
            },
        }
    }

    def desired(self, spaces: Spaces, context: Context, known: list[KnownSpace]) -> SpacesFiles:
        """Return what the node must have."""
        environment = _render_files.load_templates(_render_files.find_templates(COLLECTION))
        return {
            "node": self.rendered(self.options["node"] or {}, self.variables),
            "users": {
                "wanted": _render_files.list_users(spaces),
                "path": f"{context['sysusers_directory']}/{_layout.DECLARATIONS}",
                "declared": _render_files.render_sysusers(known, context),
                "header": f"# {_render_common.MANAGED}",
            },
            "directories": {
                "wanted": _render_files.list_directories(spaces, context),
                "path": f"{context['tmpfiles_directory']}/{_layout.DECLARATIONS}",
                "content": _render_files.render_tmpfiles(
                    _render_files.list_directories(known, context)
                ),
            },
            "files": _render_files.render_files(spaces, context, environment),
            "names": _render_files.list_names(known, context),
            "quotas": _render_files.plan_limits(spaces, context, known),
        }
