# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Action plugin of spaces_databases: render the desired databases of a node's spaces."""

from __future__ import annotations

import typing as t
from types import MappingProxyType

from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import (
    Database,
    SpacesDatabases,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions import _options
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions._action import (
    Spaces,
    SpacesAction,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import (
    KnownSpace,
    SpaceEntry,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._render import (
    _render_common,
    _render_database,
    _render_services,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_context import Context


class ActionModule(SpacesAction[SpacesDatabases]):
    """Desired state of the databases."""

    module = "spaces_databases"
    OWN: t.ClassVar[_options.Spec] = MappingProxyType(
        {
            "previous": {"type": "list", "elements": "str", "default": []},
            "left": {"type": "list", "elements": "str", "default": []},
        }
    )

    def desired(self, spaces: Spaces, context: Context, known: list[KnownSpace]) -> SpacesDatabases:
        """Return the databases the node must have."""
        present = [space for space in spaces if space["status"] in _render_common.PRESENT]
        return {
            "databases": [self.plan(space, context) for space in present],
            "socket": context["database_socket"],
            "known": {space["slug"]: _render_services.find_state(space) for space in known},
        }

    def plan(self, space: SpaceEntry, context: Context) -> Database:
        """Return a database; its account may also use the one from before a restore, if asked.

        Accounts that came from a node which is lost go, lest that reaches a database that lives.

        With a database on the space's own node it is root who restores it.
        """
        wanted = _render_database.plan_database(space, context)
        if space["slug"] in self.options["previous"] and wanted["password"] is not None:
            wanted["further"] = [_render_common.find_layout(space, context).previous_database]
        hosts = context["database_client_hosts"]
        left = [hosts[node] for node in self.options["left"] if node in hosts]
        wanted["left"] = [host for host in left if host != wanted["host"]]
        return wanted
