# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A space whose database is on another node is restored with its own account, and no more."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _restore_job,
    _restore_previous,
    _restore_steps,
)
from tests.unit.plugins.module_utils.machine import machine
from tests.unit.plugins.module_utils.restoring import (
    HOST,
    MANAGED,
    SECRET,
    Lab,
    came_back,
    discard,
    failing,
    has_previous,
    keeps,
    lab,
    put_back,
    restore,
    restored,
    settled,
    untouched,
)

__all__ = ["lab", "machine"]

elsewhere = pytest.mark.parametrize("lab", ["elsewhere"], indirect=True)
here = pytest.mark.parametrize("lab", ["here"], indirect=True)
REFUSED = r"its account may not use archipel_previous_amap on 10\.0\.0\.2"


@elsewhere
def test_without_the_right_to_keep_it_aside_nothing_is_touched(lab: Lab):
    lab.granted = False
    with pytest.raises(_restore_job.RestoreError, match=REFUSED):
        restore(lab)
    untouched(lab)
    lab.granted = True
    restore(lab)
    restored(lab)
    has_previous(lab)


@elsewhere
@pytest.mark.parametrize("after", ["fetch", "stop", "aside", "load", "place"])
def test_another_run_takes_the_right_away_in_the_middle(lab: Lab, monkeypatch, after: str):
    act = _restore_steps.STEPS[after]

    def then_taken(job: _restore_job.Job) -> None:
        act(job)
        lab.granted = False

    monkeypatch.setitem(_restore_steps.STEPS, after, then_taken)
    with pytest.raises(_restore_job.RestoreError, match=REFUSED):
        restore(lab)
    lab.nothing_lost()
    lab.granted = True
    monkeypatch.setitem(_restore_steps.STEPS, after, act)
    restore(lab)
    restored(lab)
    has_previous(lab)
    settled(lab)


@elsewhere
def test_without_the_right_nothing_is_put_back_or_removed(lab: Lab):
    """What the account may not use looks as if it were not there."""
    restore(lab)
    lab.granted = False
    for act in (put_back, discard):
        with pytest.raises(_restore_job.RestoreError, match=REFUSED):
            act(lab)
        restored(lab)
        has_previous(lab)
        assert _journal.read("amap") is None
    lab.granted = True
    put_back(lab)
    came_back(lab)


@elsewhere
@pytest.mark.parametrize("after", ["stop", "clear", "return"])
def test_the_right_goes_while_the_previous_state_comes_back(lab: Lab, monkeypatch, after: str):
    restore(lab)
    act = _restore_previous.STEPS[after]

    def then_taken(previous: _restore_previous.Previous) -> None:
        act(previous)
        lab.granted = False

    monkeypatch.setitem(_restore_previous.STEPS, after, then_taken)
    with pytest.raises(_restore_job.RestoreError, match=REFUSED):
        put_back(lab)
    lab.nothing_lost()
    lab.granted = True
    monkeypatch.setitem(_restore_previous.STEPS, after, act)
    put_back(lab)
    came_back(lab)


@elsewhere
@pytest.mark.parametrize(
    ("now", "said"),
    [
        (MANAGED.replace(HOST, "10.0.0.3"), r"on 10\.0\.0\.2, and now it is on 10\.0\.0\.3"),
        (MANAGED.replace(SECRET, ""), r"on 10\.0\.0\.2, and now it is on this node"),
    ],
)
def test_what_was_begun_on_one_server_does_not_go_on_with_another(
    lab: Lab, monkeypatch, now: str, said: str
):
    """Tables are aside on the first: on the second there is nothing to return to."""
    monkeypatch.setitem(_restore_steps.STEPS, "load", failing(_restore_steps.load))
    with pytest.raises(OSError, match="the disk is gone"):
        restore(lab)
    lab.role()
    managed = lab.home / "config/managed.config.php"
    managed.write_text(now)
    for act in (restore, put_back):
        with pytest.raises(_restore_job.RestoreError, match=said):
            act(lab)
    lab.nothing_lost()
    managed.write_text(MANAGED)
    restore(lab)
    restored(lab)
    has_previous(lab)


@elsewhere
def test_a_journal_knows_the_server_where_the_configuration_is_aside(lab: Lab, monkeypatch):
    monkeypatch.setitem(_restore_steps.STEPS, "load", failing(_restore_steps.load))
    with pytest.raises(OSError, match="the disk is gone"):
        restore(lab)
    assert not (lab.home / "config").exists()
    server = lab.server()
    assert (server.distant, server.host) == (True, HOST)
    assert SECRET not in " ".join(server.options)
    client = Path(server.options[0].removeprefix("--defaults-file="))
    assert os.stat(client).st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("lab", "managed", "said"),
    [
        ("elsewhere", "", "the registry has its database on another node, and"),
        (
            "elsewhere",
            MANAGED.replace(SECRET, "").replace(HOST, "localhost:/s"),
            "the registry has its database on another node, and",
        ),
        ("here", MANAGED, "the registry has its database on this node, and"),
    ],
    indirect=["lab"],
)
def test_nobody_guesses_where_a_database_is(lab: Lab, managed: str, said: str):
    (lab.home / "config/managed.config.php").write_text(managed)
    with pytest.raises(_restore_job.RestoreError, match=said):
        _restore_job.find_server(lab.settings, "amap", distant=lab.distant)


@elsewhere
def test_the_account_sees_what_it_keeps_and_what_others_do_not(lab: Lab):
    restore(lab)
    assert keeps(lab)
    discard(lab)
    assert not keeps(lab)
    restored(lab)
