# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Work in named steps that a run which was cut short leaves to the next one.

Before a step is done, a journal says which one it is. What becomes of it is data: a workflow says
how a journal that is found is resumed, up to which step a failure is taken back, and each step what
takes it back. Names of steps stand in journals on nodes, so a step that is renamed says how it was
called.

The models are TaskFlow, whose tasks execute and revert, and snapd, which keeps its changes and
tasks in a state that outlives the process.
"""

from __future__ import annotations

import enum
import typing as t
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import (
        Json,
        JsonObject,
    )

Job = t.TypeVar("Job")
Act = Callable[[Job], None]
# What a journal says of the way that its steps are gone.
DIRECTION, FORWARD, BACK = "direction", "forward", "back"


class Resume(enum.Enum):
    """What a run does with the journal of one that was cut short."""

    # Go on with the step that was begun: each of them can be repeated.
    GO_ON = "go on"
    # Begin with the first step again: each of them finds what is left to do.
    BEGIN_AGAIN = "begin again"


@dataclass(frozen=True)
class Step(t.Generic[Job]):
    """One step: what it is called, what it does, what takes it back."""

    name: str
    # None: somebody else does it. The run ends before it, and its journal stays until then.
    do: Act[Job] | None
    # What takes it back, in this order: steps by names of their own.
    undo: tuple[Step[Job], ...] = ()
    # How journals that older code has written call it.
    former: tuple[str, ...] = ()


@dataclass(frozen=True)
class Workflow(t.Generic[Job]):
    """What is done to one space, and what becomes of it when that does not come to its end."""

    verb: str
    steps: tuple[Step[Job], ...]
    resume: Resume = Resume.GO_ON
    # How its journals say that they are on their way there, and back.
    direction: str = FORWARD
    back: str = BACK
    # The last step whose failure is taken back; empty: what fails stays, and is resumed.
    taken_back_until: str = ""
    # Job → errors that mean that a step has failed; others are faults of the program.
    failures: Callable[[Job], tuple[type[Exception], ...]] = field(
        default=lambda _job: (Exception,)
    )
    # Job → whether it has come so far that nothing may be taken back any more.
    is_past_return: Callable[[Job], bool] = field(default=lambda _job: False)
    # What a job notes of the failure that is taken back.
    note: Callable[[Job, Exception], Json] = field(default=lambda _job, _error: {})
    # What is around the steps of one way, given the first one of them, and around each.
    around: Callable[[Job, Step[Job]], AbstractContextManager[None]] = field(
        default=lambda _job, _step: nullcontext()
    )
    around_step: Callable[[Job, Step[Job]], AbstractContextManager[None]] = field(
        default=lambda _job, _step: nullcontext()
    )


class Journal(t.Protocol):
    """Where it is written down how far a job is."""

    values: JsonObject

    def save(self, **changes: t.Any) -> None:
        """Write it for good, with changes."""

    def remove(self) -> None:
        """Say that all is done."""


@dataclass
class Result:
    """What one run has done: names of steps, and the failure that was taken back."""

    done: list[str] = field(default_factory=list)
    error: Exception | None = None


# --- the steps of a journal ---------------------------------------------------------------


def place_of(steps: Sequence[Step[t.Any]], name: str, verb: str) -> int:
    """Return which of the steps a journal means. Pure.

    Raises:
        JournalError: none is called so, nor was.

    """
    for number, step in enumerate(steps):
        if name == step.name or name in step.former:
            return number
    known = ", ".join(step.name for step in steps)
    raise _journal.JournalError(
        f"its journal says that the step {name!r} of a {verb} was begun; this version knows "
        f"{known}. Finish it with the version of Archipel that began it, then run again"
    )


def undoing(flow: Workflow[Job], failed: str) -> tuple[Step[Job], ...]:
    """Return the steps that take back what was done up to a step, that one included. Pure.

    Those of the last step come first; what several steps need is done once.

    Raises:
        JournalError: there is no such step.

    """
    found: list[Step[Job]] = []
    for step in reversed(flow.steps[: place_of(flow.steps, failed, flow.verb) + 1]):
        known = {one.name for one in found}
        found += [one for one in step.undo if one.name not in known]
    return tuple(found)


def is_on_its_way(flow: Workflow[t.Any], values: Json) -> bool:
    """Tell whether a job is on its way there, and not back. Pure."""
    return bool(values.get(DIRECTION, flow.direction) == flow.direction)


def way_of(flow: Workflow[Job], values: Json) -> tuple[Step[Job], ...]:
    """Return all steps of the way that a journal is on. Pure.

    Raises:
        JournalError: it names no step of this workflow.

    """
    if is_on_its_way(flow, values):
        return flow.steps
    return undoing(flow, values.get("failed_at", flow.steps[0].name))


def left(flow: Workflow[Job], values: Json) -> tuple[Step[Job], ...]:
    """Return the steps that are to be done, by the workflow's rule. Pure.

    Raises:
        JournalError: the journal names no step of this workflow.

    """
    way = way_of(flow, values)
    if flow.resume is Resume.BEGIN_AGAIN and is_on_its_way(flow, values):
        return way
    # Where nothing takes a step back, there is no way.
    return way[place_of(way, values["step"], flow.verb) :] if way else ()


# --- doing them ---------------------------------------------------------------------------


def run(flow: Workflow[Job], job: Job, journal: Journal) -> Result:
    """Do what is left of a job, and take it back where it fails before its point of no return.

    Args:
        flow: the steps and their rules.
        job: what they work on.
        journal: how far it is; a new one names the first step.

    Returns:
        What was done. Its `error` is the failure that was taken back.

    Raises:
        JournalError: the journal names no step of this workflow.
        Exception: a step failed that is not taken back, or taking back failed. The journal stays.

    """
    result = Result()
    failures = flow.failures(job)
    try:
        walk(flow, job, journal, result)
    except failures as error:
        if not is_taken_back(flow, job, journal):
            raise
        result.error = error
        turn_back(flow, job, journal, error)
        walk(flow, job, journal, result)
    return result


def walk(flow: Workflow[Job], job: Job, journal: Journal, result: Result) -> None:
    """Do the steps that are left of a way; the journal goes with the last one."""
    steps = left(flow, journal.values)
    with flow.around(job, steps[0]) if steps else nullcontext():
        for step in steps:
            journal.save(step=step.name)
            if step.do is None:
                return
            with flow.around_step(job, step):
                step.do(job)
            result.done.append(step.name)
    journal.remove()


def is_taken_back(flow: Workflow[Job], job: Job, journal: Journal) -> bool:
    """Tell whether the step that has failed is taken back."""
    if not flow.taken_back_until or not is_on_its_way(flow, journal.values):
        return False
    last = place_of(flow.steps, flow.taken_back_until, flow.verb)
    place = place_of(flow.steps, journal.values["step"], flow.verb)
    return place <= last and not flow.is_past_return(job)


def turn_back(flow: Workflow[Job], job: Job, journal: Journal, error: Exception) -> None:
    """Write down that a job goes back, and from where."""
    failed = journal.values["step"]
    steps = undoing(flow, failed)
    noted = flow.note(job, error)
    where = {DIRECTION: flow.back, "failed_at": failed}
    # Where nothing takes it back, it ends here.
    journal.save(**{**noted, **where, "step": steps[0].name if steps else failed})
