# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What a space's connectors are configured with, and the secret shared with a server. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._placeholders import fill
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._secrets import derive

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._nextcloud_payloads import (
        Settings,
    )
    from ansible_collections.archipel.spaces.plugins.module_utils._core._nextcloud_payloads import (
        Suite as KnownSuite,
    )
    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import (
        OfficeServer,
        ServedSpace,
        SpaceEntry,
        Suite,
        Tenant,
    )

# Characters.
SECRET_LENGTH = 32


def derive_secret(master_key: str, suite: str, slug: str, rotation: int) -> str:
    """Return what a space and its office server share: the purpose is the suite."""
    return derive(master_key, suite, slug, rotation, length=SECRET_LENGTH)


def list_tenants(spaces: t.Iterable[ServedSpace], suite: str, master_key: str) -> list[Tenant]:
    """Return the spaces of one suite with their secrets, for its role."""
    return [
        {
            "slug": one["slug"],
            "host": one["host"],
            "shard": one["shard"],
            "secret": derive_secret(master_key, suite, one["slug"], one["rotation"]),
        }
        for one in spaces
        if one["suite"] == suite
    ]


def configure(
    space: SpaceEntry, suites: t.Mapping[str, Suite], master_key: str
) -> tuple[dict[str, object], dict[str, Settings]]:
    """Return what the connectors of a space need: keys of config.php, settings of applications.

    All suites offered, not only the one in use: a switch then changes nothing but which is on.
    """
    config: dict[str, object] = {}
    settings: dict[str, Settings] = {}
    for suite, server in space["office_servers"].items():
        details, values = suites[suite], _values(space, suite, server, master_key)
        config |= fill(details.get("config", {}), values)
        if own := fill(details.get("settings", {}), values):
            settings[details["application"]] = own
    return config, settings


def describe(space: SpaceEntry, suite: str, details: Suite) -> KnownSuite:
    """Return what the application archipel in a space knows of a suite."""
    server = space["office_servers"].get(suite)
    known: KnownSuite = {
        "name": details["name"],
        "application": details["application"],
        "served": bool(server),
    }
    if not server or not details.get("open"):
        return known
    # No secret is asked for here: this is kept where the space's own code reads it.
    words = _values(space, suite, server, "") | {"now": "{now}"}
    return {**known, "open": fill(details["open"], words)}


def _values(space: SpaceEntry, suite: str, server: OfficeServer, master_key: str) -> dict[str, str]:
    """Return the words that settings of a connector may hold, for one space."""
    slug, rotation = space["slug"], server["rotation"]
    secret = derive_secret(master_key, suite, slug, rotation) if master_key else ""
    return {
        "url": server["url"],
        "host": server["host"],
        "secret": secret,
        "addresses": ",".join(server["addresses"]),
        "space_url": space["url"],
        "space_host": space["domains"][0],
        "slug": slug,
    }
