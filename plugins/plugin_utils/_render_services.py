# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Units of spaces, and what a node is compared with."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._render_common import (
    RUNNING,
    Settings,
    Space,
)


def units(spaces: t.Iterable[Space]) -> list[dict[str, t.Any]]:
    """Return which units of each space are enabled and which must be stopped."""
    return [{"space": s["slug"], "running": s["status"] in RUNNING} for s in spaces]


def state_of(space: t.Mapping[str, t.Any]) -> str:
    """Return the state that says what a space must and may have. Pure.

    A space that was left out because its file is wrong has no status to rely on.
    """
    return str(space["status"]) if "hold" in space and not space["hold"] else "exempt"


def expected(known: t.Iterable[Space], settings: Settings) -> dict[str, t.Any]:
    """Return what the node is compared with, to find what is in no file."""
    spaces = list(known)
    return {
        "known": {space["slug"]: state_of(space) for space in spaces},
        "ids": {space["slug"]: space["id"] for space in spaces},
        "places": {
            "root": settings["root"],
            "vhosts": settings["vhost_directory"],
            "php": settings["php_directory"],
        },
    }
