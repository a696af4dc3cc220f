# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""One space at a standstill: nothing of it runs, and nothing can wake it.

Whoever moves or deletes a space's data brings it to a standstill before, and again before each
step that a running PHP would spoil: time may have passed since the last one. That systemctl
reports success is not taken for it: what counts is the state of the units, and that no process
of the space's user is left, whoever started it.

A file holds the units of the space down (a condition of theirs) until it is lifted: a
request, a timer, another run or a reboot starts nothing meanwhile.
"""

from __future__ import annotations

import os
import pwd
import re
import time
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.module_utils._core import (
    _files,
    _layout,
    _unit_names,
)
from ansible_collections.archipel.spaces.plugins.module_utils._system import _systemd

# The same path as in the units' conditions (role spaces, __spaces_still).
FOLDER = _layout.Places.standstill
AT_REST = frozenset({"inactive", "failed"})
# Seconds in which the last processes of units that have stopped may still go.
GRACE = 10.0
PROC = "/proc"
UNIT = re.compile(r"([^/\n]+\.(?:service|scope))$", re.MULTILINE)


class StandstillError(_systemd.SystemdError):
    """Something of a space still runs: nothing may be moved or deleted."""


@dataclass(frozen=True)
class Process:
    """A process of a space's user."""

    pid: int
    name: str
    # The unit that it belongs to; empty if to none.
    unit: str

    def __str__(self) -> str:
        """Return it in words."""
        return f"process {self.pid} ({self.name}{', of ' + self.unit if self.unit else ''})"


def find_path(slug: str) -> str:
    """Return the file that holds a space's units down while it is there."""
    return _layout.Layout(slug, _layout.Places(standstill=FOLDER)).standstill


def is_held(slug: str) -> bool:
    """Tell whether a space's units are held down."""
    return os.path.lexists(find_path(slug))


def hold(slug: str) -> None:
    """Let no unit of a space start from now on; a reboot does not change that."""
    os.makedirs(FOLDER, mode=0o755, exist_ok=True)
    Path(find_path(slug)).touch(mode=0o644)
    # It may lie on another disk than what is moved next: only this keeps their order.
    _files.sync_folder(FOLDER)


def lift(slug: str) -> None:
    """Let the units of a space start again. None is started."""
    Path(find_path(slug)).unlink(missing_ok=True)


def bring(slug: str, user: int | None = None) -> None:
    """Bring a space to a standstill. Can be repeated.

    Args:
        slug: the space.
        user: the number of its user, where that may be gone already.

    Raises:
        SystemdError: a unit does not stop.
        StandstillError: it is said to have stopped, and something still runs.

    """
    hold(slug)
    units = _unit_names.Units(slug)
    # What could start the others comes first.
    for some in (units.waking, units.running):
        try:
            _systemd.demand(some, "stop")
        except _systemd.SystemdError as error:
            raise _systemd.SystemdError(explain(str(error))) from error
    end = time.monotonic() + GRACE
    while found := find_work(slug, user):
        if time.monotonic() > end:
            raise StandstillError(explain(found))
        time.sleep(0.2)


def explain(what: str) -> str:
    """Return why nothing is done, and what to do; whoever reports it names the space. Pure."""
    return (
        f"it is not at a standstill: {what}. What this step would have moved or deleted is "
        "untouched. See what keeps it (systemctl status, systemctl list-jobs), end it or wait for "
        "its end, and run the same playbook again: it goes on from here"
    )


def find_work(slug: str, user: int | None = None) -> str:
    """Return in words what of a space runs, or is about to; empty if nothing."""
    found = [f"{unit} is {state}" for unit, state in list_active(slug).items()]
    found += [str(one) for one in list_processes(slug, user)]
    return ", ".join(found)


def list_active(slug: str) -> dict[str, str]:
    """Return the units of a space that are not at rest, with their state.

    Raises:
        StandstillError: systemd does not report some of them.

    """
    units = [*_unit_names.Units(slug).waking, *_unit_names.Units(slug).running]
    shown = _systemd.read_properties(units, "ActiveState")
    if lacking := [unit for unit in units if "ActiveState" not in shown.get(unit, {})]:
        raise StandstillError(explain(f"systemd does not report the state of {lacking[0]}"))
    states = {unit: shown[unit]["ActiveState"] for unit in units}
    return {unit: state for unit, state in states.items() if state not in AT_REST}


def list_processes(slug: str, user: int | None = None) -> list[Process]:
    """Return the processes of a space's user, those of occ and of people at a shell too."""
    if user is None:
        try:
            user = pwd.getpwnam(_layout.Layout(slug).user).pw_uid
        except KeyError:
            return []
    pids = sorted(int(name) for name in os.listdir(PROC) if name.isdecimal())
    return [found for pid in pids if (found := read_process(pid, user))]


def read_process(pid: int, user: int) -> Process | None:
    """Return a process if it is a user's, by any of its user ids; None if not, or gone."""
    try:
        status = Path(PROC, str(pid), "status").read_text(encoding="utf-8", errors="replace")
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        # A zombie has ended: it only waits for its parent to read how.
        if str(user) not in fields["Uid"].split() or fields["State"].startswith("Z"):
            return None
        groups = Path(PROC, str(pid), "cgroup").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    unit = UNIT.search(groups)
    return Process(pid, fields["Name"], unit[1] if unit else "")
