# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""How a space reaches its office suites."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils import _connectors
from ansible_collections.archipel.spaces.plugins.plugin_utils._render_common import Settings, Space


def office_wiring(space: Space, settings: Settings) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
    """Return the keys of config.php and the settings of applications for the office suites."""
    return _connectors.configure(space, settings["office_suites"], settings["master_key"])
