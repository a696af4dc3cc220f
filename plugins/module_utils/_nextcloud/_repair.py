# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What a new major leaves undone in a space, done later and one space after another.

`occ upgrade` leaves out what may take long in a large space, such as new types of files. Nextcloud
does that with `maintenance:repair --include-expensive`, in maintenance mode. So that people do not
wait for it, an upgrade only notes that a space needs it; a timer of the node does it once the
space sleeps, a bounded number at a time. The note outlives a reboot: what was cut short is begun
anew.
"""

from __future__ import annotations

import contextlib
import os
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.archipel.spaces.plugins.module_utils._core import (
    _config,
    _files,
    _journal,
    _layout,
)
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _occ
from ansible_collections.archipel.spaces.plugins.module_utils._system import _standstill, _systemd

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import Json

# Where upgrades keep what they note of a space, and the files that close one.
WORK, CLOSED = _layout.Places.upgrade, _layout.Places.maintenance
NOTE = "repair.json"
COMMAND = ("maintenance:repair", "--include-expensive", "--no-interaction")
# The lock of runs that apply settings to spaces: occ knows no application meanwhile.
SETTINGS_LOCK, LOCK = "installations", "repair"
WAITS, RUNNING, DONE, FAILED = "waits", "running", "done", "failed"
LEFT = (WAITS, RUNNING, FAILED)
# Seconds after which a repair that failed is tried again.
AGAIN = 86400
# What of a space must be at rest: its jobs, and another occ.
BUSY = frozenset({"active", "activating", "deactivating", "reloading"})

Note = dict[str, t.Any]


@dataclass(frozen=True)
class Settings:
    """Where things are on this node, and how much of it may be done."""

    root: str
    php: str
    # Spaces at the same time.
    parallel: int = 1
    # Seconds after which no further one is begun in this look.
    seconds: float = 60
    # Seconds after which a space is no longer waited for to sleep.
    patience: float = 86400
    # Seconds after which a repair is ended.
    occ_seconds: float = 3600
    work: str = WORK
    closed: str = CLOSED

    def layout(self, slug: str) -> _layout.Layout:
        """Return the names and places of a space. Pure."""
        places = _layout.Places(root=self.root, upgrade=self.work, maintenance=self.closed)
        return _layout.Layout(slug, places)


@dataclass(frozen=True)
class Facts:
    """What a space is like at this moment."""

    version: str
    maintenance: bool
    # Its upgrade closed it, or a restore holds it at a standstill, or one of them was interrupted.
    held: bool
    # People reach it.
    is_open: bool
    # Somebody used it lately; PHP that nobody uses may stay awake for days.
    awake: bool
    jobs: bool


def major(version: str) -> int:
    """Return the first number of a version. Pure."""
    return int(version.partition(".")[0])


def path_of(slug: str, work: str = WORK) -> str:
    """Return where the note of a space is."""
    return f"{_layout.Layout(slug, _layout.Places(upgrade=work)).upgrade}/{NOTE}"


def read_note(slug: str, work: str = WORK) -> Note:
    """Return the note of a space; nothing if there is none."""
    return _journal.in_present_words(_journal.read_json(path_of(slug, work)), {"why": "reason"})


def note(slug: str, before: str, after: str, work: str = WORK) -> None:
    """Note that a space needs it, if its upgrade went from one major to another."""
    if major(before) == major(after):
        return
    os.makedirs(os.path.dirname(path_of(slug, work)), mode=0o700, exist_ok=True)
    wanted = {"major": major(after), "state": WAITS, "since": time.time()}
    _journal.save(path_of(slug, work), wanted)


def forget(slug: str, work: str = WORK) -> None:
    """Take the note back: the space is on its old major again."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path_of(slug, work))


def words(found: Json) -> str:
    """Return a note in words; nothing of what is done. Pure."""
    if not found or found["state"] == DONE:
        return ""
    what = f"its repair after the upgrade to {found['major']}"
    if found["state"] == FAILED:
        return f"{what} failed and is tried again each day: {found['reason']}"
    since = time.strftime("%Y-%m-%d", time.gmtime(found["since"]))
    state = "is under way" if found["state"] == RUNNING else "waits until nobody uses it"
    return f"{what} {state}, since {since}"


def wanting(work: str = WORK) -> dict[str, Note]:
    """Return the notes of spaces that need it, those that have waited longest first."""
    try:
        slugs = sorted(entry.name for entry in os.scandir(work) if entry.is_dir())
    except FileNotFoundError:
        return {}
    notes = {slug: read_note(slug, work) for slug in slugs}
    left = {slug: one for slug, one in notes.items() if one.get("state") in LEFT}
    return dict(sorted(left.items(), key=lambda pair: pair[1]["since"]))


def obstacle(found: Json, facts: Facts, now: float, patience: float) -> str:
    """Return why a space is left alone this time; empty if it may be repaired. Pure.

    Maintenance mode that was not ours is somebody else's work.
    """
    cut_short = found["state"] == RUNNING
    failed_lately = found["state"] == FAILED and now - found["ended"] < AGAIN
    said = {
        "something else is under way, or was interrupted": facts.held,
        "it is not open": not facts.is_open,
        "it is in maintenance mode": facts.maintenance and not cut_short,
        "it has failed lately": failed_lately,
        "its jobs run": facts.jobs,
        # One that was cut short shows people a page of maintenance: no reason to wait.
        "people use it": facts.awake and not cut_short and now - found["since"] < patience,
    }
    return next((reason for reason, holds in said.items() if holds), "")


def read_facts(settings: Settings, slug: str) -> Facts:
    """Return what a space is like; nothing of it is woken."""
    layout = settings.layout(slug)
    config = _files.read_text(layout.config_file)
    version = _config.VERSION.search(config)
    units = layout.units
    names = [units.php_socket, units.jobs, units.php, units.awake_timer]
    shown = _systemd.read_properties(names, "ActiveState")
    states = [shown.get(name, {}).get("ActiveState", "") for name in names]
    held = os.path.lexists(layout.maintenance) or _standstill.is_held(slug)
    return Facts(
        version=version[1] if version else "",
        maintenance=bool(_config.MAINTENANCE.search(config)),
        held=held or bool(_journal.under_way(slug)),
        is_open=states[0] == "active",
        jobs=states[1] in BUSY,
        awake=states[2] in BUSY and states[3] in BUSY,
    )


def end_maintenance(settings: Settings, slug: str) -> None:
    """Let people in again: a repair that was ended leaves maintenance mode on."""
    path = settings.layout(slug).config_file
    text = _files.read_text(path)
    if _config.MAINTENANCE.search(text):
        about = os.stat(path)
        content = _config.without(text, {"maintenance"})
        uid, gid = about.st_uid, about.st_gid
        _files.write_file({"path": path, "content": content, "uid": uid, "gid": gid, "mode": 0o640})


def repair(settings: Settings, slug: str) -> str:
    """Repair one space, if it may be; return what came of it, nothing if it was left alone.

    Raises:
        OSError: its files cannot be read or written.
        SystemdError: systemd does not say what it is like.

    """
    with contextlib.ExitStack() as locks:
        try:
            locks.enter_context(_journal.exclusive(settings.layout(slug).lock_name))
        except _journal.JournalError:
            # It is being backed up, exported, moved: the next look comes.
            return ""
        found = read_note(slug, settings.work)
        if found.get("state") not in LEFT:
            return ""
        facts = read_facts(settings, slug)
        if facts.version and major(facts.version) != found["major"]:
            forget(slug, settings.work)
            return ""
        if obstacle(found, facts, time.time(), settings.patience):
            return ""
        return carry_out(settings, slug, found)


def carry_out(settings: Settings, slug: str, found: Note) -> str:
    """Repair one space, note what came of it, and return it in words."""
    path, began = path_of(slug, settings.work), time.time()
    _journal.save(path, {**found, "state": RUNNING})
    _journal.die_here("repair:running")
    end_maintenance(settings, slug)
    try:
        outcome = _occ.run(
            slug, settings.php, COMMAND, root=settings.root, timeout=settings.occ_seconds
        )
        reason = "" if outcome.code == 0 else outcome.why()
    except OSError as error:
        reason = str(error)
    finally:
        end_maintenance(settings, slug)
    ended = time.time()
    came = {"reason": reason, "ended": ended, "seconds": round(ended - began, 1)}
    _journal.save(path, {**found, "state": FAILED if reason else DONE, **came})
    return f"failed: {reason}" if reason else f"repaired in {came['seconds']} s"


def run(settings: Settings) -> dict[str, str]:
    """Repair spaces that may be repaired, for one look; return space → what came of it.

    Raises:
        JournalError: another look, or a run that applies settings to spaces, is at work.

    """
    start = time.monotonic()

    def one(slug: str) -> str:
        if time.monotonic() - start > settings.seconds:
            return ""
        try:
            return repair(settings, slug)
        except (OSError, ValueError, _systemd.SystemdError) as error:
            return f"failed: {error}"

    slugs = list(wanting(settings.work))
    if not slugs:
        return {}
    with (
        _journal.exclusive(LOCK),
        _journal.exclusive(SETTINGS_LOCK),
        ThreadPoolExecutor(max_workers=settings.parallel) as pool,
    ):
        came = dict(zip(slugs, pool.map(one, slugs), strict=True))
    return {slug: what for slug, what in came.items() if what}
