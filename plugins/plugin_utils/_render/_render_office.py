# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""How a space reaches its office suites."""

from __future__ import annotations

from ansible_collections.archipel.spaces.plugins.module_utils._core._nextcloud_payloads import (
    Settings,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import SpaceEntry
from ansible_collections.archipel.spaces.plugins.plugin_utils._render import _connectors
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_context import Context
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_php import PhpValues


def configure_offices(space: SpaceEntry, context: Context) -> tuple[PhpValues, dict[str, Settings]]:
    """Return the keys of config.php and the settings of applications for the office suites."""
    return _connectors.configure(space, context["office_suites"], context["master_key"])
