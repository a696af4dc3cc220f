# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Zones and names that tests of DNS have in common."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._dns import _names

BASE = "spaces.example.org"
ADDRESSES = {"node1": ["2001:db8::10", "192.0.2.10"], "node2": ["192.0.2.20"]}


def zone(**changes: t.Any) -> _names.Zone:
    return _names.read_zone(
        {
            "base_domain": BASE,
            "ttl": 3600,
            "authorities": ["letsencrypt.org"],
            "contact": "us@example.org",
            "locale": "fr",
            "addresses": ADDRESSES,
            "services": {},
            **changes,
        }
    )


def space(slug: str, *domains: str, web: str = "node1", locale: str = "fr") -> dict[str, t.Any]:
    """Return what an entry of the inventory says of names, the last of them canonical."""
    return {
        "slug": slug,
        "web": web,
        "locale": locale,
        "domains": [*reversed(domains), f"{slug}.{BASE}"],
    }


def names(*spaces: dict[str, t.Any], **changes: t.Any) -> list[_names.Name]:
    return list(_names.list_spaces(t.cast("t.Any", spaces), (), zone(**changes)))
