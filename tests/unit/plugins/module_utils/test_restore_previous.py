# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What was there before a restore goes once that is confirmed, or comes back."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils import (
    _database,
    _journal,
    _restore_job,
    _restore_previous,
    _restore_steps,
    _systemd,
)
from tests.unit.plugins.module_utils.machine import machine
from tests.unit.plugins.module_utils.restoring import (
    PHP,
    UNITS,
    Killed,
    World,
    again,
    came_back,
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


def test_the_previous_state_goes_when_that_is_confirmed(world: World):
    number, ended = 0, False
    while not ended:
        again(world)
        restore(world)
        world.left = number
        try:
            assert _restore_previous.discard(world.settings, "amap") != []
            ended = True
        except Killed:
            world.left = -1
            number += 1
            # Of what is half removed nothing can be put back.
            said = "-e previous=discard -e confirm=amap"
            with pytest.raises(_restore_job.RestoreError, match=said):
                _restore_previous.put_back(world.settings, "amap")
            _restore_previous.discard(world.settings, "amap")
        world.left = -1
        restored(world)
        settled(world)
        assert not _restore_job.has_previous(world.settings, "amap")
        assert _restore_previous.discard(world.settings, "amap") == []
    assert number >= 2
    restore(world)
    restored(world)


def test_the_previous_state_comes_back(world: World):
    number, ended = 0, False
    while not ended:
        again(world)
        restore(world)
        world.machine.run(*UNITS)
        world.left = number
        try:
            _restore_previous.put_back(world.settings, "amap")
            ended = True
        except Killed:
            cut_short(world)
            number += 1
            said = "-e previous=restore -e confirm=amap"
            with pytest.raises(_restore_job.RestoreError, match=said):
                restore(world)
            _restore_previous.put_back(world.settings, "amap")
        world.left = -1
        assert world.state(world.home) == "old"
        assert world.databases == {"space_amap": {"oc_old": 3}}
        assert not world.previous.exists()
        settled(world)
        assert world.machine.running() == set()
    assert number > 8


def test_what_the_space_did_not_have_before_goes_when_it_comes_back(world: World):
    (world.home / ".applied").unlink()
    restore(world)
    _restore_previous.put_back(world.settings, "amap")
    assert not (world.home / ".applied").exists()


def test_nothing_is_put_back_under_a_running_space(world: World):
    restore(world)
    world.machine.run(PHP)
    world.machine.lie(PHP)
    with pytest.raises(_systemd.SystemdError, match=PHP):
        _restore_previous.put_back(world.settings, "amap")
    restored(world)
    has_previous(world)


@pytest.mark.parametrize("role", [True, False])
def test_killed_anywhere_it_can_be_undone_and_that_killed_too(world: World, role: bool):
    """A restore that cannot be finished is no dead end, wherever it stands."""
    number, ended = 0, False
    while not ended:
        again(world)
        world.left = number
        try:
            restore(world)
            ended = True
        except Killed:
            cut_short(world)
            journal = _journal.read("amap")
            early = journal is not None and journal["step"] == "fetch"
            if role and not early:
                world.role()
            world.left = number % 7
            try:
                _restore_previous.put_back(world.settings, "amap")
            except Killed:
                cut_short(world)
                _restore_previous.put_back(world.settings, "amap")
            world.left = -1
            untouched(world) if early else came_back(world)
            number += 1
    assert number >= 15


def test_a_database_that_never_loads_is_no_dead_end(world: World, monkeypatch):
    def never(*_: Any) -> None:
        raise _database.DatabaseError("the dump could not be loaded: Unknown collation")

    monkeypatch.setattr(_database, "load", never)
    for _ in range(2):
        with pytest.raises(_database.DatabaseError, match="Unknown collation"):
            restore(world)
    with pytest.raises(_restore_job.RestoreError, match="interrupted"):
        _restore_previous.discard(world.settings, "amap")
    _restore_previous.put_back(world.settings, "amap")
    came_back(world)


def test_what_was_unpacked_is_gone_before_it_is_loaded(world: World, monkeypatch):
    """Somebody has made room by hand: the state from before is still there to return to."""
    monkeypatch.setitem(_restore_steps.STEPS, "load", failing(_restore_steps.load))
    with pytest.raises(OSError, match="the disk is gone"):
        restore(world)
    shutil.rmtree(Path(world.settings.root, ".restore-amap"))
    with pytest.raises(FileNotFoundError):
        restore(world)
    world.nothing_lost()
    _restore_previous.put_back(world.settings, "amap")
    came_back(world)


def test_a_space_that_was_gone_altogether_and_does_not_load(world: World, monkeypatch):
    """Nothing was there before, nor is there afterwards; its backup is as it was."""
    shutil.rmtree(world.home)
    world.databases.clear()
    monkeypatch.setitem(_restore_steps.STEPS, "place", failing(_restore_steps.place))
    with pytest.raises(OSError, match="the disk is gone"):
        restore(world)
    _restore_previous.put_back(world.settings, "amap")
    settled(world)
    assert not world.home.exists()
    restore(world)
    restored(world)


@pytest.mark.parametrize("verb", ["discard", "restore", "resume"])
def test_what_a_node_keeps_by_its_former_name_is_found(world: World, monkeypatch, verb: str):
    if verb == "resume":
        # Cut short in the middle, by the code of before.
        monkeypatch.setitem(_restore_steps.STEPS, "load", failing(_restore_steps.load))
        with pytest.raises(OSError, match="the disk is gone"):
            restore(world)
    else:
        restore(world)
    world.previous.rename(Path(world.settings.root, ".kept-amap"))
    world.databases["archipel_kept_amap"] = world.databases.pop("archipel_previous_amap")
    assert _restore_job.has_previous(world.settings, "amap")
    if verb == "resume":
        restore(world)
        restored(world)
        has_previous(world)
    elif verb == "restore":
        _restore_previous.put_back(world.settings, "amap")
        came_back(world)
    else:
        with pytest.raises(_restore_job.RestoreError, match="previous=discard"):
            restore(world)
        _restore_previous.discard(world.settings, "amap")
        assert not _restore_job.has_previous(world.settings, "amap")
        restored(world)
    assert not Path(world.settings.root, ".kept-amap").exists()
    assert "archipel_kept_amap" not in world.databases
