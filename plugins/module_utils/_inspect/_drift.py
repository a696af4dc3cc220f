# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What is on a node and in no file of the registry, and the other way round.

Only names are read: a few folders, the user list, the units, the schemata. Nothing is ever
deleted for it: what is unknown is adopted by a file, or closed and purged, by name.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._core import (
    _files,
    _journal,
    _layout,
    _unit_names,
)
from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import IDS
from ansible_collections.archipel.spaces.plugins.module_utils._operations import _move_job
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _mariadb
from ansible_collections.archipel.spaces.plugins.module_utils._system import (
    _filesystem,
    _quotactl,
)

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import (
        Account,
        SpacesServices,
    )

WEB = ("vhost", "php", "user", "directory", "unit", "quota")
DATABASE = ("database", "account")
EVERY = frozenset((*WEB, *DATABASE))
# What no space may have: systemd obeys it, and nobody finds it in a role.
OTHER_ACCOUNT = "other account"
FOREIGN = ("unit file", OTHER_ACCOUNT)
# State of a space → what it must have. What is kept of a closed space is there or was never
# made; one that is held or whose file is wrong is left as it is.
MUST = {
    "approved": EVERY - {"quota"},
    "suspended": EVERY - {"quota", "unit"},
    "closed": frozenset({"vhost"}),
    "exempt": frozenset[str](),
}
MAY = {
    "approved": EVERY,
    "suspended": EVERY - {"unit"},
    "closed": EVERY - {"unit"},
    "exempt": EVERY,
}
# Where `systemctl edit`, `mask` and `set-property` write, and the files that roles put there.
UNIT_FOLDERS = (_unit_names.FOLDER, f"{_unit_names.FOLDER}.control")
ACTIVE = frozenset({"active", "activating", "reloading"})

Found = dict[str, set[str]]
# `unknown`, `missing` and `moved`: name → kinds.
Drift = dict[str, dict[str, list[str]]]


def list_directories(root: str) -> set[str]:
    """Return the folders of spaces; what begins with a dot is ours for a moment."""
    try:
        with os.scandir(root) as entries:
            folders = {entry.name for entry in entries if entry.is_dir(follow_symlinks=False)}
    except FileNotFoundError:
        return set()
    return {name for name in folders if not name.startswith(".") and name != "lost+found"}


def find_users(lines: t.Iterable[str]) -> dict[str, int]:
    """Return name → id of the users that spaces have, or whose id is a space's. Pure."""
    found = {}
    for line in lines:
        name, _, rest = line.partition(":")
        number = rest.split(":")[1] if rest.count(":") >= 2 else ""
        if number.isdigit() and (name.startswith(_layout.USER) or int(number) in IDS):
            # Somebody else may have the name of a space, and is not taken for it.
            ours = name.startswith(_layout.USER)
            known = name.removeprefix(_layout.USER) if ours else f"user {name}"
            found[known] = int(number)
    return found


def find_units(active: t.Mapping[str, str], enabled: t.Iterable[str]) -> set[str]:
    """Return the spaces of which a unit runs or will after a reboot. Pure."""
    names = {*enabled, *(name for name, state in active.items() if state in ACTIVE)}
    return {match["slug"] for match in map(_unit_names.UNIT.fullmatch, names) if match}


def find_unit_files(folders: t.Iterable[str] = UNIT_FOLDERS) -> set[str]:
    """Return whose units somebody changed beside our templates.

    A space where it is a unit of its own or a drop-in for one, else the drop-in for all.
    """
    found = set()
    for folder in folders:
        try:
            names = os.listdir(folder)
        except FileNotFoundError:
            continue
        for match in filter(None, map(_unit_names.FILE.fullmatch, names)):
            if match[2]:
                found.add(match[2])
            elif match[3]:
                others = set(os.listdir(f"{folder}/{match[0]}")) - _unit_names.OWN_DROPINS
                found |= {f"{match[0]}/{name}" for name in others}
    return found


def find_limits(root: str, owners: t.Mapping[int, str]) -> set[str]:
    """Return the owners of the limits of the file system; a number where nobody owns it."""
    if not os.path.isdir(root) or not _filesystem.find(root).counted:
        return set()
    with _quotactl.opened(os.path.realpath(root)) as descriptor:
        limited = _quotactl.limited(descriptor, IDS)
    return {owners.get(number, f"project {number}") for number in limited}


def read_web(places: t.Mapping[str, str], running: set[str], ids: t.Mapping[str, int]) -> Found:
    """Return kind → names of what a web node holds.

    Args:
        places: the folders `root`, `vhosts` and `php`.
        running: what `find_units` gave.
        ids: slug → id of the spaces that the registry knows.

    """
    with open("/etc/passwd", encoding="utf-8", errors="replace") as file:
        people = find_users(file)
    owners = {number: name for name, number in (people | dict(ids)).items()}
    return {
        "vhost": _files.list_names(places["vhosts"], _layout.CONF),
        "php": _files.list_names(places["php"], _layout.CONF),
        "user": set(people),
        "directory": list_directories(places["root"]),
        "unit": running,
        "unit file": find_unit_files(),
        "quota": find_limits(places["root"], owners),
    }


def read_databases(schemata: t.Iterable[str], accounts: t.Iterable[str]) -> Found:
    """Return kind → names of what a database node holds. Pure."""
    return {
        "database": _layout.parse_slugs(schemata, _layout.DATABASE),
        "account": _layout.parse_slugs(accounts, _layout.USER),
    }


def find_moved(folder: str = _journal.FOLDER) -> set[str]:
    """Return the spaces that are moving away from this node, or left something on it.

    Of one whose journal cannot be understood nobody knows that.
    """

    def moves(slug: str) -> bool:
        try:
            return (_journal.read(slug, folder) or {}).get("verb") == _move_job.VERB
        except _journal.JournalError:
            return False

    return {slug for slug in _files.list_names(folder, ".json") if moves(slug)}


def compare(
    found: Found, known: t.Mapping[str, str], moved: t.Container[str] = frozenset()
) -> Drift:
    """Return what is unknown, missing, and kept of spaces that moved: name → kinds. Pure.

    Args:
        found: kind → names of what is there; kinds that are not in it were not looked at.
        known: slug → state of the spaces of the registry on this node.
        moved: what `find_moved` gave.

    """
    unknown: dict[str, list[str]] = {}
    missing: dict[str, list[str]] = {}
    left: dict[str, list[str]] = {}
    for kind in (one for one in (*WEB, *DATABASE, *FOREIGN) if one in found):
        for name in found[kind]:
            if name not in known or kind not in MAY[known[name]]:
                of = left if name in moved and name not in known else unknown
                of.setdefault(name, []).append(kind)
        for slug, state in known.items():
            if kind in MUST[state] and slug not in found[kind]:
                missing.setdefault(slug, []).append(kind)
    drift = {"unknown": unknown, "missing": missing, "moved": left}
    return {part: dict(sorted(names.items())) for part, names in drift.items()}


def describe(drift: t.Mapping[str, t.Mapping[str, list[str]]]) -> list[str]:
    """Return what people read of it. Pure."""
    said = []
    for name, kinds in drift["unknown"].items():
        # Of the node that it moved from, perhaps: the database's node does not know of that.
        hint = (
            f"; if it has moved, playbooks/move.yml -e only={name} -e kept=discard "
            f"-e confirm={name} removes that account"
        )
        line = f"{name}: {', '.join(kinds)} too many"
        said.append(line + hint if OTHER_ACCOUNT in kinds else line)
    return said + [
        f"{name}: {', '.join(kinds)} missing" for name, kinds in drift["missing"].items()
    ]


def describe_moved(drift: t.Mapping[str, t.Mapping[str, list[str]]]) -> list[str]:
    """Return what people read of what is kept of spaces that moved, and what to do. Pure."""
    return [
        f"{name}: {', '.join(kinds)} kept since it moved to another node: playbooks/move.yml "
        f"-e only={name} -e confirm={name} with -e kept=discard removes it for good, with "
        "-e kept=restore takes the space back"
        for name, kinds in drift["moved"].items()
    ]


def compare_web(
    wanted: SpacesServices,
    active: t.Mapping[str, str],
    enabled: t.Iterable[str],
    *,
    check: bool,
) -> Drift:
    """Compare a web node with the registry after a run.

    The units of the spaces of this run are what they shall be: what did not start has failed
    and is named as such. What a check run would make is not missing.

    Args:
        wanted: what spaces_services was sent.
        active: unit → its state before the run.
        enabled: the units that were enabled before.
        check: nothing was changed.

    """
    chosen = {item["space"]: item["running"] for item in wanted["units"]}
    running = {slug for slug, runs in chosen.items() if runs}
    running |= find_units(active, enabled) - set(chosen)
    found = read_web(wanted["drift"]["places"], running, wanted["drift"]["ids"])
    result = compare(found, wanted["drift"]["known"], find_moved())
    return {**result, "missing": {}} if check else result


def compare_databases(
    state: _mariadb.State,
    wanted: t.Sequence[Account],
    known: t.Mapping[str, str],
    moved: t.Container[str] = frozenset(),
) -> Drift:
    """Compare a database node with the registry after a run. Pure.

    Args:
        state: what was there before.
        wanted: the spaces whose database this run has made sure of.
        known: slug → state of all spaces whose database is on this node.
        moved: what `find_moved` gave.

    """
    made = [item["space"] for item in wanted]
    found = read_databases(state.databases, {user for user, _ in state.accounts})
    found = {kind: names.union(made) for kind, names in found.items()}
    found |= {OTHER_ACCOUNT: _mariadb.other_accounts(state.accounts, wanted)}
    return compare(found, known, moved)
