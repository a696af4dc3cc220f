# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What decides about an upgrade: the release, the spaces and their databases on a node.

What a space runs is what its own link and state file say. All files are read once; databases are
asked only about the spaces that are to move, many in one query. No PHP is started.
"""

from __future__ import annotations

import json
import math
import os
import re
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.archipel.spaces.plugins.module_utils._core import (
    _config,
    _files,
    _journal,
    _layout,
)
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import (
    _application_set,
    _release_manifest,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from ansible_collections.archipel.spaces.plugins.module_utils._sql._mariadb import quote

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import Json
    from ansible_collections.archipel.spaces.plugins.module_utils._core._nextcloud_payloads import (
        Brief,
        Range,
        Release,
    )

FROM = re.compile(r"\$OC_VersionCanBeUpgradedFrom\s*=\s*(?:\[|array\()(.*?);", re.DOTALL)
PAIR = re.compile(r"'(\d+(?:\.\d+)*)'\s*=>\s*true")
OTHERS = re.compile(r"'owncloud'.*", re.DOTALL)
# Which second factors people have; an application of one is called so.
FACTORS, FACTOR = "oc_twofactor_providers", "twofactor_"


@dataclass(frozen=True)
class Target:
    """The release spaces are to move to: what this node has, what the catalogue says."""

    id: str
    # 34.0.4.1; only 34.0.4 as long as it is not built.
    version: str
    # Versions it upgrades from, as its own version.php says; empty: not built yet.
    from_versions: tuple[str, ...] = ()
    # Applications in it; None: not built yet.
    holds: frozenset[str] | None = None
    # What its spaces go without, as the catalogue says.
    without: frozenset[str] = frozenset()
    # Versions of MariaDB it runs on; empty: any.
    mariadb: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Found:
    """What the files of one space say."""

    release: str
    # As its state file says: what its database was last upgraded to.
    version: str
    installed: bool
    maintenance: bool
    journal: Json | None = None


@dataclass(frozen=True)
class Asked:
    """What the database server says of a space that is to move."""

    mariadb: str = ""
    size: int = 0
    enabled: frozenset[str] = frozenset()
    # Applications that somebody needs to log in: their second factors.
    factors: frozenset[str] = frozenset()
    # Why it could not be asked.
    error: str = ""


def read_target(releases: str, wanted: Release) -> Target:
    """Return the wanted release: from its manifest and its own code, where it is built."""
    release = str(wanted["id"])
    limits: Range = wanted.get("mariadb") or {}
    described = Target(
        release,
        str(wanted["version"]),
        without=frozenset(wanted.get("without") or ()),
        mariadb=(str(limits.get("min", "")), str(limits.get("max", ""))),
    )
    manifest = _release_manifest.read_manifest(releases, release)
    if manifest is None:
        return described
    code = _files.read_text(f"{releases}/{release}/version.php")
    return Target(
        release,
        manifest["version_full"],
        versions_before(code),
        frozenset(_application_set.holds(manifest)),
        described.without | _release_manifest.left_out_of(manifest),
        described.mariadb,
    )


def versions_before(code: str) -> tuple[str, ...]:
    """Return the versions that a version.php lets upgrade to itself. Pure."""
    found = FROM.search(code)
    return tuple(PAIR.findall(OTHERS.sub("", found[1]))) if found else ()


def read_space(root: str, slug: str) -> Found:
    """Return what the files of one space say."""
    layout = _layout.under(root, slug)
    config = _files.read_text(layout.config_file)
    version = _config.VERSION.search(config)
    return Found(
        _application_set.release_of(layout.home, ""),
        version[1] if version else "",
        _config.is_installed(config),
        bool(_config.MAINTENANCE.search(config)),
        _journal.read(slug),
    )


def is_local(item: Brief) -> bool:
    """Tell whether a space's database is on this node: it then has no password."""
    return item["database"]["password"] is None


def ask(
    items: Sequence[Brief],
    connect: t.Callable[[t.Any], t.Any],
    error: type[Exception],
) -> dict[str, Asked]:
    """Ask the servers about these spaces: one query for all whose database is here.

    A server of this node that does not answer is everybody's matter: its error is let through.
    """
    local = [item for item in items if is_local(item)]
    if local:
        connect(local[0]["database"]).close()
    groups = [local, *([item] for item in items if not is_local(item))]
    found: dict[str, Asked] = {}
    for group in filter(None, groups):
        try:
            found |= ask_server(group, connect)
        except error:
            # One that cannot be read must not hide the others.
            found |= {item["space"]: ask_alone(item, connect, error) for item in group}
    return found


def ask_alone(item: Brief, connect: t.Callable[[t.Any], t.Any], error: type[Exception]) -> Asked:
    """Ask about one space, and say why it could not be asked."""
    try:
        return ask_server([item], connect)[item["space"]]
    except error as reason:
        return Asked(error=f"its database cannot be read: {reason}")


def ask_server(items: Sequence[Brief], connect: t.Callable[[t.Any], t.Any]) -> dict[str, Asked]:
    """Ask one server about the spaces whose database is there."""
    names = [str(item["database"]["name"]) for item in items]
    connection = connect(items[0]["database"])
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT VERSION()")
            version = str(cursor.fetchone()[0])
            sizes: dict[str, int] = {}
            for some in _application_set.chunks(names):
                places = ", ".join(["%s"] * len(some))
                cursor.execute(
                    "SELECT table_schema, SUM(data_length) FROM information_schema.tables "
                    f"WHERE table_schema IN ({places}) GROUP BY table_schema",
                    list(some),
                )
                sizes |= {str(name): int(size or 0) for name, size in cursor.fetchall()}
        rows = _application_set.read(connection, names, set())
        factors = read_factors(connection, names)
    finally:
        connection.close()
    return {
        item["space"]: Asked(
            version, sizes.get(name, 0), enabled_in(settings), factors.get(name, frozenset())
        )
        for item, name, settings in zip(items, names, rows, strict=True)
    }


def read_factors(connection: t.Any, databases: Sequence[str]) -> dict[str, frozenset[str]]:
    """Return the applications with which people of these spaces log in, beside their password."""
    found: dict[str, set[str]] = {}
    for some in _application_set.chunks(databases):
        places = ", ".join(["%s"] * len(some))
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT table_schema FROM information_schema.tables "
                f"WHERE table_name = '{FACTORS}' AND table_schema IN ({places})",
                list(some),
            )
            there = sorted(str(row[0]) for row in cursor.fetchall())
            if not there:
                continue
            cursor.execute(
                " UNION ALL ".join(
                    f"SELECT DISTINCT {_database.text(name)}, provider_id "
                    f"FROM {quote(name)}.{FACTORS} WHERE enabled = 1"
                    for name in there
                )
            )
            for name, provider in cursor.fetchall():
                found.setdefault(str(name), set()).add(factor_of(str(provider)))
    return {name: frozenset(factors) for name, factors in found.items()}


def factor_of(provider: str) -> str:
    """Return the application of a second factor, by the name of its provider. Pure."""
    return provider if provider.startswith(FACTOR) else FACTOR + provider


def enabled_now(item: Brief, connect: t.Callable[[t.Any], t.Any]) -> frozenset[str]:
    """Return the applications that are on in one space."""
    connection = connect(item["database"])
    try:
        (rows,) = _application_set.read(connection, [str(item["database"]["name"])], set())
    finally:
        connection.close()
    return enabled_in(rows)


def enabled_in(rows: Mapping[tuple[str, str], str]) -> frozenset[str]:
    """Return the applications that are on. Pure."""
    return frozenset(
        app for app, key in rows if key == "enabled" and _application_set.is_on(rows, app)
    )


def read_rate(path: str) -> float:
    """Return the seconds between two spaces that were done in the last run; 0: unknown."""
    try:
        with open(path, encoding="utf-8") as file:
            seconds = float(json.load(file)["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0
    return seconds if math.isfinite(seconds) else 0.0


def free_in(folder: str) -> int:
    """Return the free bytes where a folder is, or will be."""
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder) or "/"
    return os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
