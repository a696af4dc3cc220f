# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The repair that a new major leaves: once, in its turn, and never against somebody's work."""

from __future__ import annotations

import inspect
import json
import os
import threading
import time
from dataclasses import replace

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _files, _journal
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _occ, _repair
from ansible_collections.archipel.spaces.plugins.module_utils._system import _standstill, _systemd

CONFIG = "<?php\n$CONFIG = array (\n  'version' => '{}',\n{}  'installed' => true,\n);\n"
ON = "  'maintenance' => true,\n"
DAY = 86400
FREE = _repair.Facts(
    "34.0.4.1", maintenance=False, held=False, is_open=True, awake=False, jobs=False
)


class Node:
    """A node with spaces that have notes."""

    def __init__(self, tmp_path, settings):
        self.path, self.settings = tmp_path, settings
        self.calls, self.code, self.units = [], 0, {}
        self.running = self.most = 0
        self.guard = threading.Lock()

    def space(self, slug, version="34.0.4.1", config="", **note):
        """Make a space whose upgrade left a note, with changes."""
        folder = self.path / "spaces" / slug / "config"
        folder.mkdir(parents=True)
        (folder / "config.php").write_text(CONFIG.format(version, config))
        _repair.note(slug, "33.0.9.1", "34.0.4.1", self.settings.work)
        path = _repair.path_of(slug, self.settings.work)
        _journal.save(path, {**_journal.read_json(path), **note})
        self.units[f"space-php@{slug}.socket"] = "active"

    def note(self, slug):
        return _journal.read_json(_repair.path_of(slug, self.settings.work))

    def config(self, slug):
        return (self.path / "spaces" / slug / "config/config.php").read_text()

    def occ(self, slug, _php, arguments, **_options):
        with self.guard:
            self.running += 1
            self.most = max(self.most, self.running)
        self.calls.append((slug, tuple(arguments), self.note(slug)["state"]))
        # As Nextcloud does; one that is ended leaves it on.
        path = self.path / "spaces" / slug / "config/config.php"
        path.write_text(CONFIG.format("34.0.4.1", ON))
        time.sleep(0.02)
        with self.guard:
            self.running -= 1
        return _occ.Outcome(self.code, "", "it broke" if self.code else "")

    def shown(self, names, _property):
        return {name: {"ActiveState": self.units.get(name, "inactive")} for name in names}


@pytest.fixture
def node(tmp_path, monkeypatch):
    run = str(tmp_path / "run")
    monkeypatch.setattr(inspect.unwrap(_journal.exclusive), "__defaults__", (run,))
    monkeypatch.setattr(_journal.read, "__defaults__", (str(tmp_path / "life"),))
    monkeypatch.setattr(_journal.under_way, "__defaults__", (str(tmp_path / "life"),))
    monkeypatch.setattr(_standstill, "FOLDER", str(tmp_path / "still"))
    monkeypatch.setattr(_files, "ROOT", os.getuid())
    settings = _repair.Settings(
        str(tmp_path / "spaces"),
        "php",
        work=str(tmp_path / "work"),
        closed=str(tmp_path / "closed"),
    )
    one = Node(tmp_path, settings)
    monkeypatch.setattr(_occ, "run", one.occ)
    monkeypatch.setattr(_systemd, "read_properties", one.shown)
    return one


@pytest.mark.parametrize(
    ("before", "after", "noted"),
    [("33.0.9.1", "34.0.4.1", True), ("34.0.3.1", "34.0.4.1", False), ("9.0.1", "10.0.0", True)],
)
def test_a_new_major_is_noted_and_a_patch_level_is_not(tmp_path, before, after, noted):
    _repair.note("amap", before, after, str(tmp_path))
    assert list(_repair.wanting(str(tmp_path))) == (["amap"] if noted else [])


def test_a_space_that_sleeps_is_repaired_once(node):
    node.space("amap")
    came = _repair.run(node.settings)
    assert came["amap"].startswith("repaired in ")
    assert node.calls == [("amap", _repair.COMMAND, "running")]
    assert node.note("amap")["state"] == "done"
    assert _repair.run(node.settings) == {}
    assert len(node.calls) == 1
    # People get in again, whatever the command left.
    assert "maintenance" not in node.config("amap")


@pytest.mark.parametrize(
    ("php", "timer", "calls"),
    [("active", "active", 0), ("active", "inactive", 1), ("inactive", "active", 1)],
)
def test_php_that_stays_awake_without_use_keeps_no_repair_waiting(node, php, timer, calls):
    node.space("amap")
    node.units |= {"space-php@amap.service": php, "space-awake@amap.timer": timer}
    _repair.run(node.settings)
    assert len(node.calls) == calls


@pytest.mark.parametrize(
    ("facts", "note", "reason"),
    [
        ({}, {}, ""),
        ({"awake": True}, {}, "people use it"),
        ({"awake": True}, {"since": -2 * DAY}, ""),
        ({"held": True}, {"since": -2 * DAY}, "something else is under way"),
        ({"is_open": False}, {"since": -2 * DAY}, "it is not open"),
        ({"maintenance": True}, {}, "it is in maintenance mode"),
        ({"jobs": True}, {"since": -2 * DAY}, "its jobs run"),
        # One that was cut short keeps people out: it goes on at once.
        ({"maintenance": True, "awake": True}, {"state": "running"}, ""),
        ({"maintenance": True, "held": True}, {"state": "running"}, "something else"),
        ({}, {"state": "failed", "ended": -DAY / 2}, "it has failed lately"),
        ({}, {"state": "failed", "ended": -2 * DAY}, ""),
    ],
)
def test_nobody_is_disturbed(facts, note, reason):
    found = {"major": 34, "state": "waits", "since": -60, **note}
    said = _repair.obstacle(found, replace(FREE, **facts), 0, DAY)
    assert said.startswith(reason)
    assert bool(said) == bool(reason)


def test_what_was_cut_short_is_let_in_and_begun_anew(node):
    node.space("amap", config=ON, state="running")
    assert _repair.run(node.settings)["amap"].startswith("repaired")
    assert "maintenance" not in node.config("amap")


def test_somebody_s_maintenance_mode_is_left_alone(node):
    node.space("amap", config=ON)
    assert _repair.run(node.settings) == {}
    assert (node.calls, "maintenance" in node.config("amap")) == ([], True)


@pytest.mark.parametrize("mark", ["closed", "still", "life"])
def test_a_space_that_is_closed_held_or_under_way_waits(node, mark):
    node.space("amap")
    folder = node.path / mark
    folder.mkdir()
    (folder / "amap").touch()
    journal = {"verb": "upgrade", "step": "dump", "to": "35.0.1"}
    (folder / "amap.json").write_text(json.dumps(journal))
    assert (_repair.run(node.settings), node.calls) == ({}, [])
    assert node.note("amap")["state"] == "waits"


def test_who_is_at_work_on_a_space_is_not_disturbed(node):
    node.space("amap")
    with _journal.exclusive("life-amap"):
        assert _repair.run(node.settings) == {}
    with (
        _journal.exclusive("installations"),
        pytest.raises(_journal.JournalError, match=r"installations\.lock"),
    ):
        _repair.run(node.settings)
    assert node.calls == []


def test_a_failure_is_said_and_tried_again_after_a_day(node):
    node.space("amap")
    node.code = 1
    assert _repair.run(node.settings) == {"amap": "failed: it broke"}
    assert "failed and is tried again each day: it broke" in _repair.words(node.note("amap"))
    assert "maintenance" not in node.config("amap")
    assert _repair.run(node.settings) == {}
    path = _repair.path_of("amap", node.settings.work)
    _journal.save(path, {**node.note("amap"), "ended": time.time() - 2 * DAY})
    node.code = 0
    assert _repair.run(node.settings)["amap"].startswith("repaired")
    assert _repair.words(node.note("amap")) == ""


def test_a_space_that_went_back_needs_none(node):
    node.space("amap", version="33.0.9.1")
    assert (_repair.run(node.settings), node.calls, node.note("amap")) == ({}, [], {})


def test_no_more_than_so_many_at_once_and_the_oldest_first(node):
    for number in range(6):
        node.space(f"lab-{number}", since=time.time() - number)
    came = _repair.run(replace(node.settings, parallel=2))
    assert len(came) == 6
    assert node.most == 2
    assert node.calls[0][0] in {"lab-5", "lab-4"}


def test_a_look_ends_and_the_others_wait(node):
    for number in range(3):
        node.space(f"lab-{number}")
    assert _repair.run(replace(node.settings, seconds=-1)) == {}
    assert len(_repair.wanting(node.settings.work)) == 3


def test_a_space_that_cannot_be_read_does_not_keep_the_others(node, monkeypatch):
    node.space("amap")
    node.space("broken")

    def properties(names, _property):
        if "broken" in names[0]:
            raise _systemd.SystemdError("no answer")
        return node.shown(names, _property)

    monkeypatch.setattr(_systemd, "read_properties", properties)
    came = _repair.run(node.settings)
    assert came["broken"] == "failed: no answer"
    assert came["amap"].startswith("repaired")


@pytest.mark.parametrize(
    ("note", "said"),
    [
        ({}, ""),
        ({"state": "done", "major": 34}, ""),
        (
            {"state": "waits", "major": 34, "since": 0},
            "to 34 waits until nobody uses it, since 1970",
        ),
        ({"state": "running", "major": 34, "since": 0}, "is under way"),
    ],
)
def test_people_are_told(note, said):
    assert said in _repair.words(note)
    assert bool(_repair.words(note)) == bool(said)
