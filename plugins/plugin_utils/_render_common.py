# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What all that is rendered shares: entries of the registry, settings of a node, statuses."""

from __future__ import annotations

import typing as t
from dataclasses import asdict

from ansible_collections.archipel.spaces.plugins.module_utils import _layout

Space = t.Mapping[str, t.Any]
Settings = t.Mapping[str, t.Any]
# A gigabyte as Nextcloud counts it.
GIGABYTE = 1024**3
MANAGED = "Ansible managed by Archipel: changes made here are overwritten"
# What a status asks of the node. A suspended space keeps everything and runs nothing;
# a closed one only keeps what it has.
RUNNING = frozenset({"approved"})
PRESENT = frozenset({"approved", "suspended"})


def layout_of(space: Space, settings: Settings) -> _layout.Layout:
    """Return the names and places of a space on its node."""
    places = _layout.Places(
        root=settings["root"],
        vhosts=settings["vhost_directory"],
        php=settings["php_directory"],
        redis=settings["redis_run"],
    )
    return _layout.Layout(space["slug"], places)


def present(spaces: t.Iterable[Space]) -> list[Space]:
    """Return the spaces that have something on their node. Pure."""
    return [space for space in spaces if space["status"] in PRESENT]


def plain(wanted: t.Iterable[t.Any]) -> list[dict[str, t.Any]]:
    """Return dataclasses as dicts, for the journey to the node."""
    return [asdict(item) for item in wanted]
