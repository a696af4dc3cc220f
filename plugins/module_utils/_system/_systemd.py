# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""systemd, asked and obeyed: one verb over many units, properties, unit files that changed."""

from __future__ import annotations

import os
import re
import subprocess
import time
import typing as t
from datetime import UTC, datetime

from ansible_collections.archipel.spaces.plugins.module_utils._core import _unit_names
from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import Report

MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ UTC")
# How units are enabled and disabled: by their links alone, which the next boot reads. Asked for
# it, systemd would take every unit of the node for changed (NeedDaemonReload) until somebody
# reloads it, also with --no-reload; and it takes five times as long.
LINKS = ("--root=/",)
# Arguments of one systemctl call; far below the kernel's limit.
SLICE = 400
# Seconds after which a systemctl that says nothing is given up: longer than any unit of ours
# takes to stop, and a slice of sockets to start.
PATIENCE = 600.0
# Units of the distribution that the role spaces adds to.
ADDED_TO = ("nftables.service",)
RELOAD_STAMP = "/run/archipel/daemon-reload"


class SystemdError(Exception):
    """systemctl said no."""


class SilenceError(SystemdError):
    """systemctl said nothing: asking it again for each unit would take hours."""


# Unit → why it did not obey. Whoever gets one looks at it: held by a policy test.
Failures = dict[str, str]


def systemctl(*arguments: str) -> str:
    """Run systemctl and return what it printed.

    Raises:
        SystemdError: it failed; the text is its own.
        SilenceError: it did not come to an end.

    """
    command = ["systemctl", "--no-pager", "--no-ask-password", *arguments]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
            env={**os.environ, "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired as error:
        raise SilenceError(
            f"systemctl {arguments[0]} has not answered for {PATIENCE:.0f} seconds: look at "
            "systemctl list-jobs, and run again once nothing hangs there"
        ) from error
    if done.returncode != 0:
        raise SystemdError((done.stderr or done.stdout).strip()[-1000:])
    return done.stdout


def demand(units: t.Sequence[str], *verb: str) -> None:
    """Run one systemctl verb over units that must all obey.

    Raises:
        SystemdError: one of them did not; each is named, with what systemd says.

    """
    if failed := run_sliced(units, *verb):
        words = (f"systemctl {verb[-1]} {unit}: {reason}" for unit, reason in failed.items())
        raise SystemdError("; ".join(words))


def run_sliced(units: t.Sequence[str], *verb: str) -> Failures:
    """Run one systemctl verb over many units, some hundreds at a time.

    Where one of them fails, nobody knows what became of the others: each is asked for alone.
    For the units of one space, see `demand`.

    Returns:
        Unit → why it failed.

    """
    failed: Failures = {}
    for start in range(0, len(units), SLICE):
        some = units[start : start + SLICE]
        try:
            systemctl(*verb, "--", *some)
        except SilenceError as error:
            return failed | dict.fromkeys(units[start:], str(error))
        except SystemdError:
            failed |= run_singly(some, *verb)
    return failed


def run_singly(units: t.Sequence[str], *verb: str) -> Failures:
    """Run one systemctl verb for each unit alone; return why it failed, by unit."""
    failed: Failures = {}
    for number, unit in enumerate(units):
        try:
            systemctl(*verb, "--", unit)
        except SilenceError as error:
            return failed | dict.fromkeys(units[number:], str(error))
        except SystemdError as error:
            failed[unit] = str(error)
    return failed


def note_failures(failed: t.Mapping[str, str], verb: str, report: Report) -> None:
    """Write into the report which spaces' units did not obey.

    Raises:
        SystemdError: it was one of the node itself.

    """
    node = []
    for unit, reason in failed.items():
        words = f"systemctl {verb} {unit}: {reason}"
        if slug := _unit_names.parse_slug(unit):
            report.fail(slug, words)
        else:
            node.append(words)
    if node:
        raise SystemdError("; ".join(node))


def read_properties(units: t.Sequence[str], *names: str) -> dict[str, dict[str, str]]:
    """Return the named properties of units, by unit; units that are not loaded are left out."""
    output = systemctl(
        "show", "--timestamp=us+utc", f"--property=Id,{','.join(names)}", "--", *units
    )
    found = {}
    for block in output.split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if values.get("Id"):
            found[values["Id"]] = values
    return found


def find_newest(paths: t.Iterable[str], names: tuple[str, ...] = ("",)) -> float:
    """Return the latest modification time, in seconds, of files and of folders' entries.

    A folder counts with itself (an entry that went) and with the files whose name
    starts with one of `names`.
    """
    latest = 0.0
    for path in paths:
        try:
            if not os.path.isdir(path):
                latest = max(latest, os.stat(path).st_mtime)
                continue
            if names == ("",):
                latest = max(latest, os.stat(path).st_mtime)
            with os.scandir(path) as entries:
                times = (
                    e.stat().st_mtime for e in entries if e.name.startswith(names) and e.is_file()
                )
                latest = max(latest, max(times, default=0.0))
        except FileNotFoundError:
            continue
    return latest


def parse_moment(text: str) -> float:
    """Return the latest time in a text of systemd (`--timestamp=us+utc`), in seconds; 0 if none."""
    times = [datetime.strptime(found, "%Y-%m-%d %H:%M:%S.%f UTC") for found in MOMENT.findall(text)]
    return max((time.replace(tzinfo=UTC).timestamp() for time in times), default=0.0)


def reload_daemon(report: Report, *, check: bool) -> None:
    """Make systemd read unit files that changed since it last did."""
    started = parse_moment(systemctl("show", "--timestamp=us+utc", "--property=UserspaceTimestamp"))
    folder, ours = _unit_names.FOLDER, (*_unit_names.PREFIXES, *ADDED_TO)
    dropins = [n for n in os.listdir(folder) if n.startswith(ours) and n.endswith(".d")]
    files = find_newest([folder], _unit_names.PREFIXES)
    changed = max(files, find_newest(f"{folder}/{name}" for name in dropins))
    if changed <= max(started, find_newest([RELOAD_STAMP])):
        return
    report.node_change("systemd: unit files read again")
    if not check:
        # Stamped first: a file that changes during the call is newer than the stamp.
        os.makedirs(os.path.dirname(RELOAD_STAMP), exist_ok=True)
        stamp = time.time()
        systemctl("daemon-reload")
        with open(RELOAD_STAMP, "w", encoding="ascii"):
            os.utime(RELOAD_STAMP, (stamp, stamp))
