# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What all that is rendered shares: entries of the registry, settings of a node, statuses."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._core import _layout

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import KnownSpace
    from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_context import (
        Context,
    )

    Known = t.TypeVar("Known", bound=KnownSpace)

# A gigabyte as Nextcloud counts it.
GIGABYTE = 1024**3
MANAGED = "Ansible managed by Archipel: changes made here are overwritten"
# What a status asks of the node. A suspended space keeps everything and runs nothing;
# a closed one only keeps what it has.
RUNNING = frozenset({"approved"})
PRESENT = frozenset({"approved", "suspended"})


def find_layout(space: KnownSpace, context: Context) -> _layout.Layout:
    """Return the names and places of a space on its node."""
    places = _layout.Places(
        root=context["root"],
        vhosts=context["vhost_directory"],
        php=context["php_directory"],
        redis=context["redis_run"],
    )
    return _layout.Layout(space["slug"], places)


def select_present(spaces: t.Iterable[Known]) -> list[Known]:
    """Return the spaces that have something on their node. Pure."""
    return [space for space in spaces if space["status"] in PRESENT]


def find_exemption(space: KnownSpace) -> str:
    """Return why a run leaves a space as it is: hold, or skipped for its file; empty: it does not.

    What is left out because its file is wrong has no more than a KnownSpace has.
    """
    values: t.Mapping[str, object] = space
    return "skipped" if "hold" not in values else "hold" if values["hold"] else ""
