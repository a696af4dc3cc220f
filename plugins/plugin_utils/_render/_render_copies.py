# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What a copy of a space is given otherwise: nothing goes out of it, and everybody sees what it is.

Two things hold it: Nextcloud is told here not to try, and the node's firewall lets nothing through
(`archipel-network.service`). Either alone would do.
"""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import SpaceEntry
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_context import (
    Context,
    Relay,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_php import PhpValues

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._nextcloud_payloads import (
        Applied,
    )

# Setting of the application archipel from which the banner on every page is made.
BANNER = "copy_of"


def find_relay(space: SpaceEntry, context: Context) -> Relay:
    """Return the relay that takes the mail of a space: of a copy none is ever sent. Pure."""
    return {} if space.get("copy_of") else context["mail_relay"]


def configure(space: SpaceEntry, context: Context) -> PhpValues:
    """Return the keys of config.php that a copy alone has; the policy names them. Pure."""
    return dict(context["copies"]["config"]) if space.get("copy_of") else {}


def restrict(wanted: Applied, space: SpaceEntry, context: Context) -> Applied:
    """Return what a space is to have; of a copy, what it may have, and its banner. Pure.

    Its accounts are those of the space that it was made of: nobody is made its administrator, and
    nobody is invited.
    """
    copy_of = space.get("copy_of")
    if not copy_of:
        return wanted
    off, apps, config = context["copies"]["disabled"], wanted["apps"], wanted["app_config"]
    own = {**config.get("archipel", {}), BANNER: dict(copy_of)}
    return {
        **wanted,
        "apps": {
            "enable": [name for name in apps["enable"] if name not in off],
            "disable": list(dict.fromkeys([*apps["disable"], *off])),
        },
        "app_config": {**config, "archipel": own},
        "admin": None,
        "invite_by_mail": False,
    }
