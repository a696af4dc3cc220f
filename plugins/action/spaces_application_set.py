# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Action plugin of spaces_application_set: check the policy here, the releases there."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils import _applications
from ansible_collections.archipel.spaces.plugins.plugin_utils._action import Spaces, SpacesAction


class ActionModule(SpacesAction):
    """What the releases of a node must hold."""

    module = "spaces_application_set"
    needs_place = False

    def desired(
        self, spaces: Spaces, settings: dict[str, t.Any], known: Spaces
    ) -> dict[str, t.Any]:
        """Return the applications each space needs, once the policy is found right."""
        policy, suites = settings["applications"], settings["office_suites"]
        problems = _applications.check(policy, suites, settings["offices"])
        if problems:
            raise ValueError("\n".join(["the application set is wrong", *problems]))
        needed = _applications.required(policy, suites, settings["offices"])
        return {
            "root": settings["root"],
            "releases": settings["installer"]["releases"],
            "without": settings["installer"]["without"],
            "needed": needed,
            "named": _applications.named(policy, suites, settings["registration"]),
            "spaces": {space["slug"]: space["release"] for space in spaces},
            "asked": {
                space["slug"]: _applications.list_asked(space, settings["registration"])
                for space in spaces
                if space["registration"]
            },
        }
