# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What was there before a restore goes once that is confirmed, or comes back."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _restore_job,
    _restore_previous,
    _restore_steps,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from ansible_collections.archipel.spaces.plugins.module_utils._system import _systemd
from tests.unit.plugins.module_utils.machine import machine
from tests.unit.plugins.module_utils.restoring import (
    PHP,
    UNITS,
    Killed,
    Lab,
    again,
    came_back,
    cut_short,
    discard,
    failing,
    has_previous,
    keeps,
    lab,
    previous,
    put_back,
    restore,
    restored,
    settled,
    untouched,
)

__all__ = ["lab", "machine"]


def test_the_previous_state_goes_when_that_is_confirmed(lab: Lab):
    number, ended = 0, False
    while not ended:
        again(lab)
        restore(lab)
        lab.left = number
        try:
            assert discard(lab) != []
            ended = True
        except Killed:
            lab.left = -1
            number += 1
            # Of what is half removed nothing can be put back.
            said = "-e previous=discard -e confirm=amap"
            with pytest.raises(_restore_job.RestoreError, match=said):
                put_back(lab)
            discard(lab)
        lab.left = -1
        restored(lab)
        settled(lab)
        assert not keeps(lab)
        assert discard(lab) == []
    assert number >= 2
    restore(lab)
    restored(lab)


def test_the_previous_state_comes_back(lab: Lab):
    number, ended = 0, False
    while not ended:
        again(lab)
        restore(lab)
        lab.machine.run(*UNITS)
        lab.left = number
        try:
            put_back(lab)
            ended = True
        except Killed:
            cut_short(lab)
            number += 1
            said = "-e previous=restore -e confirm=amap"
            with pytest.raises(_restore_job.RestoreError, match=said):
                restore(lab)
            put_back(lab)
        lab.left = -1
        assert lab.state(lab.home) == "old"
        assert lab.databases == {"space_amap": {"oc_old": 3}}
        assert not lab.previous.exists()
        settled(lab)
        assert lab.machine.running() == set()
    assert number > 8


def test_what_the_space_did_not_have_before_goes_when_it_comes_back(lab: Lab):
    (lab.home / ".applied").unlink()
    restore(lab)
    put_back(lab)
    assert not (lab.home / ".applied").exists()


def test_nothing_is_put_back_under_a_running_space(lab: Lab):
    restore(lab)
    lab.machine.run(PHP)
    lab.machine.lie(PHP)
    with pytest.raises(_systemd.SystemdError, match=PHP):
        put_back(lab)
    restored(lab)
    has_previous(lab)


@pytest.mark.parametrize("role", [True, False])
def test_killed_anywhere_it_can_be_undone_and_that_killed_too(lab: Lab, role: bool):
    """A restore that cannot be finished is no dead end, wherever it stands."""
    number, ended = 0, False
    while not ended:
        again(lab)
        lab.left = number
        try:
            restore(lab)
            ended = True
        except Killed:
            cut_short(lab)
            journal = _journal.read("amap")
            early = journal is not None and journal["step"] == "fetch"
            if role and not early:
                lab.role()
            lab.left = number % 7
            try:
                put_back(lab)
            except Killed:
                cut_short(lab)
                put_back(lab)
            lab.left = -1
            untouched(lab) if early else came_back(lab)
            number += 1
    assert number >= 15


def test_a_database_that_never_loads_is_no_dead_end(lab: Lab, monkeypatch):
    def never(*_: Any) -> None:
        raise _database.DatabaseError("the dump could not be loaded: Unknown collation")

    monkeypatch.setattr(_database, "load", never)
    for _ in range(2):
        with pytest.raises(_database.DatabaseError, match="Unknown collation"):
            restore(lab)
    with pytest.raises(_restore_job.RestoreError, match="interrupted"):
        discard(lab)
    put_back(lab)
    came_back(lab)


def test_what_was_unpacked_is_gone_before_it_is_loaded(lab: Lab, monkeypatch):
    """Somebody has made room by hand: the state from before is still there to return to."""
    monkeypatch.setitem(_restore_steps.STEPS, "load", failing(_restore_steps.load))
    with pytest.raises(OSError, match="the disk is gone"):
        restore(lab)
    shutil.rmtree(Path(lab.settings.root, ".restore-amap"))
    with pytest.raises(FileNotFoundError):
        restore(lab)
    lab.nothing_lost()
    put_back(lab)
    came_back(lab)


def test_a_space_that_was_gone_altogether_and_does_not_load(lab: Lab, monkeypatch):
    """Nothing was there before, nor is there afterwards; its backup is as it was."""
    shutil.rmtree(lab.home)
    lab.databases.clear()
    monkeypatch.setitem(_restore_steps.STEPS, "place", failing(_restore_steps.place))
    with pytest.raises(OSError, match="the disk is gone"):
        restore(lab)
    put_back(lab)
    settled(lab)
    # What the role has made for it stays.
    assert not (lab.home / "config/config.php").exists()
    restore(lab)
    restored(lab)


@pytest.mark.parametrize("lab", ["here"], indirect=True)
@pytest.mark.parametrize("verb", ["discard", "restore", "resume"])
def test_what_a_node_keeps_by_its_former_name_is_found(lab: Lab, monkeypatch, verb: str):
    if verb == "resume":
        # Cut short in the middle, by the code of before.
        monkeypatch.setitem(_restore_steps.STEPS, "load", failing(_restore_steps.load))
        with pytest.raises(OSError, match="the disk is gone"):
            restore(lab)
    else:
        restore(lab)
    lab.previous.rename(Path(lab.settings.root, ".kept-amap"))
    lab.databases["archipel_kept_amap"] = lab.databases.pop("archipel_previous_amap")
    assert keeps(lab)
    if verb == "resume":
        restore(lab)
        restored(lab)
        has_previous(lab)
    elif verb == "restore":
        put_back(lab)
        came_back(lab)
    else:
        with pytest.raises(_restore_job.RestoreError, match="previous=discard"):
            restore(lab)
        discard(lab)
        assert not keeps(lab)
        restored(lab)
    assert not Path(lab.settings.root, ".kept-amap").exists()
    assert "archipel_kept_amap" not in lab.databases


@pytest.mark.parametrize("lab", ["here"], indirect=True)
@pytest.mark.parametrize("step", ["stop", "clear", "return"])
def test_a_return_that_the_code_of_before_began_is_finished(lab: Lab, step: str):
    """It was called putback."""
    restore(lab)
    if step == "return":
        _restore_previous.clear(previous(lab))
    _journal.write("amap", {"verb": "putback", "step": step})
    with pytest.raises(_restore_job.RestoreError, match="-e previous=restore -e confirm=amap"):
        restore(lab)
    put_back(lab)
    came_back(lab)


def test_a_step_of_a_return_that_nobody_knows_is_said(lab: Lab):
    restore(lab)
    _journal.write("amap", {"verb": "return", "step": "teleport"})
    with pytest.raises(_journal.JournalError, match="this version knows stop, clear, return"):
        put_back(lab)
    restored(lab)
    has_previous(lab)
