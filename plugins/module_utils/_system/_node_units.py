# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Units of a node: enabled, masked, started, and as young as the files that they have read.

What runs is compared with what is configured, by times: a run that dies loses no notification.
"""

from __future__ import annotations

import contextlib
import os
import stat
import typing as t
from dataclasses import dataclass, field

from ansible_collections.archipel.spaces.plugins.module_utils._core import _files
from ansible_collections.archipel.spaces.plugins.module_utils._system import _node_parts, _systemd

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import NodeUnit

PROPERTIES = (
    "LoadState",
    "ActiveState",
    "UnitFileState",
    "NeedDaemonReload",
    "ActiveEnterTimestamp",
    "StateChangeTimestamp",
)
UP = ("active", "activating", "reloading", "refreshing")
DOWN = ("inactive", "failed", "")
# What there is nothing to enable in: it is, or has no [Install], or is somebody else's name.
ENABLED = ("enabled", "static", "alias", "indirect", "generated")
MASKED = ("masked", "masked-runtime")
# What has the time of its last reading: a reload changes the state twice, and starts nothing.
SINCE = {"reload": "StateChangeTimestamp"}
DONE = {"restart": "restarted", "reload": "reloaded", "stop": "stopped"}


class Found(t.TypedDict):
    """What was found of units, before anything was done."""

    # Unit → files that are newer than it, where a person decides.
    due: dict[str, list[str]]
    # Those that there are.
    loaded: list[str]


@dataclass
class Plan:
    """What is done to one unit: verbs of systemctl, with the words of a report."""

    unit: NodeUnit
    steps: list[tuple[str, str]] = field(default_factory=list)
    # Files that are newer than a unit that is left to a person.
    due: list[str] = field(default_factory=list)


def read_units(names: t.Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the properties of units by the name that they were asked for under."""
    if not names:
        return {}
    properties = f"--property={','.join(PROPERTIES)}"
    output = _systemd.systemctl("show", "--timestamp=us+utc", properties, "--", *names)
    # One paragraph each, in the order of the question: of an alias they say another name.
    blocks = output.rstrip("\n").split("\n\n")
    return {
        name: dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        for name, block in zip(names, blocks, strict=True)
    }


def plan(unit: NodeUnit, values: t.Mapping[str, str], newer: t.Sequence[str]) -> Plan:
    """Return what is to be done to one unit. Pure.

    Args:
        unit: as it shall be.
        values: of it, as systemd says them.
        newer: files that are newer than what it runs with.

    """
    made = Plan(unit)
    running = values.get("ActiveState", "") in UP
    if unit["state"] == "stopped" and values.get("ActiveState", "") not in DOWN:
        made.steps.append(("stop", "stopped"))
    made.steps += plan_links(unit, values.get("UnitFileState", ""))
    if unit["state"] == "started" and not running:
        made.steps.append(("start", "started"))
    elif running and newer and unit["then"] == "report":
        made.due = list(newer)
    elif running and newer and unit["state"] != "stopped":
        verb = unit["then"]
        made.steps.append((verb, f"{DONE[verb]}: {shorten(newer)} newer"))
    return made


def plan_links(unit: NodeUnit, found: str) -> list[tuple[str, str]]:
    """Return the steps that make a unit enabled or masked, or neither. Pure."""
    steps = []
    masked = found in MASKED
    if unit["masked"] is False and masked:
        steps.append(("unmask", "unmasked"))
    if unit["enabled"] and found not in ENABLED:
        steps.append(("enable", "enabled"))
    # A masked unit is not there to be enabled.
    elif unit["enabled"] is False and found in ("enabled", "enabled-runtime"):
        steps.append(("disable", "disabled"))
    if unit["masked"] and not masked:
        steps.append(("mask", "masked"))
    return steps


def shorten(paths: t.Sequence[str]) -> str:
    """Return the names of files as a sentence has them: three at most. Pure."""
    shown = ", ".join(paths[:3])
    if len(paths) > 3:
        return f"{shown} and {len(paths) - 3} more are"
    return f"{shown} {'is' if len(paths) == 1 else 'are'}"


def find_newer(
    unit: NodeUnit, values: t.Mapping[str, str], written: t.Collection[str]
) -> list[str]:
    """Return the files that are newer than what a unit runs with, sorted.

    Args:
        unit: as it shall be.
        values: of it, as systemd says them.
        written: what check mode would have written in this very run.

    """
    since = _systemd.parse_moment(values.get(SINCE.get(unit["then"], "ActiveEnterTimestamp"), ""))
    found = {path for path in written if is_below(path, unit["newer"] + unit["arrived"])}
    for paths, changed in ((unit["newer"], "st_mtime"), (unit["arrived"], "st_ctime")):
        for path, info in list_files(paths, folders=unit["count_removed"]):
            if getattr(info, changed) > since:
                found.add(path)
    return sorted(found)


def is_below(path: str, roots: t.Sequence[str]) -> bool:
    """Tell whether a path is one of these, or below one. Pure."""
    return any(path == root or path.startswith(f"{root.rstrip('/')}/") for root in roots)


def list_files(paths: t.Sequence[str], *, folders: bool) -> t.Iterator[tuple[str, os.stat_result]]:
    """Yield files with what is known of them, of folders all that is below. No link is followed."""
    for path in paths:
        try:
            info = os.stat(path)
        except FileNotFoundError:
            continue
        if not stat.S_ISDIR(info.st_mode):
            yield path, info
            continue
        if folders:
            yield path, info
        for entry in _files.list_tree(path):
            if folders or not entry.is_dir(follow_symlinks=False):
                # One that is gone by now was about to be.
                with contextlib.suppress(FileNotFoundError):
                    yield entry.path, entry.stat(follow_symlinks=False)


def converge_manager(
    wanted: t.Mapping[str, str], changes: _node_parts.Changes, *, check: bool
) -> None:
    """Let systemd read its own settings again where it runs with others.

    Raises:
        SystemdError: it does not, or still runs with others afterwards.

    """
    differing = find_differing(wanted)
    if not differing:
        return
    changes["systemd"] = differing
    if not check:
        _systemd.systemctl("daemon-reload")
        if left := find_differing(wanted):
            raise _systemd.SystemdError(
                f"systemd was made to read its settings again, and runs with {', '.join(left)}: "
                "look into /etc/systemd/system.conf and the files beside it"
            )


def find_differing(wanted: t.Mapping[str, str]) -> list[str]:
    """Return in words which properties of systemd are not as wanted."""
    if not wanted:
        return []
    text = _systemd.systemctl("show", f"--property={','.join(wanted)}")
    found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return [
        f"{name} {found.get(name, 'unknown')} → {value}"
        for name, value in wanted.items()
        if found.get(name) != value
    ]


def converge(
    wanted: t.Sequence[NodeUnit],
    written: t.Collection[str],
    changes: _node_parts.Changes,
    *,
    check: bool,
) -> Found:
    """Bring units to their wanted state, in their order.

    Args:
        wanted: the units.
        written: paths that this run has changed (in check mode, would have).
        changes: what was changed so far; added to.
        check: whether nothing is done.

    Returns:
        What was found of them.

    Raises:
        SystemdError: a unit is not there, or does not obey.
        PartError: a program refuses the files that a unit would read.

    """
    observed = read_units([unit["name"] for unit in wanted])
    if not check and any(values.get("NeedDaemonReload") == "yes" for values in observed.values()):
        _systemd.systemctl("daemon-reload")
    found: Found = {"due": {}, "loaded": []}
    for unit in wanted:
        values = observed[unit["name"]]
        if values.get("LoadState") != "not-found":
            found["loaded"].append(unit["name"])
        elif not check:
            refuse_absent(unit)
        newer = find_newer(unit, values, written if check else ())
        made = plan(unit, values, newer)
        if made.due:
            found["due"][unit["name"]] = made.due
        if made.steps:
            changes[unit["name"]] = [words for _verb, words in made.steps]
        if made.steps and not check:
            apply(made)
    return found


def refuse_absent(unit: NodeUnit) -> None:
    """Let a unit be absent that shall not run.

    Raises:
        SystemdError: it shall.

    """
    if unit["enabled"] or unit["state"] == "started":
        raise _systemd.SystemdError(
            f"{unit['name']}: systemd of this node knows no such unit: its package or its file "
            "is missing"
        )


def apply(made: Plan) -> None:
    """Do what was planned for one unit.

    Raises:
        SystemdError: systemd says no.
        PartError: a program refuses the files that the unit would read.

    """
    verbs = [verb for verb, _words in made.steps]
    if made.unit["validate"] and {"start", "restart", "reload"} & set(verbs):
        _node_parts.run(made.unit["validate"])
    for verb in verbs:
        try:
            _systemd.systemctl(verb, "--", made.unit["name"])
        except _systemd.SystemdError as error:
            raise _systemd.SystemdError(f"systemctl {verb} {made.unit['name']}: {error}") from error
