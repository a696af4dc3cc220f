# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Tenants of the Document Servers of a node: what is wrong with them, and the files they become."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._core._nextcloud_payloads import (
    TenantFiles,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import Tenant
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Unchecked
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry._registry import SLUG

# A host name with a dot and a letter at its end: neither "localhost", the server's own tenant,
# nor an address, nor anything that a path could be made of.
HOST = re.compile(
    r"(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
SECRET = re.compile(r"[!-~]{32,}")
KEYS = ("slug", "host", "shard", "secret")
ALLOWED: dict[str, tuple[re.Pattern[str], str]] = {
    "slug": (
        SLUG,
        "2 to 26 lower-case letters, digits and single hyphens inside, from a letter on",
    ),
    "host": (HOST, "a full host name in lower-case, without port"),
    "secret": (SECRET, "at least 32 printable characters without spaces"),
}


def check(shards: t.Iterable[str], tenants: t.Sequence[Unchecked]) -> list[str]:
    """Return in sentences what is wrong with the tenants; nothing if all is well. Pure."""
    names = list(shards)
    found = [problem for tenant in tenants for problem in _wrong(tenant, names)]
    for key in ("slug", "host"):
        seen: set[str] = set()
        for tenant in tenants:
            value = str(tenant.get(key))
            if value in seen:
                found.append(
                    f"{key} {value!r} stands there more than once; each tenant has its own"
                )
            seen.add(value)
    return found


def _wrong(tenant: Unchecked, shards: list[str]) -> list[str]:
    """Return what is wrong with one tenant. A secret is never quoted."""
    who = tenant.get("slug", "(without slug)")
    missing = [key for key in KEYS if not isinstance(tenant.get(key), str)]
    if missing:
        return [f"{who}: {', '.join(missing)} missing; a tenant has {', '.join(KEYS)}"]
    found = [
        f"{who}: {key} {'(hidden)' if key == 'secret' else repr(tenant[key])} is not {allowed}"
        for key, (pattern, allowed) in ALLOWED.items()
        if not pattern.fullmatch(tenant[key])
    ]
    if tenant["shard"] not in shards:
        found.append(
            f"{who}: shard {tenant['shard']!r} is none of onlyoffice_shards "
            f"({', '.join(shards) or 'which is empty'})"
        )
    return found


def plan(shards: t.Iterable[str], tenants: t.Sequence[Tenant], managed: str) -> TenantFiles:
    """Return the secrets by shard and host, and the two files that nginx reads. Pure."""
    secrets: dict[str, dict[str, str]] = {name: {} for name in shards}
    for tenant in tenants:
        secrets[tenant["shard"]][tenant["host"]] = tenant["secret"]
    places = sorted((tenant["host"], tenant["shard"]) for tenant in tenants)
    header = f"# {managed}\n"
    # nginx wants at least one name; this one cannot be.
    names = "\n    ".join([host for host, _ in places] or ["onlyoffice.invalid"])
    return {
        "secrets": secrets,
        "slugs": [(tenant["shard"], tenant["host"], tenant["slug"]) for tenant in tenants],
        "names": f"{header}server_name\n    {names};\n",
        "map": header + "".join(f"{host} {shard};\n" for host, shard in places),
    }
