# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""One turn of an upgrade on a node: many spaces, a bounded number at a time.

A run makes several turns, so that people see how far it is. Between two of them a lease keeps
a second operator out; whoever holds it is named.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
import typing as t
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.module_utils import (
    _installation,
    _journal,
    _status,
    _systemd,
    _upgrade,
    _upgrade_plan,
)
from ansible_collections.archipel.spaces.plugins.module_utils._spaces import Report

LOCK = "upgrade"
LEASE = "/run/archipel/upgrade-run.json"
# Seconds after which a run that gave no sign of life is taken for dead.
LEASE_SECONDS = 30
# Seconds to wait for an ordinary run that is telling spaces their settings.
PATIENCE = 600
REMOVING = ".removing-"
SNIPPET = "/etc/nginx/snippets/archipel-space.conf"

Item = Mapping[str, t.Any]


@dataclass
class Budget:
    """How many spaces may fail in this turn; shared by all that work in it."""

    allowed: int
    failed: int = 0

    def spent(self) -> bool:
        """Tell whether no further space may be begun."""
        return self.failed > self.allowed


# --- who is at work --------------------------------------------------------------------


def holder(lease: Mapping[str, t.Any], run: str, now: float) -> str:
    """Return why another run has the node; empty if none has. Pure."""
    left = LEASE_SECONDS - (now - float(lease.get("at", 0)))
    if not lease or lease.get("run") == run or left <= 0:
        return ""
    return (
        f"{words(lease)}. Wait for the end of that run; if it is dead, this node is free again "
        f"in {left:.0f} seconds, and the same command goes on where it was"
    )


def words(lease: Mapping[str, t.Any]) -> str:
    """Return who is at work. Pure."""
    if not lease:
        return "somebody is upgrading the spaces of this node"
    return (
        f"{lease['by']} is upgrading the spaces of this node to {lease['release']} since "
        f"{lease['since']}"
    )


@contextmanager
def leased(run: Mapping[str, t.Any], path: str = LEASE) -> Iterator[None]:
    """Have the node for one turn, and keep it until the next.

    Raises:
        JournalError: another run has it.

    """
    with ExitStack() as locks:
        try:
            locks.enter_context(_journal.exclusive(LOCK))
        except _journal.JournalError as error:
            raise _journal.JournalError(f"{words(_status.read_json(path))}: {error}") from error
        if why := holder(_status.read_json(path), run["run"], time.time()):
            raise _journal.JournalError(why)
        _journal.save(path, {**run, "at": time.time()})
        # An ordinary run must not tell a space its settings meanwhile; one that does has begun
        # between two turns.
        locks.enter_context(_journal.exclusive(_installation.LOCK, patience=PATIENCE))
        yield
        _journal.save(path, {**run, "at": time.time()})


def make_sure_nobody_else_runs(run: str, path: str = LEASE) -> None:
    """Ask before anything is planned: another machine may have done its part of a run already.

    Raises:
        JournalError: another run has this node.

    """
    if why := holder(_status.read_json(path), run, time.time()):
        raise _journal.JournalError(why)
    try:
        with _journal.exclusive(LOCK):
            return
    except _journal.JournalError as error:
        raise _journal.JournalError(f"{words(_status.read_json(path))}: {error}") from error


def release_lease(run: str, path: str = LEASE) -> None:
    """Let others have the node."""
    if _status.read_json(path).get("run") == run:
        os.unlink(path)


# --- planning --------------------------------------------------------------------------


def make_plan(
    settings: _upgrade.Settings, items: Sequence[Item], target: _upgrade_plan.Target
) -> dict[str, _upgrade_plan.Verdict]:
    """Return what is to be done about each of these spaces."""
    return _upgrade_plan.make(
        items,
        target,
        root=settings.node.root,
        free=_upgrade_plan.free_in(settings.work),
        connect=settings.node.connect,
        error=settings.node.database_error,
    )


def shown(verdict: _upgrade_plan.Verdict) -> dict[str, t.Any]:
    """Return a verdict as it travels to the controller. Pure."""
    return {**asdict(verdict), "enabled": len(verdict.enabled)}


def plan_facts(
    settings: _upgrade.Settings, verdicts: Mapping[str, _upgrade_plan.Verdict]
) -> dict[str, t.Any]:
    """Return what people want to know before a run."""
    return {
        "plan": {slug: shown(one) for slug, one in verdicts.items()},
        # Those included that are refused for want of room.
        "bytes_needed": sum(one.size for one in verdicts.values()),
        "bytes_free": _upgrade_plan.free_in(settings.work),
        "seconds_each": _upgrade_plan.read_rate(f"{settings.work}/{_upgrade.RATE}"),
    }


def door_problem(settings: _upgrade.Settings, snippet: str = SNIPPET) -> str:
    """Return why spaces could not be closed here; empty if they can."""
    try:
        with open(snippet, encoding="utf-8") as file:
            known = settings.closed in file.read()
    except OSError:
        known = False
    if known:
        return ""
    return (
        f"{snippet} does not know {settings.closed}: spaces could not be closed for the time of "
        "their upgrade. Run playbooks/site.yml first"
    )


# --- doing -----------------------------------------------------------------------------


def move_all(
    settings: _upgrade.Settings,
    todo: Sequence[tuple[Item, _upgrade_plan.Verdict]],
    budget: Budget,
    parallel: int,
    seconds: float,
) -> list[str | None]:
    """Upgrade spaces side by side; return why each failed, None for those that were not begun."""
    start, guard = time.monotonic(), threading.Lock()

    def one(pair: tuple[Item, _upgrade_plan.Verdict]) -> str | None:
        item, verdict = pair
        if budget.spent() or time.monotonic() - start > seconds:
            return None
        why = attempt(settings, item, verdict)
        if why:
            with guard:
                budget.failed += 1
        return why

    with ThreadPoolExecutor(max_workers=parallel) as pool:
        return list(pool.map(one, todo))


def attempt(settings: _upgrade.Settings, item: Item, verdict: _upgrade_plan.Verdict) -> str:
    """Upgrade one space; return why it failed."""
    try:
        return _upgrade.move(settings, item, asdict(verdict))
    except (_journal.JournalError, OSError) as error:
        return str(error)


def converge(
    settings: _upgrade.Settings,
    items: Sequence[Item],
    target: _upgrade_plan.Target,
    *,
    budget: Budget,
    parallel: int,
    seconds: float,
) -> Report:
    """Upgrade the spaces that need it for one turn; the fact `remaining` names those left."""
    report, start = Report(), time.monotonic()
    verdicts = make_plan(settings, items, target)
    for slug, verdict in verdicts.items():
        if verdict.kind == _upgrade_plan.REFUSED:
            report.fail(slug, verdict.why)
            budget.failed += 1
    todo = [
        ({**item, "target": target.id}, verdicts[item["space"]])
        for item in items
        if verdicts[item["space"]].kind in (_upgrade_plan.UPGRADE, _upgrade_plan.RESUME)
    ]
    if todo and not budget.spent():
        _systemd.daemon_reload(report, check=False)
    results = move_all(settings, todo, budget, parallel, seconds)
    note(settings, report, todo, results)
    if done := report.facts["begun"]:
        rate = {"seconds": (time.monotonic() - start) / done, "parallel": parallel}
        _journal.save(f"{settings.work}/{_upgrade.RATE}", rate)
    report.facts["spent"] = budget.spent()
    return report


def note(
    settings: _upgrade.Settings,
    report: Report,
    todo: Sequence[tuple[Item, _upgrade_plan.Verdict]],
    results: Sequence[str | None],
) -> None:
    """Write into the report what came of each space."""
    left, begun, ends = [], 0, {}
    for (item, _verdict), why in zip(todo, results, strict=True):
        slug = item["space"]
        if why is None:
            left.append(slug)
            continue
        begun += 1
        last = _upgrade.last_of(settings, slug)
        mine = last if last.get("run") == settings.run else {}
        if mine.get("result") == "upgraded":
            versions = f"{last['version_before']} → {last['version']}"
            report.change(slug, f"{versions}, closed for {last['downtime']:.1f} s")
        if why:
            report.fail(slug, why)
            # Nothing is written of one that was never begun: somebody else was at work on it.
            ends[slug] = mine.get("result", "not begun")
    report.facts |= {"begun": begun, "remaining": left, "ends": ends}


def undo_all(settings: _upgrade.Settings, items: Sequence[Item], parallel: int) -> Report:
    """Bring spaces back to their restore points."""
    report = Report()
    kept = _upgrade.restorable(settings, [item["space"] for item in items])
    journals = {item["space"]: _journal.read(item["space"]) for item in items}
    todo = []
    for item in items:
        if item["space"] in kept or journals[item["space"]]:
            todo.append(item)
        else:
            report.fail(item["space"], NO_POINT)

    def one(item: Item) -> str:
        try:
            return _upgrade.undo(settings, item)
        except (_journal.JournalError, OSError) as error:
            return str(error)

    with ThreadPoolExecutor(max_workers=parallel) as pool:
        for item, why in zip(todo, pool.map(one, todo), strict=True):
            if why:
                report.fail(item["space"], why)
            else:
                last = _upgrade.last_of(settings, item["space"])
                report.change(item["space"], f"{last['to']} → {last['from']}")
    return report


def foresee_undo(settings: _upgrade.Settings, items: Sequence[Item]) -> Report:
    """Say which spaces could be brought back, and to what."""
    report, slugs = Report(), [item["space"] for item in items]
    points = _upgrade.restorable(settings, slugs)
    for slug in slugs:
        if point := points.get(slug):
            when = time.strftime("%Y-%m-%d %H:%M", time.localtime(point["at"]))
            report.change(slug, f"{point['to']} → {point['release']}, as it was on {when}")
        elif _journal.read(slug) is None:
            report.fail(slug, NO_POINT)
    return report


NO_POINT = (
    "no restore point is kept of it. playbooks/restore.yml brings back a backup, whose release "
    "must be on this node"
)


# --- afterwards ------------------------------------------------------------------------


def old_points(settings: _upgrade.Settings, days: float, now: float) -> list[str]:
    """Return the spaces whose restore point is kept no longer."""
    try:
        slugs = sorted(entry.name for entry in os.scandir(settings.work) if entry.is_dir())
    except FileNotFoundError:
        return []
    points = _upgrade.restorable(settings, slugs)
    return [
        slug
        for slug, point in points.items()
        if now - float(point["at"]) > days * 86400 and _journal.read(slug) is None
    ]


def releases_needed(settings: _upgrade.Settings) -> set[str]:
    """Return the releases that a space of this node runs, or can go back to."""
    needed = set()
    for entry in os.scandir(settings.node.root):
        try:
            needed.add(os.path.basename(os.readlink(f"{entry.path}/release")))
        except OSError:
            continue
    if os.path.isdir(settings.work):
        slugs = [entry.name for entry in os.scandir(settings.work) if entry.is_dir()]
        needed |= {str(one["release"]) for one in _upgrade.restorable(settings, slugs).values()}
    if os.path.isdir(_journal.FOLDER):
        for name in os.listdir(_journal.FOLDER):
            journal = _status.read_json(f"{_journal.FOLDER}/{name}")
            needed |= {str(journal[key]) for key in ("from", "to") if key in journal}
    return needed


def built(releases: str) -> list[str]:
    """Return the releases of this node."""
    return sorted(
        entry.name
        for entry in os.scandir(releases)
        if entry.is_dir(follow_symlinks=False)
        and not entry.name.startswith(".")
        and os.path.exists(f"{entry.path}.json")
    )


def remove_release(releases: str, seed_images: str, release: str) -> None:
    """Remove a release: its name goes first, so that what is left of it counts for nothing."""
    beside = f"{releases}/{REMOVING}{release}"
    os.rename(f"{releases}/{release}", beside)
    os.unlink(f"{releases}/{release}.json")
    shutil.rmtree(beside)
    if seed_images:
        shutil.rmtree(f"{seed_images}/{release}", ignore_errors=True)


def sweep(releases: str) -> None:
    """Remove what an interrupted removal left."""
    for entry in os.scandir(releases):
        if entry.name.startswith(REMOVING):
            shutil.rmtree(entry.path)
            release = entry.name.removeprefix(REMOVING)
            if not os.path.isdir(f"{releases}/{release}"):
                Path(f"{releases}/{release}.json").unlink(missing_ok=True)


def tidy(
    settings: _upgrade.Settings, keep: Iterable[str], days: float, *, check: bool
) -> tuple[Report, list[str]]:
    """Let go of restore points past their time, then of releases that nobody needs any more."""
    report = Report()
    for slug in old_points(settings, days, time.time()):
        report.change(slug, f"its restore point is older than {days:g} days: removed")
        if not check:
            shutil.rmtree(f"{settings.work}/{slug}/{_upgrade.POINT}")
            Path(settings.work, slug, _upgrade.UNDONE).unlink(missing_ok=True)
    releases = settings.node.releases
    if not os.path.isdir(releases):
        return report, []
    if not check:
        sweep(releases)
    unused = sorted(set(built(releases)) - releases_needed(settings) - set(keep))
    for release in unused:
        report.node_change(f"release {release} removed: no space runs it or can go back to it")
        if not check:
            remove_release(releases, settings.node.seed_images, release)
    return report, unused
