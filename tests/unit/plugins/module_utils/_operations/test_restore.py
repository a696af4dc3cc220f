# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A restore that is killed anywhere goes on, loses nothing, and keeps what was there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _restore,
    _restore_job,
    _restore_steps,
)
from ansible_collections.archipel.spaces.plugins.module_utils._system import _systemd
from tests.unit.plugins.module_utils.machine import machine
from tests.unit.plugins.module_utils.restoring import (
    ID,
    PHP,
    Killed,
    Lab,
    again,
    cut_short,
    failing,
    has_previous,
    lab,
    put_back,
    restore,
    restored,
    settled,
    untouched,
)

__all__ = ["lab", "machine"]


def test_a_restore_replaces_the_space_and_keeps_what_was_there(lab: Lab):
    (done,) = restore(lab)
    assert "fetch, stop, aside, load, place, finish" in done
    restored(lab)
    has_previous(lab)
    settled(lab)
    assert lab.machine.running() == set()
    # What is kept counts for nobody, what is restored for the space.
    assert lab.moved == [(f"{lab.previous}/data", 0), (f"{lab.home}/data", 70001)]


@pytest.mark.parametrize("role", [True, False])
def test_killed_at_each_change_it_goes_on(lab: Lab, role: bool):
    number, ended = 0, False
    while not ended:
        again(lab)
        lab.left = number
        try:
            restore(lab)
            ended = True
        except Killed:
            cut_short(lab)
            number += 1
            if role:
                lab.role()
            restore(lab)
        lab.left = -1
        restored(lab)
        has_previous(lab)
        settled(lab)
        assert lab.machine.running() == set()
    # The matrix is as large as the work.
    assert number >= 15


@pytest.mark.parametrize("step", list(_restore_steps.STEPS))
def test_each_step_fails_once(lab: Lab, monkeypatch, step: str):
    monkeypatch.setitem(_restore_steps.STEPS, step, failing(_restore_steps.STEPS[step]))
    with pytest.raises(OSError, match="the disk is gone"):
        restore(lab)
    lab.nothing_lost()
    if step in _restore_job.HARMLESS:
        # What was not touched is in nobody's way: tonight's backup of the space is made.
        untouched(lab)
    else:
        journal = _journal.read("amap")
        assert journal is not None
        assert (journal["verb"], journal["step"]) == ("restore", step)
        said = _journal.under_way("amap")
        assert "playbooks/restore.yml -e only=amap" in said
        assert "-e previous=restore -e confirm=amap" in said
    restore(lab)
    restored(lab)
    has_previous(lab)
    settled(lab)


@pytest.mark.parametrize("step", _restore_job.AT_STANDSTILL[:3])
def test_a_space_that_runs_again_is_not_worked_on(lab: Lab, monkeypatch, step: str):
    """Started by hand between two runs, and not to be stopped: nothing more is moved."""
    act = _restore_steps.STEPS[step]
    monkeypatch.setitem(_restore_steps.STEPS, step, failing(act))
    with pytest.raises(OSError, match="the disk is gone"):
        restore(lab)
    before = sorted(str(path) for path in Path(lab.settings.root).rglob("*"))
    lab.machine.run(PHP)
    lab.machine.lie(PHP)
    with pytest.raises(_systemd.SystemdError, match=f"{PHP} is active"):
        restore(lab)
    assert sorted(str(path) for path in Path(lab.settings.root).rglob("*")) == before
    lab.machine.obey()
    restore(lab)
    restored(lab)
    has_previous(lab)


@pytest.mark.parametrize("fault", ["refuse", "lie", "process"])
def test_what_does_not_stop_is_not_moved(lab: Lab, fault: str):
    if fault == "process":
        lab.machine.process(4711, 70001, unit="run-u3.service")
    else:
        getattr(lab.machine, fault)(PHP)
    with pytest.raises(_systemd.SystemdError, match="run the same playbook again") as caught:
        restore(lab)
    assert (PHP if fault != "process" else "run-u3.service") in str(caught.value)
    assert lab.state(lab.home) == "old"
    assert not lab.previous.exists()
    assert lab.databases == {"space_amap": {"oc_old": 3}}
    lab.machine.obey()
    shutil.rmtree(lab.machine.lab / "proc/4711", ignore_errors=True)
    restore(lab)
    restored(lab)


def test_no_second_restore_over_what_is_kept(lab: Lab):
    restore(lab)
    with pytest.raises(_restore_job.RestoreError, match="previous=discard"):
        restore(lab)
    restored(lab)
    has_previous(lab)


def test_an_interrupted_restore_is_finished_before_another_begins(lab: Lab, monkeypatch):
    monkeypatch.setitem(_restore_steps.STEPS, "load", failing(_restore_steps.load))
    with pytest.raises(OSError, match="the disk is gone"):
        restore(lab)
    with pytest.raises(_restore_job.RestoreError, match="a restore from amap was interrupted"):
        _restore.run(lab.settings, "velo", "amap", "latest", lab.server())
    _journal.write("amap", {"verb": "purge", "step": "drop"})
    with pytest.raises(_restore_job.RestoreError, match=r"playbooks/purge\.yml"):
        restore(lab)


@pytest.mark.parametrize("lab", ["here"], indirect=True)
@pytest.mark.parametrize("step", [name for name in _restore_steps.STEPS if name != "fetch"])
def test_a_restore_that_the_code_of_before_began_is_finished(lab: Lab, monkeypatch, step: str):
    monkeypatch.setitem(_restore_steps.STEPS, step, failing(_restore_steps.STEPS[step]))
    with pytest.raises(OSError, match="the disk is gone"):
        restore(lab)
    # It did not write where the backup was made, for it was here.
    words = ("verb", "source", "at", "since", "snapshot", "step")
    found = _journal.read("amap") or {}
    _journal.write("amap", {word: found[word] for word in words})
    restore(lab)
    restored(lab)
    has_previous(lab)
    settled(lab)


def test_a_step_that_only_a_newer_version_knows_is_said(lab: Lab):
    journal = {"verb": "restore", "step": "teleport", "source": "amap", "snapshot": ID, "at": "1"}
    _journal.write("amap", journal)
    with pytest.raises(_journal.JournalError, match="this version knows fetch, stop, aside"):
        restore(lab)
    assert _journal.read("amap") == journal


@pytest.mark.parametrize("then", ["restore", "put_back"])
def test_killed_while_it_is_given_up_nothing_is_lost(lab: Lab, monkeypatch, then: str):
    """A backup that cannot be unpacked is taken back; whoever comes next finds that half done."""
    monkeypatch.setitem(_restore_steps.STEPS, "fetch", failing(_restore_steps.fetch))
    give_up = _restore_steps.give_up

    def killed(_job: _restore_job.Job) -> None:
        raise Killed

    monkeypatch.setattr(_restore_steps, "give_up", killed)
    with pytest.raises(Killed):
        restore(lab)
    journal = _journal.read("amap") or {}
    way = (journal["direction"], journal["step"], journal["failed_at"])
    assert way == ("back", "fetch", "fetch")
    monkeypatch.setattr(_restore_steps, "give_up", give_up)
    if then == "restore":
        restore(lab)
        restored(lab)
        has_previous(lab)
    else:
        (said,) = put_back(lab)
        assert "had not touched the space yet" in said
        untouched(lab)
