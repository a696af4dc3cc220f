# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Units of spaces, and what a node is compared with."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import Expected, Unit
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import (
    KnownSpace,
    SpaceEntry,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_common import (
    RUNNING,
    find_exemption,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_context import Context


def list_units(spaces: t.Iterable[SpaceEntry]) -> list[Unit]:
    """Return which units of each space are enabled and which must be stopped."""
    return [{"space": s["slug"], "running": s["status"] in RUNNING} for s in spaces]


def find_state(space: KnownSpace) -> str:
    """Return the state that says what a space must and may have. Pure.

    A space that was left out because its file is wrong has no status to rely on.
    """
    return "exempt" if find_exemption(space) else space["status"]


def list_expected(known: t.Iterable[KnownSpace], context: Context) -> Expected:
    """Return what the node is compared with, to find what is in no file."""
    spaces = list(known)
    return {
        "known": {space["slug"]: find_state(space) for space in spaces},
        "ids": {space["slug"]: space["id"] for space in spaces},
        "places": {
            "root": context["root"],
            "vhosts": context["vhost_directory"],
            "php": context["php_directory"],
        },
    }
