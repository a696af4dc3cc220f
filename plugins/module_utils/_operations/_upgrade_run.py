# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""One batch of an upgrade on a node: many spaces, a bounded number at a time.

A run makes several batches, so that people see how far it is.
"""

from __future__ import annotations

import threading
import time
import typing as t
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import Report
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _upgrade,
    _upgrade_facts,
    _upgrade_job,
    _upgrade_plan,
    _upgrade_point,
    _upgrade_record,
)
from ansible_collections.archipel.spaces.plugins.module_utils._system import _systemd

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import JsonObject
    from ansible_collections.archipel.spaces.plugins.module_utils._core._nextcloud_payloads import (
        Moving,
        Targeted,
    )

SNIPPET = "/etc/nginx/snippets/archipel-space.conf"


@dataclass
class Budget:
    """How many spaces may fail in this batch; shared by all that work in it."""

    allowed: int
    failed: int = 0

    def exhausted(self) -> bool:
        """Tell whether no further space may be begun."""
        return self.failed > self.allowed


def make_plan(
    settings: _upgrade_job.Settings, items: Sequence[Moving], target: _upgrade_facts.Target
) -> dict[str, _upgrade_plan.Decision]:
    """Return what is to be done about each of these spaces."""
    return _upgrade_plan.make(
        items,
        target,
        root=settings.node.root,
        free=_upgrade_facts.free_in(settings.work),
        connect=settings.node.connect,
        error=settings.node.database_error,
    )


def shown(decision: _upgrade_plan.Decision) -> JsonObject:
    """Return a decision as it travels to the controller. Pure."""
    return {**asdict(decision), "enabled": len(decision.enabled)}


def plan_facts(
    settings: _upgrade_job.Settings, decisions: Mapping[str, _upgrade_plan.Decision]
) -> JsonObject:
    """Return what people want to know before a run."""
    return {
        "plan": {slug: shown(one) for slug, one in decisions.items()},
        # Those included that are refused for want of room.
        "bytes_needed": sum(one.size for one in decisions.values()),
        "bytes_free": _upgrade_facts.free_in(settings.work),
        "seconds_each": _upgrade_facts.read_rate(f"{settings.work}/{_upgrade_job.RATE}"),
    }


def flag_problem(settings: _upgrade_job.Settings, snippet: str = SNIPPET) -> str:
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


def move_all(
    settings: _upgrade_job.Settings,
    todo: Sequence[tuple[Targeted, _upgrade_plan.Decision]],
    budget: Budget,
    parallel: int,
    seconds: float,
) -> list[str | None]:
    """Upgrade spaces side by side; return why each failed, None for those that were not begun.

    Args:
        settings: of the node.
        todo: spaces, each with what is to be done about it.
        budget: how many may fail.
        parallel: how many spaces at the same time.
        seconds: after them none is begun.

    """
    start, guard = time.monotonic(), threading.Lock()

    def one(pair: tuple[Targeted, _upgrade_plan.Decision]) -> str | None:
        item, decision = pair
        if budget.exhausted() or time.monotonic() - start > seconds:
            return None
        reason = attempt(settings, item, decision)
        if reason:
            with guard:
                budget.failed += 1
        return reason

    with ThreadPoolExecutor(max_workers=parallel) as pool:
        return list(pool.map(one, todo))


def attempt(
    settings: _upgrade_job.Settings, item: Targeted, decision: _upgrade_plan.Decision
) -> str:
    """Upgrade one space; return why it failed."""
    try:
        return _upgrade.move(settings, item, asdict(decision))
    except (_journal.JournalError, OSError) as error:
        return str(error)


def converge(
    settings: _upgrade_job.Settings,
    items: Sequence[Moving],
    target: _upgrade_facts.Target,
    *,
    budget: Budget,
    parallel: int,
    seconds: float,
) -> Report:
    """Upgrade the spaces that need it for one batch; the fact `remaining` names those left.

    Args:
        settings: of the node.
        items: the spaces.
        target: the release.
        budget: how many may fail.
        parallel: how many spaces at the same time.
        seconds: after them none is begun.

    """
    report, start = Report(), time.monotonic()
    decisions = make_plan(settings, items, target)
    for slug, decision in decisions.items():
        if decision.kind == _upgrade_plan.REFUSED:
            report.fail(slug, decision.reason)
            budget.failed += 1
    todo: list[tuple[Targeted, _upgrade_plan.Decision]] = [
        ({**item, "target": target.id}, decisions[item["space"]])
        for item in items
        if decisions[item["space"]].kind in (_upgrade_plan.UPGRADE, _upgrade_plan.RESUME)
    ]
    if todo and not budget.exhausted():
        _systemd.reload_daemon(report, check=False)
    results = move_all(settings, todo, budget, parallel, seconds)
    note(settings, report, todo, results)
    if done := report.facts["begun"]:
        rate = {"seconds": (time.monotonic() - start) / done, "parallel": parallel}
        _journal.save(f"{settings.work}/{_upgrade_job.RATE}", rate)
    report.facts["exhausted"] = budget.exhausted()
    return report


def note(
    settings: _upgrade_job.Settings,
    report: Report,
    todo: Sequence[tuple[Targeted, _upgrade_plan.Decision]],
    results: Sequence[str | None],
) -> None:
    """Write into the report what came of each space."""
    left, begun, ends = [], 0, {}
    for (item, _decision), reason in zip(todo, results, strict=True):
        slug = item["space"]
        if reason is None:
            left.append(slug)
            continue
        begun += 1
        last = _upgrade_record.last_of(settings, slug)
        mine = last if last.get("run") == settings.run else {}
        if mine.get("result") == "upgraded":
            versions = f"{last['version_before']} → {last['version']}"
            report.change(slug, f"{versions}, closed for {last['downtime']:.1f} s")
        if reason:
            report.fail(slug, reason)
            # Nothing is written of one that was never begun: somebody else was at work on it.
            ends[slug] = mine.get("result", "not begun")
    report.facts |= {"begun": begun, "remaining": left, "ends": ends}


def undo_all(settings: _upgrade_job.Settings, items: Sequence[Moving], parallel: int) -> Report:
    """Bring spaces back to their restore points."""
    report, todo = Report(), []
    for item in items:
        slug = item["space"]
        if not _journal.exists(slug) and (reason := _upgrade_point.problem(settings, slug)):
            report.fail(slug, reason)
        else:
            todo.append(item)

    def one(item: Moving) -> str:
        try:
            return _upgrade.undo(settings, item)
        except (_journal.JournalError, OSError) as error:
            return str(error)

    with ThreadPoolExecutor(max_workers=parallel) as pool:
        for item, reason in zip(todo, pool.map(one, todo), strict=True):
            if reason:
                report.fail(item["space"], reason)
            else:
                last = _upgrade_record.last_of(settings, item["space"])
                report.change(item["space"], f"{last['to']} → {last['from']}")
    return report


def preview_undo(settings: _upgrade_job.Settings, items: Sequence[Moving]) -> Report:
    """Say which spaces could be brought back, and to what."""
    report, slugs = Report(), [item["space"] for item in items]
    points = _upgrade_point.restorable(settings, slugs)
    for slug in slugs:
        if point := points.get(slug):
            when = time.strftime("%Y-%m-%d %H:%M", time.localtime(point["at"]))
            report.change(slug, f"{point['to']} → {point['release']}, as it was on {when}")
        elif not _journal.exists(slug):
            report.fail(slug, _upgrade_point.problem(settings, slug))
    return report
