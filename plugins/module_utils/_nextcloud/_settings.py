# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The settings of installed spaces, and what of their desired state they no longer have."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import (
    _application_set,
    _node,
)


def read_drift(items: t.Sequence[_node.Item], node: _node.Node) -> dict[str, tuple[str, ...]]:
    """Return what these installed spaces no longer have of their desired state.

    Spaces whose database is on this node are read together, others one by one.
    """
    local = [item for item in items if item["database"]["password"] is None]
    distant = [[item] for item in items if item["database"]["password"] is not None]
    found: dict[str, tuple[str, ...]] = {}
    for group in [local, *distant]:
        try:
            found |= drift_of(group, node) if group else {}
        except node.database_error:
            # One that cannot be read must not hide the others.
            found |= {item["space"]: drift_alone(item, node) for item in group}
    return found


def drift_of(items: t.Sequence[_node.Item], node: _node.Node) -> dict[str, tuple[str, ...]]:
    """Return the drift of spaces on one database server."""
    return {
        item["space"]: tuple(_application_set.drift(item["applied"], rows))
        for item, rows in zip(items, read_settings(items, node), strict=True)
    }


def drift_alone(item: _node.Item, node: _node.Node) -> tuple[str, ...]:
    """Return the drift of one space; one that cannot be read gets all of it again, and says why."""
    try:
        return drift_of([item], node)[item["space"]]
    except node.database_error as error:
        return (f"its database cannot be read: {error}",)


def read_settings(items: t.Sequence[_node.Item], node: _node.Node) -> list[_application_set.Rows]:
    """Read the settings of spaces on one database server."""
    keys = {key for item in items for key in _application_set.keys_of(item["applied"])}
    connection = node.connect(items[0]["database"])
    try:
        names = [item["database"]["name"] for item in items]
        return _application_set.read(connection, names, keys)
    finally:
        connection.close()
