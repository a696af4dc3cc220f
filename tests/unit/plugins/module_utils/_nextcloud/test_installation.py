# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""New spaces: which steps each needs, and what is never done."""

from __future__ import annotations

import base64
import json
import typing as t
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal, _layout
from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import Report
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import (
    _apply,
    _install,
    _installation,
    _logo,
    _node,
    _settings,
)
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud._installation import State
from ansible_collections.archipel.spaces.plugins.module_utils._system import _systemd
from tests.unit.plugins.module_utils.new_space import DIGEST, ITEM, LOGO, WITH_LOGO, node


@pytest.mark.parametrize(
    ("state", "steps"),
    [
        (
            State(linked=False, installed=False, interrupted=False, applied=""),
            ["link", "install", "apply"],
        ),
        (
            State(linked=True, installed=False, interrupted=True, applied=""),
            ["clear", "install", "apply"],
        ),
        (
            State(linked=True, installed=True, interrupted=True, applied=""),
            ["clear", "install", "apply"],
        ),
        (State(linked=True, installed=True, interrupted=False, applied=""), ["apply"]),
        (State(linked=True, installed=True, interrupted=False, applied="other"), ["apply"]),
        (State(linked=True, installed=True, interrupted=False, applied=DIGEST), []),
    ],
)
def test_the_steps_follow_from_what_is_there(state, steps):
    assert _installation.plan(ITEM, state) == steps


def test_a_suspended_space_is_not_installed():
    state = State(linked=False, installed=False, interrupted=False, applied="")
    assert _installation.plan({**ITEM, "running": False}, state) == []


def test_a_release_that_is_not_built_fails_the_space(tmp_path):
    (tmp_path / "spaces" / "amap").mkdir(parents=True)
    done, why = _installation.carry_out(
        ITEM, dict.fromkeys(["link", "install"], ""), node(tmp_path)[0]
    )
    assert (done, why) == ([], "release 33.0.9 is not built on this node")


def test_a_new_space_points_at_its_release_relatively(tmp_path):
    (tmp_path / "releases" / "33.0.9").mkdir(parents=True)
    (tmp_path / "spaces" / "amap").mkdir(parents=True)
    place, _ = node(tmp_path)
    assert _installation.carry_out(ITEM, {"link": "linked"}, place) == (["linked"], "")
    link = tmp_path / "spaces" / "amap" / "release"
    assert str(link.readlink()) == "../../releases/33.0.9"


@pytest.mark.parametrize(
    "damage", [json.JSONDecodeError("no JSON", "", 0), UnicodeError("no text")]
)
def test_a_damaged_file_fails_the_space_not_the_run(tmp_path, monkeypatch, damage):
    def fail(*_arguments):
        raise damage

    monkeypatch.setitem(_installation.STEPS, "install", fail)
    assert _installation.carry_out(ITEM, {"install": ""}, node(tmp_path)[0]) == ([], str(damage))


def test_a_folder_in_the_place_of_a_logo_fails_its_space_only(tmp_path):
    for path in ("amap/logo", "velo"):
        (tmp_path / "spaces" / path).mkdir(parents=True)
    place, _ = node(tmp_path)
    report, velo = Report(), {**ITEM, "space": "velo"}
    planned = _installation.plans([ITEM, velo], place, report)
    assert [(item["space"], list(steps)) for item, steps in planned] == [
        ("velo", ["link", "install", "apply"])
    ]
    assert report.failures == {"amap": f"{tmp_path}/spaces/amap/logo: Is a directory"}


def test_a_logo_is_brought_when_it_lacks_or_differs_and_taken_away_with_its_line():
    settled = State(linked=True, installed=True, interrupted=False, applied=DIGEST)
    there = replace(settled, logo=WITH_LOGO["logo"]["sha256"])
    assert _installation.plan(WITH_LOGO, settled) == ["logo"]
    assert _installation.plan(WITH_LOGO, there) == []
    assert _installation.plan(ITEM, there) == ["logo"]


def test_a_logo_travels_only_when_it_is_asked_for(tmp_path):
    place, _ = node(tmp_path)
    report = Report()
    todo: list[tuple[_node.Item, dict[str, str]]] = [
        (WITH_LOGO, {"logo": "logo"}),
        ({**ITEM, "space": "chorale"}, {"apply": ""}),
    ]
    left = _installation.set_aside(todo, place, report)
    assert [item["space"] for item, _ in left] == ["chorale"]
    assert report.facts["wanted_logos"] == ["amap"]
    brings = replace(place, logos={"amap": base64.b64encode(LOGO).decode()})
    assert len(_installation.set_aside(todo, brings, report)) == 2
    (tmp_path / "spaces" / "amap").mkdir(parents=True)
    _logo.put(WITH_LOGO, brings)
    path = tmp_path / "spaces" / "amap" / "logo"
    assert path.read_bytes() == LOGO
    assert path.stat().st_mode & 0o777 == 0o644
    _logo.put(ITEM, brings)
    assert not path.exists()


def test_a_second_run_is_kept_out_until_the_first_has_ended(tmp_path):
    place = str(tmp_path / "run")
    first = _journal.exclusive(_installation.LOCK, place)
    first.__enter__()
    with (
        pytest.raises(_journal.JournalError, match="another run"),
        _journal.exclusive(_installation.LOCK, place),
    ):
        pytest.fail("two runs at the same time")
    first.__exit__(None, None, None)
    with _journal.exclusive(_installation.LOCK, place):
        assert (tmp_path / "run" / f"{_installation.LOCK}.lock").exists()


def test_when_the_time_is_up_no_further_space_is_begun(tmp_path, monkeypatch):
    here = partial(_journal.exclusive, folder=str(tmp_path))
    monkeypatch.setattr(_journal, "exclusive", here)
    monkeypatch.setattr(_installation, "carry_out", lambda item, steps, node: ([item], ""))
    clock = iter([0.0, 1.0, 2.0, 31.0, 32.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    todo: list[t.Any] = [(name, {}) for name in ("amap", "chorale", "fanfare", "velo")]
    node = t.cast("_node.Node", None)
    outcomes = _installation.carry_out_all(todo, node, 1, 30)
    assert outcomes == [(["amap"], ""), (["chorale"], ""), None, None]


def test_an_installation_that_has_ended_meanwhile_is_not_cleared_away(tmp_path, monkeypatch):
    """Another run was installing when this one looked, and held the lock until it was done."""
    home = tmp_path / "spaces" / "amap"
    (home / "config").mkdir(parents=True)
    (home / "release").symlink_to("../../releases/33.0.9")
    (home / _install.JOURNAL).touch()
    place, connection = node(tmp_path)

    @contextmanager
    def other_run(*_arguments: t.Any, **_options: t.Any) -> t.Iterator[None]:
        (home / "config/config.php").write_text(
            "<?php\n$CONFIG = array (\n  'installed' => true,\n);"
        )
        (home / _install.JOURNAL).unlink()
        (home / _layout.APPLIED).write_text(_apply.digest(_apply.resolve(ITEM, place)))
        yield

    monkeypatch.setattr(_journal, "exclusive", other_run)
    monkeypatch.setattr(_journal, "under_way", lambda _slug: "")
    monkeypatch.setattr(_systemd, "reload_daemon", lambda *_, **__: None)
    monkeypatch.setattr(_settings, "read_drift", lambda *_: {})
    report = _installation.converge([ITEM], place, 1, check=False)
    assert (report.changes, report.failures) == ({}, {})
    assert connection.executed == []
