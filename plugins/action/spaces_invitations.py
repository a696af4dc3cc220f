# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Action plugin of spaces_invitations: who is to be invited, and into what."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._core._nextcloud_payloads import (
    SpacesInvitations,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions import _options
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions._action import (
    Spaces,
    SpacesAction,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import KnownSpace
from ansible_collections.archipel.spaces.plugins.plugin_utils._render import _render_nextcloud
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_context import Context


class ActionModule(SpacesAction[SpacesInvitations]):
    """The first administrators of the chosen spaces that are approved."""

    module = "spaces_invitations"
    needs_place = False
    OWN: t.ClassVar[_options.Spec] = {"again": {"type": "bool", "default": False}}

    def desired(
        self, spaces: Spaces, context: Context, known: list[KnownSpace]
    ) -> SpacesInvitations:
        """Return whom the node invites; nobody, where nobody was named."""
        named = spaces if self.options["only"] else []
        approved = [space for space in named if space["status"] == "approved"]
        return {
            "invitations": _render_nextcloud.list_invitations(
                approved, context, again=self.options["again"]
            ),
            "parallel": context["install_parallel"],
            "node": context["installer"],
        }
