# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Work that is killed or fails anywhere comes to its end, or is taken back, by the rules it has."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._operations import _workflow
from ansible_collections.archipel.spaces.plugins.module_utils._operations._workflow import (
    Result,
    Resume,
    Step,
    Workflow,
)

NAMES = ("one", "two", "three")


class Killed(BaseException):
    """The process is gone: nothing tidies up after it."""


@dataclass
class Disk:
    """What outlives a process: journals, and what steps have done."""

    journal: dict[str, Any] | None = None
    # Everything that happened, in its order.
    said: list[str] = field(default_factory=list)
    # Where something happens, once: `before one`, `in one`, `after one` → what.
    events: dict[str, BaseException] = field(default_factory=dict)

    def happen(self, where: str) -> None:
        if event := self.events.pop(where, None):
            raise event


@dataclass
class Paper:
    """A journal of one process: what it reads is what is on the disk."""

    disk: Disk
    values: dict[str, Any]

    def save(self, **changes: Any) -> None:
        step = changes["step"]
        self.disk.happen(f"before {step}")
        self.disk.journal = {**self.values, **changes}
        self.values |= changes

    def remove(self) -> None:
        self.disk.happen("before the end")
        self.disk.journal = None


@dataclass
class Job:
    disk: Disk
    open: bool = False


def act(name: str, job: Job) -> None:
    job.disk.happen(f"in {name}")
    job.disk.said.append(name)
    job.disk.happen(f"after {name}")


def step(name: str, *undo: str, former: tuple[str, ...] = ()) -> Step[Job]:
    return Step(name, lambda job: act(name, job), tuple(step(one) for one in undo), former)


def flow(**rules: Any) -> Workflow[Job]:
    """Three steps, each with what takes it back, and something that takes back two of them."""
    steps = (step("one", "un-one"), step("two", "both", "un-two"), step("three", "both"))
    return replace(Workflow("work", steps), **rules)


def run(disk: Disk, wanted: Workflow[Job] | None = None, job: Job | None = None) -> Result:
    """Begin, or go on, as a process that has just started."""
    wanted = wanted or flow()
    found = dict(disk.journal or {"verb": "work", "step": wanted.steps[0].name})
    return _workflow.run(wanted, job or Job(disk), Paper(disk, found))


PLACES = [f"{where} {name}" for name in NAMES for where in ("before", "in", "after")]


def test_all_steps_in_their_order_and_no_journal_is_left():
    disk = Disk()
    assert run(disk) == Result(list(NAMES))
    assert (disk.said, disk.journal) == (list(NAMES), None)


# --- killed ------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [*PLACES, "before the end"])
@pytest.mark.parametrize("resume", Resume)
def test_killed_anywhere_the_next_run_comes_to_the_end(place: str, resume: Resume):
    disk, wanted = Disk(events={place: Killed()}), flow(resume=resume)
    with pytest.raises(Killed):
        run(disk, wanted)
    before, begun = list(disk.said), disk.journal is not None
    disk.said.clear()
    at = disk.journal["step"] if disk.journal else "one"
    run(disk, wanted)
    first = NAMES.index(at) if resume is Resume.GO_ON else 0
    assert disk.said == list(NAMES[first:])
    # Every step was done, and what had not been begun was not skipped.
    assert set(before) | set(disk.said) == set(NAMES)
    assert begun == (place != "before one")
    assert disk.journal is None


@pytest.mark.parametrize("first", PLACES)
@pytest.mark.parametrize("second", PLACES)
def test_killed_twice_too(first: str, second: str):
    disk = Disk(events={first: Killed()})
    with pytest.raises(Killed):
        run(disk)
    disk.events = {second: Killed()}
    with contextlib.suppress(Killed):
        run(disk)
    disk.events.clear()
    run(disk)
    assert set(disk.said) == set(NAMES)
    assert disk.journal is None


# --- failed ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_what_fails_stays_and_is_done_again(name: str):
    disk = Disk(events={f"in {name}": OSError("disk")})
    with pytest.raises(OSError, match="disk"):
        run(disk)
    assert disk.journal == {"verb": "work", "step": name}
    run(disk)
    assert disk.said == list(NAMES)


TAKEN_BACK = {
    "one": ["un-one"],
    "two": ["both", "un-two", "un-one"],
    # What two steps need is done once, for the later of them.
    "three": ["both", "un-two", "un-one"],
}


@pytest.mark.parametrize("name", NAMES)
def test_what_fails_is_taken_back_the_last_first(name: str):
    disk, error = Disk(events={f"in {name}": OSError("disk")}), OSError
    wanted = flow(taken_back_until="three", note=lambda _job, error: {"reason": str(error)})
    result = run(disk, wanted)
    assert isinstance(result.error, error)
    done = list(NAMES[: NAMES.index(name)])
    assert result.done == disk.said == [*done, *TAKEN_BACK[name]]
    assert disk.journal is None


def test_why_it_goes_back_stands_in_the_journal():
    disk = Disk(events={"in two": OSError("disk"), "in both": Killed()})
    note = {"reason": "two: disk", "key": "k"}
    with pytest.raises(Killed):
        run(disk, flow(taken_back_until="three", note=lambda _job, _error: note))
    way = {"direction": "back", "failed_at": "two", "step": "both"}
    assert disk.journal == {"verb": "work", **way, **note}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("where", ["before", "in", "after"])
def test_killed_on_its_way_back_it_goes_on_there(name: str, where: str):
    wanted = flow(taken_back_until="three")
    for undo in TAKEN_BACK[name]:
        disk = Disk(events={f"in {name}": OSError("disk"), f"{where} {undo}": Killed()})
        with pytest.raises(Killed):
            run(disk, wanted)
        if not disk.journal or disk.journal.get("direction") != "back":
            # It was not written down that it goes back: the step is done again, and may succeed.
            run(disk, wanted)
            assert disk.said[-1] == "three"
            continue
        run(disk, wanted)
        assert [one for one in dict.fromkeys(disk.said) if one not in NAMES] == TAKEN_BACK[name]
        assert disk.journal is None


@pytest.mark.parametrize("undo", TAKEN_BACK["three"])
def test_taking_back_that_fails_stays_where_it_is_and_is_done_again(undo: str):
    wanted = flow(taken_back_until="three")
    disk = Disk(events={"in three": OSError("disk"), f"in {undo}": ValueError("other")})
    with pytest.raises(ValueError, match="other"):
        run(disk, wanted)
    assert disk.journal is not None
    assert (disk.journal["step"], disk.journal["failed_at"]) == (undo, "three")
    assert run(disk, wanted).error is None
    assert disk.said == ["one", "two", *TAKEN_BACK["three"]]


def test_a_journal_on_its_way_back_is_never_begun_again():
    disk = Disk({"verb": "work", "direction": "back", "failed_at": "two", "step": "un-two"})
    run(disk, flow(taken_back_until="three", resume=Resume.BEGIN_AGAIN))
    assert disk.said == ["un-two", "un-one"]


@pytest.mark.parametrize(("name", "back"), [("one", True), ("two", True), ("three", False)])
def test_only_up_to_a_step_is_anything_taken_back(name: str, back: bool):
    disk, wanted = Disk(events={f"in {name}": OSError("disk")}), flow(taken_back_until="two")
    if back:
        assert run(disk, wanted).error is not None
        assert disk.journal is None
    else:
        with pytest.raises(OSError, match="disk"):
            run(disk, wanted)
        assert disk.journal == {"verb": "work", "step": "three"}


@pytest.mark.parametrize("is_open", [True, False])
def test_past_the_point_of_no_return_nothing_is_taken_back(is_open: bool):
    disk = Disk(events={"in three": OSError("disk")})
    wanted = flow(taken_back_until="three", is_past_return=lambda job: job.open)
    if is_open:
        with pytest.raises(OSError, match="disk"):
            run(disk, wanted, Job(disk, open=True))
        assert disk.said == ["one", "two"]
    else:
        assert run(disk, wanted).error is not None


def test_what_nothing_takes_back_only_ends():
    disk = Disk(events={"in one": OSError("disk")})
    wanted = Workflow("work", (step("one"), step("two")), taken_back_until="two")
    assert run(disk, wanted).error is not None
    assert (disk.said, disk.journal) == ([], None)


def test_faults_of_the_program_are_let_through():
    disk = Disk(events={"in two": TypeError("a fault")})
    wanted = flow(taken_back_until="three", failures=lambda _job: (OSError,))
    with pytest.raises(TypeError, match="a fault"):
        run(disk, wanted)
    # Where it was: the next version goes on there.
    assert disk.journal == {"verb": "work", "step": "two"}


# --- what somebody else does --------------------------------------------------------------


@pytest.mark.parametrize("resume", Resume)
def test_a_run_ends_before_what_somebody_else_does(resume: Resume):
    disk = Disk()
    wanted = Workflow("work", (*map(step, NAMES), Step("told", None)), resume=resume)
    assert run(disk, wanted).done == list(NAMES)
    assert disk.journal == {"verb": "work", "step": "told"}
    disk.said.clear()
    run(disk, wanted)
    assert disk.said == ([] if resume is Resume.GO_ON else list(NAMES))
    assert disk.journal == {"verb": "work", "step": "told"}


# --- names on nodes ------------------------------------------------------------------------


def test_a_step_that_was_renamed_is_known_by_its_former_name():
    disk = Disk({"verb": "work", "step": "door"})
    steps = (step("one"), step("vhost", former=("gate", "door")), step("three"))
    run(disk, Workflow("work", steps))
    assert disk.said == ["vhost", "three"]


def test_what_takes_back_can_be_renamed_too():
    undo = (step("lower", former=("open",)), step("last"))
    wanted = Workflow("work", (replace(step("one"), undo=undo),), taken_back_until="one")
    disk = Disk({"verb": "work", "direction": "back", "failed_at": "one", "step": "open"})
    run(disk, wanted)
    assert disk.said == ["lower", "last"]


@pytest.mark.parametrize(
    ("journal", "found", "known"),
    [
        ({"step": "four"}, "four", "one, two, three"),
        ({"step": "four", "direction": "back", "failed_at": "two"}, "four", "both, un-two, un-one"),
        ({"step": "both", "direction": "back", "failed_at": "nine"}, "nine", "one, two, three"),
    ],
)
def test_a_step_that_nobody_knows_is_a_sentence_with_a_remedy(journal, found, known):
    disk = Disk({"verb": "work", **journal})
    with pytest.raises(_journal.JournalError) as caught:
        run(disk)
    said = str(caught.value)
    assert f"the step {found!r} of a work was begun; this version knows {known}" in said
    assert "Finish it with the version of Archipel that began it, then run again" in said
    assert (disk.said, disk.journal) == ([], {"verb": "work", **journal})


def test_whoever_begins_again_needs_to_know_no_step():
    disk = Disk({"verb": "work", "step": "four"})
    run(disk, flow(resume=Resume.BEGIN_AGAIN))
    assert disk.said == list(NAMES)


def test_a_way_of_another_direction_has_rules_of_its_own():
    disk = Disk({"verb": "work", "direction": "undo", "step": "two"})
    run(disk, flow(direction="undo"))
    assert disk.said == ["two", "three"]


# --- around steps ---------------------------------------------------------------------------


@contextlib.contextmanager
def noted(job: Job, one: Step[Job]) -> Iterator[None]:
    job.disk.said.append(f"({one.name}")
    try:
        yield
    finally:
        job.disk.said.append(f"{one.name})")


def test_what_is_around_a_way_and_around_each_step():
    disk = Disk({"verb": "work", "step": "two"}, events={"in three": OSError("disk")})
    wanted = flow(taken_back_until="three", around=noted)
    run(disk, wanted)
    back = ["(both", "both", "un-two", "un-one", "both)"]
    assert disk.said == ["(two", "two", "two)", *back]
    disk = Disk()
    run(disk, replace(wanted, around=flow().around, around_step=noted))
    assert disk.said == [word for name in NAMES for word in (f"({name}", name, f"{name})")]


def test_what_fails_around_a_step_is_a_failure_of_the_step():
    @contextlib.contextmanager
    def fails(job: Job, one: Step[Job]) -> Iterator[None]:
        job.disk.happen(f"around {one.name}")
        yield

    disk = Disk(events={"around two": OSError("disk")})
    assert run(disk, flow(taken_back_until="three", around_step=fails)).error is not None
    assert disk.said == ["one", *TAKEN_BACK["two"]]


def test_a_journal_that_cannot_be_written_begins_nothing():
    disk = Disk(events={"before two": OSError("full")})
    with pytest.raises(OSError, match="full"):
        run(disk)
    assert (disk.said, disk.journal) == (["one"], {"verb": "work", "step": "one"})
