# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The application set on a node: does a release hold it, and does each space still have it?

Nextcloud keeps both answers in plain sight: the manifest of a release lists its
applications, and the table `appconfig` of a space says which are on and how they are set.
Reading those for all spaces costs one query for a hundred of them, and no PHP.
"""

from __future__ import annotations

import glob
import json
import os
import typing as t
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ansible_collections.archipel.spaces.plugins.module_utils._core import _layout
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _release_manifest

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import (
        Json,
        JsonObject,
    )
    from ansible_collections.archipel.spaces.plugins.module_utils._core._nextcloud_payloads import (
        Applied,
        Office,
    )

OWN = "archipel"
# Stands for an application where a row is about a group.
GROUP = "group/"
# Before an application's name where a row says that a setting is stored under one type.
TYPED = "typed/"
# How Nextcloud numbers the types of settings (lib/public/IAppConfig.php); 0 is from before 29.
SENSITIVE, MIXED, UNKNOWN = 1, 2, 0
# What the space's own administrators chose, beside the operator's policy.
CHOICE = (OWN, "office")
# Nextcloud encrypts some values itself; only Nextcloud can compare those.
ENCRYPTED = "$AppConfigEncryption$"
CHUNK = 100
# Keys of the document that `occ archipel:apply` takes, by the version of the application that
# first knew them. A release keeps the application it was built with; it refuses other keys.
OF_SUITES_SINCE = {"open": (0, 3), "served": (0, 5)}
# From here on it runs other commands in its own process.
AROUND_SINCE = (0, 4)
# From here on it stores settings so that readers of any type get them.
MIXED_SINCE = (0, 5)
# And reads them back as applications do.
CHECK_SINCE = (0, 5)
SINCE = {"app_defaults": (0, 2), "logo": (0, 2), "office": (0, 2)}

Rows = dict[tuple[str, str], str]
State = t.TypeVar("State", bound=Mapping[str, object])
One = t.TypeVar("One")


def holds(manifest: Json) -> set[str]:
    """Return the applications in a release. Pure."""
    return {*manifest["capabilities"]["apps"], *manifest["applications"]}


def without_on(releases: str, without: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """Return what each release goes without here: as the catalogue says, and as it was built.

    Args:
        releases: the folder of releases on this node.
        without: release -> applications, as the catalogue says.

    """
    found: dict[str, Sequence[str]] = dict(without)
    for path in glob.glob(f"{glob.escape(releases)}/*.json"):
        release = os.path.basename(path).removesuffix(".json")
        try:
            with open(path, encoding="utf-8") as file:
                lacking = _release_manifest.left_out_of(json.load(file))
        except (OSError, ValueError):
            # Whoever needs that release says what is wrong with it.
            continue
        if lacking:
            found[release] = sorted({*without.get(release, ()), *lacking})
    return found


def missing(needed: Iterable[str], manifest: Json, without: Sequence[str]) -> list[str]:
    """Return the applications a release should hold and neither holds nor goes without. Pure."""
    return sorted(set(needed) - holds(manifest) - set(without))


def left_open(manifest: Json, named: Iterable[str]) -> list[str]:
    """Return the applications of a release that the policy neither turns on nor off. Pure."""
    always = manifest["capabilities"].get("always_enabled", ())
    return sorted(holds(manifest) - set(named) - set(always) - {OWN})


def for_release(applied: State, without: Sequence[str]) -> State:
    """Return a desired state, less what the release goes without. Pure."""
    result: JsonObject = dict(applied)
    if apps := result.get("apps"):
        enable = [one for one in apps["enable"] if one not in without]
        result["apps"] = {**apps, "enable": enable}
    if office := result.get("office"):
        suites = {
            name: suite
            for name, suite in office["suites"].items()
            if suite["application"] not in without
        }
        result["office"] = {**office, "suites": suites}
    if config := result.get("app_config"):
        result["app_config"] = {app: keys for app, keys in config.items() if app not in without}
    return t.cast("State", result)


def understood(applied: Applied, version: str) -> Applied:
    """Return a desired state, less what the application in the release cannot know. Pure."""
    numbers = numbers_of(version)
    state: Json = applied
    known = {key: value for key, value in state.items() if SINCE.get(key, numbers) <= numbers}
    unknown = {key for key, since in OF_SUITES_SINCE.items() if numbers < since}
    if unknown and "office" in known:
        suites = {
            name: {key: value for key, value in suite.items() if key not in unknown}
            for name, suite in known["office"]["suites"].items()
        }
        known["office"] = {**known["office"], "suites": suites}
    return t.cast("Applied", known)


def numbers_of(version: str) -> tuple[int, ...]:
    """Return the first two numbers of a version. Pure."""
    return tuple(int(part) for part in version.split(".")[:2])


def own_version(releases: str, release: str) -> str:
    """Return the version of our application in a release; the first, where nothing says so."""
    try:
        with open(f"{releases}/{release}.json", encoding="utf-8") as file:
            return str(json.load(file)["applications"][OWN]["version"])
    except (OSError, ValueError, KeyError):
        return "0.1.0"


def stored(value: object) -> str | None:
    """Return how Nextcloud writes a value into its database; None for "not set". Pure."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, (list, dict)):
        # As PHP's json_encode writes it.
        return json.dumps(value, separators=(",", ":")).replace("/", "\\/")
    return str(value)


def is_on(rows: Mapping[tuple[str, str], str], application: str) -> bool:
    """Tell whether an application is on. Pure."""
    return rows.get((application, "enabled"), "no") != "no"


def connectors(office: Office, chosen: str | None) -> dict[str, bool]:
    """Return which office connectors are to be on, as the application decides it. Pure."""
    suites = office["suites"]
    wanted = office["default"] if office["pinned"] or chosen not in suites else chosen
    return {suite["application"]: name == wanted for name, suite in suites.items()}


def drift(applied: Applied, rows: Rows) -> list[str]:
    """Return what of its desired state a space no longer has. Pure."""
    found = []
    apps = applied.get("apps", {"enable": (), "disable": ()})
    wanted = dict.fromkeys(apps["enable"], True) | dict.fromkeys(apps["disable"], False)
    if office := applied.get("office"):
        wanted |= connectors(office, rows.get(CHOICE))
    for application, on in {OWN: True, **wanted}.items():
        if is_on(rows, application) != on:
            found.append(f"{application} is {'off' if on else 'on'}")
    for group in applied.get("groups", ()):
        if (GROUP, group) not in rows:
            found.append(f"group {group} is gone")
    for application, settings in applied.get("app_config", {}).items():
        for key, value in settings.items():
            current = rows.get((application, key))
            if current != stored(value) and not str(current).startswith(ENCRYPTED):
                found.append(f"{application}/{key} was changed")
            elif value is not None and (TYPED + application, key) in rows:
                found.append(f"{application}/{key} has a type of its own")
    return found


def query(databases: Sequence[str], keys: Iterable[tuple[str, str]]) -> tuple[str, list[str]]:
    """Return one query for the settings and groups of many spaces, with its values. Pure.

    Names of databases follow from checked slugs; they are quoted all the same.
    """
    pairs = sorted({CHOICE, *keys})
    places = ", ".join(["(%s, %s)"] * len(pairs))
    values = [text for pair in pairs for text in pair]
    selects = []
    for index, database in enumerate(databases):
        quoted = f"`{database.replace('`', '``')}`"
        selects.append(
            f"SELECT {index}, appid, configkey, configvalue, type FROM {quoted}.`oc_appconfig` "
            f"WHERE configkey = 'enabled' OR (appid, configkey) IN ({places})"
        )
        selects.append(f"SELECT {index}, '{GROUP}', gid, '', {MIXED} FROM {quoted}.`oc_groups`")
    return " UNION ALL ".join(selects), values * len(databases)


def loosening(database: str, keys: Iterable[tuple[str, str]]) -> tuple[str, list[str]]:
    """Return the statement that lets readers of any type have these settings. Pure.

    For releases whose own application stores them under one type: a value of another type than a
    reader asks for ends the page. Whether Nextcloud has encrypted it stays noted.
    """
    pairs = sorted(keys)
    places = ", ".join(["(%s, %s)"] * len(pairs))
    quoted = f"`{database.replace('`', '``')}`"
    return (
        f"UPDATE {quoted}.`oc_appconfig` SET type = (type & {SENSITIVE}) | {MIXED} "
        f"WHERE (type & ~{SENSITIVE}) NOT IN ({UNKNOWN}, {MIXED}) "
        f"AND (appid, configkey) IN ({places})",
        [text for pair in pairs for text in pair],
    )


def keys_of(applied: Applied) -> set[tuple[str, str]]:
    """Return the settings that a desired state imposes. Pure."""
    config = applied.get("app_config", {})
    return {(application, key) for application, settings in config.items() for key in settings}


def chunks(items: Sequence[One], size: int = CHUNK) -> Iterator[Sequence[One]]:
    """Return items in slices of at most this many. Pure."""
    return (items[start : start + size] for start in range(0, len(items), size))


def read(connection: t.Any, databases: Sequence[str], keys: set[tuple[str, str]]) -> list[Rows]:
    """Read the settings of these spaces from one server, in as few queries as possible."""
    result: list[Rows] = []
    for some in chunks(databases):
        found: list[Rows] = [{} for _ in some]
        sql, values = query(some, keys)
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            for index, application, key, value, kind in cursor.fetchall():
                found[int(index)][application, key] = value or ""
                typed = int(kind) & ~SENSITIVE not in (UNKNOWN, MIXED)
                if typed and (application, key) in keys:
                    found[int(index)][TYPED + application, key] = ""
        result += found
    return result


def releases_in_use(root: str, spaces: Mapping[str, str]) -> list[str]:
    """Return the releases that spaces run or, being new, are to run."""
    homes = {_layout.under(root, slug).home: wanted for slug, wanted in spaces.items()}
    return sorted({release_of(home, wanted) for home, wanted in homes.items()})


def release_of(base: str, wanted: str) -> str:
    """Return the release a space runs: its own link, once it has one."""
    try:
        return os.path.basename(os.readlink(f"{base}/release"))
    except OSError:
        return wanted


def check(
    *,
    root: str,
    releases: str,
    spaces: Mapping[str, str],
    needed: Sequence[str],
    without: Mapping[str, Sequence[str]],
    asked: Mapping[str, Sequence[str]],
    named: Sequence[str],
) -> tuple[list[str], dict[str, list[str]], dict[str, list[str]]]:
    """Return what is wrong with the releases in use, what each goes without, and what is open.

    Open is what the policy names neither on nor off, also in releases of the catalogue that are
    built and not in use yet. A release that is not built (in check mode) cannot be asked and is
    passed over.
    """
    problems, found, open_ones = [], {}, {}
    used = releases_in_use(root, spaces)
    for release in sorted({*used, *without}):
        try:
            manifest = _release_manifest.read_manifest(releases, release)
        except _release_manifest.ReleaseError as error:
            problems.append(str(error))
            continue
        if manifest is None:
            continue
        if left := left_open(manifest, named):
            open_ones[release] = left
        if release not in used:
            continue
        given_up = {*without.get(release, ()), *_release_manifest.left_out_of(manifest)}
        lacking = missing(needed, manifest, sorted(given_up))
        if lacking:
            problems.append(sentence(release, lacking))
        found[release] = sorted(given_up & set(needed))
        problems += unfulfilled(release, manifest, root, spaces, asked)
    return problems, found, open_ones


def unfulfilled(
    release: str,
    manifest: Json,
    root: str,
    spaces: Mapping[str, str],
    asked: Mapping[str, Sequence[str]],
) -> list[str]:
    """Return what spaces ask for in their own files and their release does not hold."""
    known = holds(manifest) | _release_manifest.left_out_of(manifest)
    return [
        f"{slug}: its file asks for registration, and release {release} holds no application "
        f"{', '.join(lacking)}. Add it to a release under archipel_releases, or take "
        "`registration: true` out of the file"
        for slug, wanted in sorted(asked.items())
        if release_of(_layout.under(root, slug).home, spaces[slug]) == release
        and (lacking := sorted(set(wanted) - known))
    ]


def sentence(release: str, lacking: Sequence[str]) -> str:
    """Return what to do about applications that a release lacks. Pure."""
    return (
        f"release {release} lacks {', '.join(lacking)}, which archipel_applications and "
        "archipel_offices promise to every space. Add them under "
        f"archipel_releases['{release}'].applications (`make catalogue` proposes them) and give "
        "that release a new id, name them under its `without`, or take them off the set"
    )
