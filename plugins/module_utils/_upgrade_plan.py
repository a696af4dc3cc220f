# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Which spaces of a node an upgrade moves, which cannot be moved, and why.

What a space runs is what its own link and state file on the node say, never what an earlier run
did or what the policy wants. All files are read once; databases are asked only about the spaces
that are to move, many in one query. No PHP is started.
"""

from __future__ import annotations

import json
import math
import os
import re
import typing as t
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from ansible_collections.archipel.spaces.plugins.module_utils import (
    _application_set,
    _config,
    _database,
    _files,
    _journal,
    _release,
    _status,
)
from ansible_collections.archipel.spaces.plugins.module_utils._mariadb import quote

VERB = "upgrade"
FROM = re.compile(r"\$OC_VersionCanBeUpgradedFrom\s*=\s*(?:\[|array\()(.*?);", re.DOTALL)
PAIR = re.compile(r"'(\d+(?:\.\d+)*)'\s*=>\s*true")
OTHERS = re.compile(r"'owncloud'.*", re.DOTALL)
# Which application a page belongs to.
PAGE = re.compile(r"^(?:/index\.php)?/apps/([a-z0-9_]+)(?:[/?]|$)")
# Which second factors people have; an application of one is called so.
FACTORS, FACTOR = "oc_twofactor_providers", "twofactor_"
# Room that a node keeps beside the dumps.
ROOM = 64 << 20
# What a space is found to need.
DONE, UPGRADE, RESUME, REFUSED, NONE = "done", "upgrade", "resume", "refused", "none"


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
    journal: Mapping[str, t.Any] | None = None


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


@dataclass(frozen=True)
class Verdict:
    """What is to be done about a space."""

    kind: str
    why: str = ""
    release: str = ""
    version: str = ""
    size: int = 0
    enabled: frozenset[str] = field(default=frozenset(), repr=False)


# --- reading ---------------------------------------------------------------------------


def read_target(releases: str, wanted: Mapping[str, t.Any]) -> Target:
    """Return the wanted release: from its manifest and its own code, where it is built."""
    release, limits = str(wanted["id"]), wanted.get("mariadb") or {}
    described = Target(
        release,
        str(wanted["version"]),
        without=frozenset(wanted.get("without") or ()),
        mariadb=(str(limits.get("min", "")), str(limits.get("max", ""))),
    )
    manifest = _release.read_manifest(releases, release)
    if manifest is None:
        return described
    code = _files.read_text(f"{releases}/{release}/version.php")
    return Target(
        release,
        manifest["version_full"],
        versions_before(code),
        frozenset(_application_set.holds(manifest)),
        described.without | _application_set.left_out(manifest),
        described.mariadb,
    )


def versions_before(code: str) -> tuple[str, ...]:
    """Return the versions that a version.php lets upgrade to itself. Pure."""
    found = FROM.search(code)
    return tuple(PAIR.findall(OTHERS.sub("", found[1]))) if found else ()


def read_space(root: str, slug: str) -> Found:
    """Return what the files of one space say."""
    base = f"{root}/{slug}"
    config = _files.read_text(f"{base}/config/config.php")
    version = _status.VERSION.search(config)
    return Found(
        _application_set.release_of(base, ""),
        version[1] if version else "",
        _config.is_installed(config),
        bool(_status.MAINTENANCE.search(config)),
        _journal.read(slug),
    )


def is_local(item: Mapping[str, t.Any]) -> bool:
    """Tell whether a space's database is on this node: it then has no password."""
    return item["database"]["password"] is None


def ask(
    items: Sequence[Mapping[str, t.Any]],
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


def ask_alone(
    item: Mapping[str, t.Any], connect: t.Callable[[t.Any], t.Any], error: type[Exception]
) -> Asked:
    """Ask about one space, and say why it could not be asked."""
    try:
        return ask_server([item], connect)[item["space"]]
    except error as reason:
        return Asked(error=f"its database cannot be read: {reason}")


def ask_server(
    items: Sequence[Mapping[str, t.Any]], connect: t.Callable[[t.Any], t.Any]
) -> dict[str, Asked]:
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


def enabled_now(item: Mapping[str, t.Any], connect: t.Callable[[t.Any], t.Any]) -> frozenset[str]:
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


# --- deciding --------------------------------------------------------------------------


def numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a version such as 34.0.4.1. Pure."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


def is_upgraded(found: Found, target: Target) -> bool:
    """Tell whether a space runs the target, code and data. Pure."""
    depth = len(numbers(target.version))
    return found.release == target.id and numbers(found.version)[:depth] == numbers(target.version)


def path_problem(found: Found, target: Target) -> str:
    """Return why a space's version does not upgrade to the target's; empty if it does. Pure."""
    now, then = numbers(found.version), numbers(target.version)
    depth = min(len(now), len(then))
    if now[:depth] > then[:depth]:
        return (
            f"it is on {found.version}, release {target.id} is {target.version}: going back is "
            "not an upgrade. playbooks/rollback.yml does it, while a restore point is kept"
        )
    allowed = target.from_versions
    before = ".".join(map(str, now[:2]))
    if (allowed and before not in allowed) or then[0] - now[0] > 1:
        steps = ", ".join(allowed) or f"{then[0] - 1}, {then[0]}"
        return (
            f"it is on {found.version}, and {target.version} upgrades from {steps} only: majors "
            f"are not skipped. Upgrade it to a release of {now[0] + 1} first"
        )
    return ""


def applications_problem(asked: Asked, target: Target) -> str:
    """Return which applications of a space the target does not have; empty if none. Pure."""
    if target.holds is None:
        return ""
    lost = sorted(asked.enabled - target.holds - target.without)
    if not lost:
        return ""
    return (
        f"{', '.join(lost)}: on in this space, and not in release {target.id}. Add what is missing "
        f"to archipel_releases['{target.id}'].applications under a new id, or name it under its "
        "`without`"
    )


def factors_problem(asked: Asked, target: Target) -> str:
    """Return which second factors of people the target does not have; empty if none. Pure.

    Nextcloud lets nobody in whose second factor it cannot load.
    """
    lost = sorted(asked.factors & asked.enabled & target.without - (target.holds or frozenset()))
    if not lost:
        return ""
    return (
        f"{', '.join(lost)}: somebody logs in with it, and release {target.id} goes without: they "
        "would be locked out. Take a release that holds it, or have them choose another second "
        "factor first (`occ twofactorauth:disable <account> <provider>` takes one off)"
    )


def server_problem(asked: Asked, target: Target) -> str:
    """Return why the database server cannot run the target; empty if it can. Pure."""
    low, high = target.mariadb
    if _release.within(asked.mariadb, low, high):
        return ""
    return (
        f"MariaDB {asked.mariadb} is outside {low or '…'} to {high or '…'}, which release "
        f"{target.id} runs on (archipel_releases). docs/upgrades.md tells how a server is moved"
    )


def journal_look(journal: Mapping[str, t.Any], target: Target) -> tuple[str, str]:
    """Decide about a space with which something was begun and not finished. Pure."""
    verb, goes = journal["verb"], journal.get("to")
    if verb != VERB:
        return REFUSED, f"a {verb} of it was begun and not finished"
    if journal["direction"] == "undo":
        return REFUSED, "its way back was interrupted: playbooks/rollback.yml finishes it"
    if journal["direction"] == "forward" and goes != target.id:
        return REFUSED, (
            f"its upgrade to {goes} was interrupted: finish that one first, with "
            f"playbooks/upgrade.yml -e release={goes}"
        )
    return RESUME, f"interrupted at the step {journal['step']!r}"


def look(found: Found, target: Target) -> tuple[str, str]:
    """Decide about a space that nobody is at work on, as far as files tell. Pure."""
    if not found.installed or not found.release:
        return NONE, "there is no Nextcloud in it yet: playbooks/site.yml installs it"
    if is_upgraded(found, target):
        return DONE, ""
    if found.maintenance:
        return REFUSED, (
            "somebody left it in maintenance mode: look why, then `occ maintenance:mode --off`"
        )
    problem = path_problem(found, target)
    return (REFUSED, problem) if problem else (UPGRADE, "")


def first_look(found: Found, target: Target) -> Verdict:
    """Decide as far as files tell; UPGRADE means that its database must be asked. Pure."""
    kind, why = journal_look(found.journal, target) if found.journal else look(found, target)
    return Verdict(kind, why, found.release, found.version)


def look_at(root: str, slug: str, target: Target) -> Verdict:
    """Decide about one space by its files; what is wrong with them is its own matter."""
    try:
        return first_look(read_space(root, slug), target)
    except OSError as error:
        return Verdict(REFUSED, f"{error.filename}: {error.strerror}")


def second_look(first: Verdict, asked: Asked, target: Target) -> Verdict:
    """Decide with what the database server says. Pure."""
    problem = (
        asked.error
        or server_problem(asked, target)
        or applications_problem(asked, target)
        or factors_problem(asked, target)
    )
    kind = REFUSED if problem else first.kind
    return Verdict(kind, problem, first.release, first.version, asked.size, asked.enabled)


def without_room(
    order: Iterable[str], verdicts: Mapping[str, Verdict], free: int
) -> dict[str, Verdict]:
    """Refuse the spaces whose dump does not fit beside those of the spaces before them. Pure."""
    left, result = free - ROOM, dict(verdicts)
    for slug in order:
        one = result[slug]
        if one.kind != UPGRADE:
            continue
        if one.size > left:
            why = (
                f"its dump needs up to {one.size >> 20} MB and {ROOM >> 20} MB must stay free: "
                f"{max(left, 0) >> 20} MB are left for it. Make room, or run with fewer spaces"
            )
            result[slug] = Verdict(REFUSED, why, one.release, one.version, one.size)
        else:
            left -= one.size
    return result


def pages_left(pages: Iterable[str], before: Set[str], now: Set[str]) -> list[str]:
    """Return the pages that are to be there still: not those of what is off for a reason. Pure.

    Args:
        pages: that were opened before.
        before: applications that were on then.
        now: applications that are on.

    """
    gone = before - now
    return [path for path in pages if (found := PAGE.match(path)) is None or found[1] not in gone]


# --- the whole -------------------------------------------------------------------------


def make(
    items: Sequence[Mapping[str, t.Any]],
    target: Target,
    *,
    root: str,
    free: int,
    connect: t.Callable[[t.Any], t.Any],
    error: type[Exception],
) -> dict[str, Verdict]:
    """Return what is to be done about each space, in the order of the items."""
    verdicts = {item["space"]: look_at(root, item["space"], target) for item in items}
    todo = [item for item in items if verdicts[item["space"]].kind == UPGRADE]
    for slug, asked in ask(todo, connect, error).items():
        verdicts[slug] = second_look(verdicts[slug], asked, target)
    return without_room([item["space"] for item in items], verdicts, free)


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
