# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A restore that is killed anywhere goes on, loses nothing, and keeps what was there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils import (
    _journal,
    _restore,
    _restore_job,
    _restore_steps,
    _systemd,
)
from tests.unit.plugins.module_utils.machine import machine
from tests.unit.plugins.module_utils.restoring import (
    PHP,
    Killed,
    World,
    again,
    cut_short,
    failing,
    has_previous,
    restore,
    restored,
    settled,
    untouched,
    world,
)

__all__ = ["machine", "world"]


def test_a_restore_replaces_the_space_and_keeps_what_was_there(world: World):
    (done,) = restore(world)
    assert "fetch, stop, aside, load, place, finish" in done
    restored(world)
    has_previous(world)
    settled(world)
    assert world.machine.running() == set()
    # What is kept counts for nobody, what is restored for the space.
    assert world.moved == [(f"{world.previous}/data", 0), (f"{world.home}/data", 70001)]


@pytest.mark.parametrize("role", [True, False])
def test_killed_at_each_change_it_goes_on(world: World, role: bool):
    number, ended = 0, False
    while not ended:
        again(world)
        world.left = number
        try:
            restore(world)
            ended = True
        except Killed:
            cut_short(world)
            number += 1
            if role:
                world.role()
            restore(world)
        world.left = -1
        restored(world)
        has_previous(world)
        settled(world)
        assert world.machine.running() == set()
    # The matrix is as large as the work.
    assert number >= 15


@pytest.mark.parametrize("step", list(_restore_steps.STEPS))
def test_each_step_fails_once(world: World, monkeypatch, step: str):
    monkeypatch.setitem(_restore_steps.STEPS, step, failing(_restore_steps.STEPS[step]))
    with pytest.raises(OSError, match="the disk is gone"):
        restore(world)
    world.nothing_lost()
    if step in _restore_job.HARMLESS:
        # What was not touched is in nobody's way: tonight's backup of the space is made.
        untouched(world)
    else:
        journal = _journal.read("amap")
        assert journal is not None
        assert (journal["verb"], journal["step"]) == ("restore", step)
        said = _journal.under_way("amap")
        assert "playbooks/restore.yml -e only=amap" in said
        assert "-e previous=restore -e confirm=amap" in said
    restore(world)
    restored(world)
    has_previous(world)
    settled(world)


@pytest.mark.parametrize("step", _restore_job.AT_STANDSTILL[:3])
def test_a_space_that_runs_again_is_not_worked_on(world: World, monkeypatch, step: str):
    """Started by hand between two runs, and not to be stopped: nothing more is moved."""
    act = _restore_steps.STEPS[step]
    monkeypatch.setitem(_restore_steps.STEPS, step, failing(act))
    with pytest.raises(OSError, match="the disk is gone"):
        restore(world)
    before = sorted(str(path) for path in Path(world.settings.root).rglob("*"))
    world.machine.run(PHP)
    world.machine.lie(PHP)
    with pytest.raises(_systemd.SystemdError, match=f"{PHP} is active"):
        restore(world)
    assert sorted(str(path) for path in Path(world.settings.root).rglob("*")) == before
    world.machine.obey()
    restore(world)
    restored(world)
    has_previous(world)


@pytest.mark.parametrize("fault", ["refuse", "lie", "process"])
def test_what_does_not_stop_is_not_moved(world: World, fault: str):
    if fault == "process":
        world.machine.process(4711, 70001, unit="run-u3.service")
    else:
        getattr(world.machine, fault)(PHP)
    with pytest.raises(_systemd.SystemdError, match="run the same playbook again") as caught:
        restore(world)
    assert (PHP if fault != "process" else "run-u3.service") in str(caught.value)
    assert world.state(world.home) == "old"
    assert not world.previous.exists()
    assert world.databases == {"space_amap": {"oc_old": 3}}
    world.machine.obey()
    shutil.rmtree(world.machine.lab / "proc/4711", ignore_errors=True)
    restore(world)
    restored(world)


def test_no_second_restore_over_what_is_kept(world: World):
    restore(world)
    with pytest.raises(_restore_job.RestoreError, match="previous=discard"):
        restore(world)
    restored(world)
    has_previous(world)


def test_an_interrupted_restore_is_finished_before_another_begins(world: World, monkeypatch):
    monkeypatch.setitem(_restore_steps.STEPS, "load", failing(_restore_steps.load))
    with pytest.raises(OSError, match="the disk is gone"):
        restore(world)
    with pytest.raises(_restore_job.RestoreError, match="a restore from amap was interrupted"):
        _restore.run(world.settings, "velo", "amap", "latest")
    _journal.write("amap", {"verb": "purge", "step": "drop"})
    with pytest.raises(_restore_job.RestoreError, match=r"playbooks/purge\.yml"):
        restore(world)
