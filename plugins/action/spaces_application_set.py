# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Action plugin of spaces_application_set: check the policy here, the releases there."""

from __future__ import annotations

from ansible_collections.archipel.spaces.plugins.module_utils._core._nextcloud_payloads import (
    SpacesApplicationSet,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions._action import (
    Spaces,
    SpacesAction,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import KnownSpace
from ansible_collections.archipel.spaces.plugins.plugin_utils._render import _applications
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_context import Context


class ActionModule(SpacesAction[SpacesApplicationSet]):
    """What the releases of a node must hold."""

    module = "spaces_application_set"
    needs_place = False

    def desired(
        self, spaces: Spaces, context: Context, known: list[KnownSpace]
    ) -> SpacesApplicationSet:
        """Return the applications each space needs, once the policy is found right.

        Raises:
            ValueError: the application set of the policy is wrong.

        """
        policy, suites = context["applications"], context["office_suites"]
        problems = _applications.check(policy, suites, context["offices"])
        if problems:
            raise ValueError("\n".join(["the application set is wrong", *problems]))
        needed = _applications.required(policy, suites, context["offices"])
        return {
            "root": context["root"],
            "releases": context["installer"]["releases"],
            "without": context["installer"]["without"],
            "needed": needed,
            "named": _applications.named(policy, suites, context["registration"]),
            "spaces": {space["slug"]: space["release"] for space in spaces},
            "asked": {
                space["slug"]: _applications.list_asked(space, context["registration"])
                for space in spaces
                if space["registration"]
            },
        }
