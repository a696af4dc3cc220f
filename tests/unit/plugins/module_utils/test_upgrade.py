# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The way of one space to another release and back, wherever it is cut short."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
import os
import socket
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils import (
    _apply,
    _database,
    _files,
    _install,
    _journal,
    _node,
    _occ,
    _probe,
    _probe_requests,
    _systemd,
    _upgrade,
    _upgrade_account,
    _upgrade_plan,
    _upgrade_run,
    _upgrade_schema,
)
from ansible_collections.archipel.spaces.plugins.module_utils._spaces import Report
from ansible_collections.archipel.spaces.plugins.module_utils._upgrade import (
    BACK,
    FORWARD,
    STEPS,
    UNDO,
    Settings,
    UpgradeError,
)

ITEM = {
    "space": "amap",
    "id": os.getuid(),
    "running": True,
    "host": "amap.example.org",
    "target": "34.0.4",
    "database": {"name": "space_amap", "password": None, "address": "localhost:/s"},
}
VERDICT = {"release": "33.0.9", "version": "33.0.9.1", "enabled": frozenset({"files", "deck"})}


class Killed(BaseException):
    """The process is gone: nothing tidies up."""


class World:
    """A space that notes which steps were done with it."""

    def __init__(self, settings):
        self.settings, self.done, self.ended = settings, [], []
        # Step → what happens in it, once.
        self.events = {}

    def step(self, name):
        def do(job):
            self.done.append(name)
            if event := self.events.pop(name, None):
                raise event
            if name == "close":
                job.journal.setdefault("key", "a" * 32)
                _upgrade.shut_gate(job)
            if name in ("open", "reopen"):
                _upgrade.write_last(job, "upgraded" if name == "open" else "rolled back")
                _upgrade.open_gate(job)

        return do

    def move(self):
        return _upgrade.move(self.settings, ITEM, VERDICT)

    def journal(self):
        return _journal.read("amap")


@pytest.fixture
def settings(tmp_path, monkeypatch):
    life = str(tmp_path / "life")
    for function in (_journal.read, _journal.path_of, _journal.remove, _journal.under_way):
        monkeypatch.setattr(function, "__defaults__", (life,))
    monkeypatch.setattr(_journal.write, "__defaults__", (life,))
    monkeypatch.setattr(_journal, "FOLDER", life)
    lock = inspect.unwrap(_journal.exclusive)
    monkeypatch.setattr(lock, "__defaults__", (str(tmp_path / "run"),))
    node = _node.Node(
        root=str(tmp_path / "spaces"),
        releases=str(tmp_path / "releases"),
        php="php",
        spool=str(tmp_path),
        sandbox=[],
        seed_images="",
        database_socket="/s",
        database_ca="/ca",
        connect=lambda _database: None,
        database_error=ConnectionError,
    )
    for release in ("33.0.9", "34.0.4"):
        (tmp_path / "releases" / release).mkdir(parents=True)
        manifest = {"version_full": f"{release}.1"}
        (tmp_path / f"releases/{release}.json").write_text(json.dumps(manifest))
    (tmp_path / "spaces/amap/config").mkdir(parents=True)
    (tmp_path / "spaces/amap/release").symlink_to("../../releases/33.0.9")
    monkeypatch.setattr(_occ, "awake", lambda _slug: contextlib.nullcontext())
    monkeypatch.setattr(_files, "ROOT", os.getuid())
    return Settings(
        node=node,
        run="r1",
        work=str(tmp_path / "work"),
        closed=str(tmp_path / "closed"),
        logs=str(tmp_path / "logs"),
        jobs_seconds=0,
    )


@pytest.fixture
def world(settings, monkeypatch):
    world = World(settings)
    monkeypatch.setattr(_database, "size", lambda *_: 0)
    monkeypatch.setattr(_upgrade, "end_occ", lambda _job: world.ended.append(True))
    for name in STEPS:
        monkeypatch.setitem(STEPS, name, world.step(name))
    return world


def job(settings, **journal):
    start = {
        "verb": "upgrade",
        "direction": "forward",
        "step": "prepare",
        "key": "a" * 32,
        "from": "33.0.9",
        "to": "34.0.4",
        "version": "33.0.9.1",
        "began": time.time(),
        "probe": None,
        "enabled": ["files", "deck"],
    }
    return _upgrade.Job(settings, ITEM, {**start, **journal})


def test_a_distant_database_is_asked_where_it_is(settings, monkeypatch):
    """Not where its account calls from, which is a host of that account too."""
    monkeypatch.setattr(_database, "distant", lambda _path, values, _ca: values)
    account = {"user": "space-amap", "password": "x", "host": "10.0.0.1", "address": "10.0.0.2:33"}
    item = {**ITEM, "database": {**account, "name": "space_amap"}}
    asked: Any = _upgrade.Job(settings, item, {}).server
    assert (asked["host"], asked["port"], asked["user"]) == ("10.0.0.2", "33", "space-amap")


def test_all_steps_in_their_order_and_no_journal_is_left(world):
    assert world.move() == ""
    assert world.done == list(FORWARD)
    assert world.journal() is None
    last = _upgrade.last_of(world.settings, "amap")
    assert (last["result"], last["version"], last["run"]) == ("upgraded", "34.0.4.1", "r1")


@pytest.mark.parametrize("step", FORWARD)
@pytest.mark.parametrize(
    "error",
    [
        UpgradeError("no"),
        _probe.ProbeError("no"),
        _database.DatabaseError("no"),
        _systemd.SystemdError("no"),
        _node.InstallationError("no"),
        OSError("no"),
        ConnectionError("no"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_fails_wherever_leads_back(world, step, error):
    world.events[step] = error
    assert world.move() == f"{step}: no"
    assert world.done == [*FORWARD[: FORWARD.index(step) + 1], *BACK]
    assert world.journal() is None
    assert _upgrade.last_of(world.settings, "amap")["why"] == f"{step}: no"


@pytest.mark.parametrize("step", FORWARD)
def test_a_run_that_was_killed_goes_on_at_the_same_step(world, step):
    world.events[step] = Killed()
    with pytest.raises(Killed):
        world.move()
    assert world.journal()["step"] == step
    world.done.clear()
    assert world.move() == ""
    assert world.done == list(FORWARD[FORWARD.index(step) :])
    # An occ that the killed run left behind is ended first; a run that begins has none.
    assert bool(world.ended) == (step != FORWARD[0])


@pytest.mark.parametrize("step", BACK)
def test_a_way_back_that_was_killed_goes_on_too(world, step):
    world.events |= {"upgrade": UpgradeError("broken"), step: Killed()}
    with pytest.raises(Killed):
        world.move()
    world.done.clear()
    # Nothing is upgraded by finishing the way back.
    assert world.move() == "upgrade: broken"
    assert world.done == list(BACK[BACK.index(step) :])
    assert world.journal() is None


@pytest.mark.parametrize("step", BACK)
def test_a_way_back_that_fails_is_said_loudly_and_taken_again(world, step):
    world.events |= {"upgrade": UpgradeError("broken"), step: OSError("disk")}
    why = world.move()
    assert "upgrade: broken" in why
    assert f"ended at the step {step!r}: disk. IT IS CLOSED" in why
    assert world.journal()["step"] == step
    assert _upgrade.last_of(world.settings, "amap")["result"] == "stuck"
    assert world.move() == "upgrade: broken"
    assert world.journal() is None


class Disk:
    """Fails once, after the last step; what was begun in it ends there."""

    def __init__(self, error):
        self.errors = [error]

    def __call__(self, *_arguments):
        return self

    def __enter__(self):
        return self

    def __exit__(self, kind, *_others):
        if kind is None and self.errors:
            raise self.errors.pop()


@pytest.mark.parametrize(
    ("events", "step", "release", "why"),
    [
        ({}, "open", "34.0.4", ""),
        ({"check": UpgradeError("broken")}, "reopen", "33.0.9", "check: broken"),
    ],
)
def test_once_the_door_is_open_nothing_leads_back(world, monkeypatch, events, step, release, why):
    """What people stored since then would be lost."""
    world.events |= events
    disk = Disk(OSError("disk"))
    for name, real in (("point", _upgrade.point), ("return", _upgrade.come_back)):
        monkeypatch.setitem(STEPS, name, real)
    if why:
        # The first end of the way is the failure's own.
        monkeypatch.setattr(_occ, "awake", lambda _slug: disk)
    else:
        monkeypatch.setattr(_occ, "awake", disk)
    said = world.move()
    assert f"It is open, on release {release}; what only its way needed" in said
    assert said.startswith(why)
    assert world.journal()["step"] == step == world.done[-1]
    assert world.move() == why
    assert world.journal() is None
    assert "load" not in world.done or why


def test_a_run_that_was_killed_once_the_door_was_open_is_only_forgotten(settings, monkeypatch):
    """Hours later, with a database that does not answer: people have been working since."""
    forgotten = []
    monkeypatch.setattr(_upgrade, "forget", lambda _job: forgotten.append(True))
    one = job(settings, step="open", closed_at=0.0)
    os.makedirs(f"{one.folder}/point.new")
    _upgrade.shut_gate(one)
    _upgrade.open_up(one)
    assert (forgotten, os.listdir(settings.closed)) == ([True], [])
    monkeypatch.setattr(_upgrade, "forget", lambda _job: 1 / 0)
    monkeypatch.setattr(_upgrade, "end_occ", lambda _job: None)
    one.save()
    assert _upgrade.move(settings, ITEM, VERDICT) == ""
    assert _journal.read("amap") is None
    # The major is a new one: the repair that it leaves is noted while nobody gets in.
    assert sorted(os.listdir(one.folder)) == ["last.json", "point", "repair.json"]


@pytest.mark.parametrize("failed_at", ["check", "open"])
def test_a_way_back_that_was_killed_once_the_door_was_open_keeps_older_points(
    settings, monkeypatch, failed_at
):
    monkeypatch.setattr(_upgrade, "forget", lambda _job: 1 / 0)
    monkeypatch.setattr(_upgrade, "end_occ", lambda _job: None)
    one = job(settings, direction="back", step="reopen", failed_at=failed_at, why="no", kept=False)
    os.makedirs(f"{one.folder}/point")
    one.save()
    assert _upgrade.move(settings, ITEM, VERDICT) == "no"
    assert os.listdir(one.folder) == ["point"]


def test_what_was_never_touched_is_told_although_its_door_was_open(settings, monkeypatch):
    monkeypatch.setattr(_upgrade, "forget", lambda _job: None)
    _upgrade.reopen(job(settings, direction="back", failed_at="prepare", why="prepare: no"))
    assert _upgrade.last_of(settings, "amap")["result"] == "left as it was"


def test_what_could_not_be_written_is_not_believed(settings, monkeypatch):
    def full(*_arguments):
        raise OSError("No space left on device")

    one = job(settings)
    monkeypatch.setattr(_journal, "write", full)
    with pytest.raises(OSError, match="No space"):
        one.save(loading=True)
    assert "loading" not in one.journal


def test_nobody_else_may_work_on_the_space(world):
    with _journal.exclusive("life-amap"), pytest.raises(_journal.JournalError):
        world.move()
    assert world.done == []


def test_what_is_under_way_is_told_to_others(world):
    world.events["dump"] = Killed()
    with pytest.raises(Killed):
        world.move()
    assert "playbooks/upgrade.yml -e release=34.0.4 -e only=amap" in _journal.under_way("amap")


@pytest.mark.parametrize("step", UNDO)
def test_going_back_on_demand_can_be_cut_short_anywhere(world, step):
    assert world.move() == ""
    keep_point(world.settings)
    world.done.clear()
    world.events[step] = Killed()
    with pytest.raises(Killed):
        _upgrade.undo(world.settings, ITEM)
    world.done.clear()
    assert _upgrade.undo(world.settings, ITEM) == ""
    assert world.done == list(UNDO[UNDO.index(step) :])
    assert world.journal() is None


@pytest.mark.parametrize("step", [*UNDO[: UNDO.index("load") + 1]])
def test_going_back_on_demand_leaves_a_space_alone_that_it_did_not_change(world, monkeypatch, step):
    assert world.move() == ""
    keep_point(world.settings)
    opened = []
    monkeypatch.setattr(_upgrade, "open_gate", lambda job: opened.append(job.slug))
    world.events[step] = OSError("full")
    said = f"the step {step!r} failed: full. The space is open, and as it was"
    assert _upgrade.undo(world.settings, ITEM) == said
    assert (opened, world.journal()) == (["amap"], None)


def test_going_back_on_demand_goes_on_once_the_database_was_touched(world, monkeypatch):
    assert world.move() == ""
    keep_point(world.settings)

    def load(job):
        job.save(loading=True)
        raise OSError("full")

    monkeypatch.setitem(STEPS, "load", load)
    said = _upgrade.undo(world.settings, ITEM)
    assert said.startswith("the step 'load' failed: full. IT IS CLOSED until this is mended and ")
    assert said.endswith("playbooks/rollback.yml is run again")
    assert world.journal()["step"] == "load"


def test_a_server_that_does_not_tell_its_size_leaves_the_space_alone(world, monkeypatch):
    def broken(*_arguments):
        raise _database.DatabaseError("gone")

    assert world.move() == ""
    keep_point(world.settings)
    monkeypatch.setattr(_database, "size", broken)
    assert _upgrade.undo(world.settings, ITEM) == "gone. The space was not touched"
    assert world.journal() is None


def test_a_way_back_cut_short_is_finished_by_its_own_playbook(world):
    assert world.move() == ""
    keep_point(world.settings)
    world.events["load"] = Killed()
    with pytest.raises(Killed):
        _upgrade.undo(world.settings, ITEM)
    assert "playbooks/rollback.yml -e only=amap finishes it" in _journal.under_way("amap")


def test_without_room_for_the_present_database_nothing_is_touched(world, monkeypatch):
    assert world.move() == ""
    keep_point(world.settings)
    world.done.clear()
    monkeypatch.setattr(_database, "size", lambda *_: 1 << 60)
    assert "make room. The space was not touched" in _upgrade.undo(world.settings, ITEM)
    assert (world.done, world.journal()) == ([], None)


def keep_point(settings, slug="amap", at=None):
    folder = f"{settings.work}/{slug}/point"
    os.makedirs(folder)
    kept = {"release": "33.0.9", "version": "33.0.9.1", "to": "34.0.4", "probe": None}
    with open(f"{folder}/point.json", "w", encoding="utf-8") as file:
        json.dump({**kept, "at": time.time() if at is None else at}, file)


def test_an_upgrade_that_was_cut_short_is_not_undone(world):
    world.events["dump"] = Killed()
    with pytest.raises(Killed):
        world.move()
    assert "finishes it" in _upgrade.undo(world.settings, ITEM)


# --- single steps ------------------------------------------------------------------------


def test_a_door_is_closed_by_a_file_and_opened_by_its_key(settings):
    one = job(settings)
    _upgrade.shut_gate(one)
    _upgrade.shut_gate(one)
    assert sorted(os.listdir(settings.closed)) == ["amap", f"amap.{'a' * 32}"]
    # Requests that were let in before it closed are refused by Nextcloud itself.
    barrier = read(f"{one.home}/config/closed.config.php")
    assert "['maintenance' => true]" in barrier
    assert "hash_equals('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', $_SERVER[" in barrier
    # nginx may look for a name, and not list them.
    assert os.stat(settings.closed).st_mode & 0o777 == 0o711
    other = f"{settings.closed}/amap-du-val"
    os.mknod(other)
    _upgrade.open_gate(one)
    _upgrade.open_gate(one)
    assert os.listdir(settings.closed) == ["amap-du-val"]
    assert os.listdir(f"{one.home}/config") == []


def test_a_space_is_pointed_at_a_release_by_a_link_of_its_own(settings):
    one = job(settings)
    _upgrade.point(one)
    assert os.readlink(f"{one.home}/release") == "../../releases/34.0.4"
    _upgrade.come_back(replace_journal(one, direction="back", failed_at="check"))
    assert os.readlink(f"{one.home}/release") == "../../releases/33.0.9"


def replace_journal(one, **changes):
    return replace(one, journal={**one.journal, **changes})


def test_a_release_that_is_not_here_is_not_pointed_at(settings):
    with pytest.raises(UpgradeError, match=r"release 34\.0\.9 is not on this node"):
        _upgrade.point(job(settings, to="34.0.9"))


@pytest.mark.parametrize("step", ["prepare", "close", "dump"])
def test_before_there_is_a_dump_nothing_is_brought_back(settings, step):
    one = job(settings, direction="back", failed_at=step)
    _upgrade.load(one)
    _upgrade.files(one)
    _upgrade.come_back(one)
    assert os.readlink(f"{one.home}/release") == "../../releases/33.0.9"
    assert _upgrade.back_word(one) == "left as it was"


@pytest.mark.parametrize("step", ["point", "upgrade", "apply", "check", "open"])
def test_afterwards_everything_is(settings, step):
    assert _upgrade.back_word(job(settings, direction="back", failed_at=step)) == "rolled back"


def test_files_come_back_as_they_were_and_those_that_were_not_there_go(settings):
    one = job(settings, direction="back", failed_at="upgrade")
    os.makedirs(one.point)
    for path, text in (
        (f"{one.point}/config.php", "old"),
        (f"{one.home}/config/config.php", "new"),
        (f"{one.home}/.applied", "new"),
    ):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    _upgrade.files(one)
    assert read(f"{one.home}/config/config.php") == "old"
    assert not os.path.exists(f"{one.home}/.applied")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


@pytest.mark.parametrize("gone", [True, False])
def test_what_fails_after_the_point_was_kept_finds_it(settings, gone):
    one = job(settings, step="open")
    os.makedirs(f"{one.folder}/point")
    if not gone:
        os.makedirs(f"{one.folder}/point.new")
    _upgrade.turn_back(one, OSError("disk"))
    assert one.point == f"{one.folder}/{'point' if gone else 'point.new'}"
    # An older point is never taken for one that was not written.
    assert job(settings, direction="back", failed_at="check").point.endswith("/point.new")


def test_the_door_opens_last(settings, monkeypatch):
    one, seen = job(settings, closed_at=0.0), []
    os.makedirs(f"{one.folder}/point.new")
    _upgrade.shut_gate(one)
    monkeypatch.setattr(_upgrade, "forget", lambda _job: None)
    monkeypatch.setattr(_upgrade, "open_gate", lambda job: seen.extend(os.listdir(job.folder)))
    _upgrade.open_up(one)
    assert sorted(seen) == ["last.json", "point", "repair.json"]


def test_half_a_dump_is_not_kept(settings, monkeypatch):
    def full(_server, _name, path):
        with open(path, "w", encoding="ascii") as file:
            file.write("half")
        raise OSError("No space left on device")

    monkeypatch.setattr(_database, "dump", full)
    one = job(settings)
    for step in (_upgrade.dump, _upgrade.keep):
        with pytest.raises(OSError, match="No space"):
            step(one)
        assert os.listdir(one.folder) == []


def test_a_log_that_cannot_be_written_ends_nothing(settings, tmp_path):
    (tmp_path / "file").touch()
    job(replace(settings, logs=f"{tmp_path}/file/logs")).log("words")


def test_an_upgrade_that_was_cut_short_left_maintenance_mode_on(settings):
    one = job(settings)
    path = f"{one.home}/config/config.php"
    with open(path, "w", encoding="utf-8") as file:
        file.write("<?php\n$CONFIG = array (\n  'maintenance' => true,\n  'version' => '1',\n);\n")
    _upgrade.end_maintenance(one)
    assert read(path) == "<?php\n$CONFIG = array (\n  'version' => '1',\n);\n"
    kept = os.stat(path).st_ino
    _upgrade.end_maintenance(one)
    assert os.stat(path).st_ino == kept


def test_an_office_suite_that_is_switched_is_no_loss():
    suites = {"collabora": {"application": "richdocuments"}, "o": {"application": "onlyoffice"}}
    applied = {"apps": {"enable": [], "disable": ["survey"]}, "office": {"suites": suites}}
    assert _upgrade.switched_off(applied) == {"survey", "richdocuments", "onlyoffice"}
    assert _upgrade.switched_off({}) == set()


def test_a_damaged_dump_is_not_taken_for_the_space(settings, monkeypatch):
    one = job(settings, direction="back", failed_at="upgrade")
    os.makedirs(one.point)
    with open(f"{one.point}/database.sql", "w", encoding="utf-8") as file:
        file.write("CREATE TABLE `x` (\n")
    with open(f"{one.point}/point.json", "w", encoding="utf-8") as file:
        json.dump({"sha256": "0"}, file)
    # The database is not emptied for it.
    monkeypatch.setattr(_database, "load", None)
    with pytest.raises(UpgradeError, match=r"database.sql is not what was written"):
        _upgrade.load(one)
    assert "loading" not in one.journal


class Occ:
    """An occ that answers as it is told."""

    def __init__(self, code=0, stdout="", config=None, stderr="it broke"):
        self.code, self.stdout, self.stderr, self.config = code, stdout, stderr, config
        self.calls, self.options = [], []

    def __call__(self, slug, _php, arguments, **options):
        self.calls.append(tuple(arguments))
        self.options.append(options)
        if self.config:
            with open(self.config[0], "w", encoding="utf-8") as file:
                file.write(self.config[1])
        return _occ.Outcome(self.code, self.stdout, self.stderr if self.code else "")


@pytest.mark.parametrize(
    ("code", "config", "said"),
    [
        (0, "  'version' => '34.0.4.1',\n", ""),
        (5, "  'version' => '33.0.9.1',\n  'maintenance' => true,\n", "ended with 5: it broke"),
        (0, "  'version' => '33.0.9.1',\n", "config.php is at 33.0.9.1, not at 34.0.4.1"),
        (0, "", "config.php is at no version"),
        (0, "  'version' => '34.0.4.1',\n  'maintenance' => true,\n", "left maintenance mode on"),
    ],
)
def test_an_upgrade_counts_by_what_it_left(settings, monkeypatch, code, config, said):
    one = job(settings)
    path = f"{one.home}/config/config.php"
    monkeypatch.setattr(_occ, "run", Occ(code, config=(path, f"<?php\n{config}")))
    monkeypatch.setattr(_apply, "resolve", lambda item, _node: {**item, "applied": {}})
    if said:
        with pytest.raises(UpgradeError, match=said):
            _upgrade.upgrade(one)
    else:
        _upgrade.upgrade(one)


@pytest.mark.parametrize(
    ("enabled", "lost"),
    [({"files", "deck"}, ""), ({"files"}, "switched off deck"), ({"deck", "files", "new"}, "")],
)
def test_what_the_upgrade_switched_off_for_good_is_a_failure(settings, monkeypatch, enabled, lost):
    one = job(settings)
    monkeypatch.setattr(_apply, "resolve", lambda item, _node: {**item, "applied": {}})
    monkeypatch.setattr(_apply, "apply", lambda *_: ["an application enabled"])
    monkeypatch.setattr(_occ, "run", Occ())
    monkeypatch.setattr(_install, "tidy", lambda *_: None)
    monkeypatch.setattr(_upgrade_plan, "enabled_now", lambda *_: frozenset(enabled))
    if lost:
        with pytest.raises(UpgradeError, match=lost):
            _upgrade.apply(one)
        # What the policy wants off is no loss.
        _upgrade.apply(replace(one, settings=replace(settings, disabled=frozenset({"deck"}))))
    else:
        _upgrade.apply(one)


ANSWER = {
    "changes": ["an application enabled"],
    "commands": [
        {"command": "db:add-missing-columns", "output": "Done."},
    ],
}


def modern(settings, version="0.4.0"):
    """Let the new release have an application that runs other commands in its process."""
    manifest = {"version_full": "34.0.4.1", "applications": {"archipel": {"version": version}}}
    with open(f"{settings.node.releases}/34.0.4.json", "w", encoding="utf-8") as file:
        json.dump(manifest, file)
    _node.own_version.cache_clear()


def upgraded(settings, monkeypatch, **answers):
    """Do the step `upgrade` with an occ that answers so."""
    one = job(settings, probe=["camille", "1700000000"])
    path = f"{one.home}/config/config.php"
    occ = Occ(config=(path, "<?php\n  'version' => '34.0.4.1',\n"), **answers)
    monkeypatch.setattr(_occ, "run", occ)
    monkeypatch.setattr(_apply, "resolve", lambda item, _node: {**item, "applied": {}})
    monkeypatch.setattr(_apply, "mark_applied", lambda *_: ["an application enabled"])
    _upgrade.upgrade(one)
    return one, occ


def test_what_follows_the_upgrade_is_one_more_process_in_its_sandbox(settings, monkeypatch):
    modern(settings)
    one, occ = upgraded(settings, monkeypatch, stdout=f"Update successful\n{json.dumps(ANSWER)}\n")
    ((follows,),) = [options["more"] for options in occ.options]
    assert follows[:2] == ["archipel:apply", "--input={input}"]
    words = [json.loads(part.partition("=")[2]) for part in follows[2:]]
    assert [each[0] for each in words[:3]] == [command for command, _ in _apply.MISSING]
    assert len(words) == 3
    assert one.journal["told"]
    assert "an application enabled" in read(one.log_path)
    # The next step finds it done.
    monkeypatch.setattr(_install, "tidy", lambda *_: None)
    monkeypatch.setattr(_upgrade_plan, "enabled_now", lambda *_: frozenset({"files", "deck"}))
    _upgrade.apply(one)
    assert len(occ.calls) == 1


def test_an_application_that_is_turned_on_gets_its_indices_in_a_process_of_its_own(
    settings, monkeypatch
):
    """In the one that turns it on it has not named them yet."""
    modern(settings)
    answer = {**ANSWER, "changes": ["enable application polls", "create group members"]}
    _, occ = upgraded(settings, monkeypatch, stdout=f"Update successful\n{json.dumps(answer)}\n")
    assert len(occ.calls) == 2
    assert occ.calls[1] == _apply.MISSING[0]
    assert tuple(occ.options[1]["more"]) == _apply.MISSING[1:]


class Database:
    """A space's database as far as the check asks it: what is executed, and its answers."""

    def __init__(self, monkeypatch):
        self.executed = []
        monkeypatch.setattr(_upgrade, "execute", self)
        monkeypatch.setattr(_upgrade_plan, "enabled_now", lambda *_: frozenset({"files", "deck"}))

    def __call__(self, job, *statements):
        self.executed += [(sql, values) for sql, values in statements]
        last = statements[-1][0]
        if last is _upgrade_account.SEEN:
            return [("camille", 1700000000)]
        return [("oc_activity",)] if last is _upgrade_account.TABLES else [(41,)][: "MAX" in last]

    def has(self, sql):
        return [values for each, values in self.executed if each == sql]


@pytest.fixture
def database(monkeypatch):
    return Database(monkeypatch)


class Site:
    """A space's pages, as somebody who is logged in sees them."""

    def __init__(self, monkeypatch, **pages):
        self.pages, self.accounts = pages, set()
        monkeypatch.setattr(_probe, "check", lambda *_: None)
        monkeypatch.setattr(_probe, "menu", lambda *_: ["/apps/files/", "/apps/deck/"])
        monkeypatch.setattr(_probe, "open_page", self)

    def __call__(self, _place, path, account):
        self.accounts.add(account)
        return self.pages.get(path.split("/")[2], 200)


def with_secret(one):
    with open(f"{one.home}/config/config.php", "w", encoding="utf-8") as file:
        file.write("<?php\n$CONFIG = array (\n  'secret' => 'it\\'s',\n);\n")
    return one


def test_pages_are_opened_while_the_space_is_open_and_no_password_is_kept(
    settings, monkeypatch, database
):
    site = Site(monkeypatch, deck=404)
    monkeypatch.setattr(_occ, "Ready", Ready)
    one = with_secret(job(replace(settings, pages=["/apps/dashboard/"])))
    _upgrade.prepare(one)
    before = {"/apps/dashboard/": 200, "/apps/deck/": 404, "/apps/files/": 200}
    assert (one.journal["probe"], one.journal["pages"]) == (["camille", "1700000000"], before)
    ((name, password),) = site.accounts
    hashed = hashlib.sha512(f"{password}it's".encode()).hexdigest()
    assert hashed in database.has(_upgrade_account.LEND)[0]
    assert (name, database.executed[-2][0]) == ("camille", _upgrade_account.FORGET)
    # What people do meanwhile is theirs: nothing is remembered, and nothing taken back.
    assert "remembered" not in one.journal
    assert password not in json.dumps(one.journal)
    assert "/apps/deck/ answers 404 before the upgrade" in read(one.log_path)


def test_what_programs_ask_for_is_noted_before_and_compared_after(settings, monkeypatch, database):
    """The way there and the way back look at the same things, the restore point knows them."""
    Site(monkeypatch)
    monkeypatch.setattr(_occ, "Ready", Ready)
    asked, kinds = {"deck: boards": [200, 2], "client: status.php": [200, 1]}, []

    def ask(visit, wanted):
        kinds.append((list(wanted), dict(visit.things)))
        return asked

    monkeypatch.setattr(_probe_requests, "ask", ask)
    monkeypatch.setattr(_probe_requests, "things_of", lambda *_: {"link": "Ab3"})
    monkeypatch.setattr(_probe_requests, "things_left", lambda *_: {})
    one = with_secret(job(replace(settings, requests=["client", "deck", "talk"])))
    _upgrade.prepare(one)
    # Talk is off.
    assert kinds == [(["client", "deck"], {"link": "Ab3"})]
    assert one.journal["requests"] == asked
    _upgrade.shut_gate(one)
    asked = {**asked, "deck: boards": [500, 0]}
    with pytest.raises(_probe.ProbeError, match="requests: deck: boards answers 500, 200 before"):
        _upgrade.check(one)


@pytest.mark.parametrize(
    ("code", "problems", "said"),
    [
        (0, [], ""),
        (1, ["files/default_quota: it is stored under one type"], "imposed settings: files/def"),
        # It may have been so for years.
        (1, ["mail/x: no reader gets it, its stored type is not"], ""),
        (1, None, "occ archipel:check ended with 1: it broke"),
    ],
)
def test_every_imposed_setting_is_read_back(settings, monkeypatch, code, problems, said):
    modern(settings, "0.5.0")
    applied = {"app_config": {"files": {"default_quota": "1 GB"}}}
    monkeypatch.setattr(_apply, "resolve", lambda item, _node: {**item, "applied": applied})
    monkeypatch.setattr(_upgrade, "probe", lambda *_: None)
    printed = "" if problems is None else json.dumps({"problems": problems, "imposed": {}})
    occ = Occ(code, printed)
    monkeypatch.setattr(_occ, "run", occ)
    if said:
        with pytest.raises(UpgradeError, match=said):
            _upgrade.check(job(settings))
    else:
        _upgrade.check(job(settings))
    assert occ.calls == [("archipel:check", "--input={input}")]
    assert json.loads(occ.options[0]["stdin"]) == applied


def test_an_application_that_cannot_read_back_is_not_asked(settings, monkeypatch):
    modern(settings, "0.4.0")
    monkeypatch.setattr(_upgrade, "probe", lambda *_: None)
    monkeypatch.setattr(_occ, "run", lambda *_, **__: pytest.fail("it knows no such command"))
    _upgrade.check(job(settings))


def comparing(settings):
    """Let the new release compare databases."""
    path = Path(settings.node.releases, "34.0.4", _upgrade_schema.CODE)
    path.parent.mkdir(parents=True)
    path.touch()


@pytest.mark.parametrize(
    ("code", "findings", "said"),
    [
        (0, "[]", ""),
        (1, [{"table": "oc_gone", "type": "unexpected_table"}], ""),
        (1, [{"table": "oc_users", "type": "missing_table"}], "expects: missing table oc_users"),
        (1, "no JSON", "occ db:schema:check ended with 1: it broke"),
    ],
)
def test_a_release_that_compares_databases_is_asked(settings, monkeypatch, code, findings, said):
    comparing(settings)
    monkeypatch.setattr(_upgrade, "probe", lambda *_: None)
    monkeypatch.setattr(_upgrade, "read_back", lambda *_: None)
    printed = findings if isinstance(findings, str) else json.dumps(findings)
    occ = Occ(code, printed)
    monkeypatch.setattr(_occ, "run", occ)
    if said:
        with pytest.raises(UpgradeError, match=said):
            _upgrade.check(job(settings))
    else:
        _upgrade.check(job(settings))
    assert occ.calls == [("db:schema:check", "--output=json")]


@pytest.mark.parametrize(
    ("compares", "left", "goes_on"),
    [
        (True, "  'version' => '34.0.4.1',\n", True),
        # The upgrade itself has failed.
        (True, "  'version' => '33.0.9.1',\n", False),
        (True, "  'version' => '34.0.4.1',\n  'maintenance' => true,\n", False),
        (False, "  'version' => '34.0.4.1',\n", False),
    ],
)
def test_an_upgrade_that_only_dislikes_the_database_in_the_end_has_succeeded(
    settings, monkeypatch, compares, left, goes_on
):
    one = job(settings)
    if compares:
        comparing(settings)
    occ = Occ(5, config=(f"{one.home}/config/config.php", f"<?php\n{left}"))
    monkeypatch.setattr(_occ, "run", occ)
    monkeypatch.setattr(_apply, "resolve", lambda item, _node: {**item, "applied": {}})
    if goes_on:
        _upgrade.upgrade(one)
        # What would have followed in the same sandbox is to be done alone.
        assert "told" not in one.journal
    else:
        with pytest.raises(UpgradeError, match="occ upgrade ended with 5"):
            _upgrade.upgrade(one)


BEFORE = {"/apps/files/": 200, "/apps/deck/": 200, "/settings/user": 200, "/apps/notes/": 500}


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        ({}, ""),
        ({"files": 500}, "^pages: /apps/files/ answers 500, 200 before$"),
        ({"files": 500, "deck": 401}, r"deck/ answers 401 \(the login\), 200 before; /apps/files"),
        ({"user": 599}, "/settings/user answers nothing within"),
        # It was so before.
        ({"notes": 500}, ""),
    ],
)
def test_a_page_that_no_longer_answers_is_a_failure_and_named(
    settings, monkeypatch, database, pages, said
):
    Site(monkeypatch, **pages)
    one = with_secret(job(settings, probe=["camille", "1700000000"], pages=BEFORE))
    _upgrade.shut_gate(one)
    if said:
        with pytest.raises(_probe.ProbeError, match=said):
            _upgrade.check(one)
    else:
        _upgrade.check(one)
    # All that the account was told since is taken back, whatever came of the check.
    assert one.journal["remembered"]["told"] == {"oc_activity": 41}
    (values,) = database.has("DELETE FROM {0}.oc_activity WHERE activity_id > %s")
    assert values == (41,)


def test_a_first_visit_is_marked_while_pages_are_opened_and_never_left(
    settings, monkeypatch, database
):
    Site(monkeypatch)
    monkeypatch.setattr(_occ, "Ready", Ready)
    one = with_secret(job(replace(settings, first_visits={"deck": {"firstRun": "no"}})))
    one.journal["visits"] = [["deck", "firstRun", "no"]]
    _upgrade.prepare(one)
    ways = [sql for sql, _ in database.executed]
    first, marked = ways.index(_upgrade_account.NEW), ways.index(_upgrade_account.VISITED)
    # What a run that was killed left is taken back before anything is taken for the account's own.
    assert first < marked < len(ways) - 1 - ways[::-1].index(_upgrade_account.NEW)
    assert one.journal["visits"] == []


def test_a_page_of_an_application_that_the_release_goes_without_is_not_missed(
    settings, monkeypatch, database
):
    Site(monkeypatch, old=404)
    journal = {"pages": {"/apps/old/": 200}, "enabled": ["files", "old"]}
    one = with_secret(job(settings, probe=["camille", "1"], **journal))
    _upgrade.shut_gate(one)
    _upgrade.check(one)


@pytest.mark.parametrize(
    ("direction", "commands"),
    [
        ("back", ["files:scan-app-data"]),
        ("undo", ["maintenance:data-fingerprint", "files:scan-app-data"]),
    ],
)
def test_on_the_way_back_what_the_newer_release_removed_is_looked_for(
    settings, monkeypatch, database, direction, commands
):
    Site(monkeypatch, files=500)
    occ = Occ()
    monkeypatch.setattr(_occ, "run", occ)
    one = with_secret(job(settings, direction=direction, failed_at="upgrade", pages=BEFORE))
    one.journal["probe"] = ["camille", "1700000000"]
    _upgrade.shut_gate(one)
    # A way back that leads to broken pages is none.
    with pytest.raises(_probe.ProbeError, match="/apps/files/ answers 500"):
        _upgrade.verify(one)
    asked = [occ.calls[0], *occ.options[0]["more"]]
    assert [call[0] for call in asked] == commands
    # Nothing that only newer releases have: it may be the oldest one that is gone back to.
    assert all(set(call[1:]) <= {"--no-interaction"} for call in asked)


class Ready:
    """A runner that waits."""

    def __init__(self, command):
        self.command, self.asked, self.dismissed = command, "", False

    def run(self, asked):
        self.asked = asked
        return _occ.Outcome(0, "Update successful", "")

    def dismiss(self):
        self.dismissed = True


def test_the_upgrade_is_run_by_what_has_started_before_the_door_was_closed(settings, monkeypatch):
    monkeypatch.setattr(_occ, "Ready", Ready)
    one = job(settings)
    _upgrade.get_ready(one)
    ready = one.ready
    assert (
        f"--property=Environment=ARCHIPEL_RELEASE={settings.node.releases}/34.0.4" in ready.command
    )
    _upgrade.occ(one, "upgrade", "--no-interaction")
    assert json.loads(ready.asked)["arguments"] == ["upgrade", "--no-interaction"]
    # It runs once: what follows has a sandbox of its own.
    assert one.ready is None


def test_what_has_started_is_dismissed_when_it_comes_to_no_upgrade(world, monkeypatch):
    monkeypatch.setattr(_occ, "Ready", Ready)
    started = []

    def prepare(one):
        _upgrade.get_ready(one)
        started.append(one.ready)
        raise UpgradeError("no")

    monkeypatch.setitem(STEPS, "prepare", prepare)
    assert world.move() == "prepare: no"
    assert [ready.dismissed for ready in started] == [True]


def test_an_older_application_is_told_alone(settings, monkeypatch):
    modern(settings, "0.3.0")
    one, occ = upgraded(settings, monkeypatch, stdout="Update successful")
    assert [options["more"] for options in occ.options] == [()]
    assert not one.journal.get("told")
    monkeypatch.setattr(_apply, "apply", lambda *_: ["an application enabled"])
    _upgrade.tell(one, {})
    assert [call[0] for call in occ.calls] == [
        "upgrade",
        "db:add-missing-columns",
    ]


def test_an_application_that_is_turned_off_is_told_alone(settings, monkeypatch):
    modern(settings)
    one, _ = upgraded(
        settings, monkeypatch, code=1, stderr='Command "archipel:apply" is not defined.'
    )
    assert not one.journal.get("told")


def test_a_failed_upgrade_is_not_taken_for_an_application_turned_off(settings, monkeypatch):
    modern(settings)
    stderr = "archipel: not defined\nocc-args: upgrade ended with 5\n"
    with pytest.raises(UpgradeError, match=r"occ upgrade ended with 5: archipel: not defined$"):
        upgraded(settings, monkeypatch, code=5, stderr=stderr)


def test_what_followed_and_failed_is_named(settings, monkeypatch):
    modern(settings)
    with pytest.raises(UpgradeError, match="occ archipel:apply ended with 2: no such app"):
        upgraded(settings, monkeypatch, code=2, stderr="no such app")


def serve(path, answer):
    """Listen like a Redis; return what was heard."""
    heard, server = [], socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()

    def one():
        connection, _ = server.accept()
        with connection:
            heard.append(connection.recv(64))
            connection.sendall(answer)

    threading.Thread(target=one, daemon=True).start()
    return heard


def test_redis_forgets_and_is_asked_whether_it_has(settings):
    with tempfile.TemporaryDirectory(prefix="redis") as folder:
        one = job(replace(settings, redis=folder))
        # None runs: nothing to forget.
        _upgrade.empty_redis(one)
        os.mkdir(f"{folder}/amap")
        heard = serve(f"{folder}/amap/redis.sock", b"+OK\r\n")
        _upgrade.empty_redis(one)
        assert heard == [b"FLUSHDB\r\n"]
        os.unlink(f"{folder}/amap/redis.sock")
        serve(f"{folder}/amap/redis.sock", b"-NOPERM\r\n")
        with pytest.raises(UpgradeError, match="does not forget"):
            _upgrade.empty_redis(one)


def test_jobs_that_do_not_end_are_waited_for_and_then_said(settings, monkeypatch):
    shown = {"space-cron@amap.service": {"ActiveState": "activating"}}
    monkeypatch.setattr(_systemd, "properties", lambda *_: shown)
    with pytest.raises(UpgradeError, match="its jobs have been running"):
        _upgrade.wait_for_jobs(job(replace(settings, jobs_seconds=-1)))


def test_a_failure_shows_the_end_of_its_log(settings):
    one = job(settings)
    one.log("\n".join(f"line {number}" for number in range(40)))
    assert _upgrade.tail(one.log_path)[-1] == "line 39"
    assert len(_upgrade.tail(one.log_path)) == _upgrade.TAIL_LINES
    assert _upgrade.tail("/nowhere") == []


# --- many spaces -------------------------------------------------------------------------


def items(number):
    return [{**ITEM, "space": f"s{index:02}"} for index in range(number)]


def moved(settings, monkeypatch, todo, budget, *, broken=(), seconds=60.0, parallel=1):
    verdict = _upgrade_plan.Verdict("upgrade", "", "33.0.9", "33.0.9.1")
    monkeypatch.setattr(
        _upgrade, "move", lambda _s, item, _v: "broken" if item["space"] in broken else ""
    )
    pairs = [(item, verdict) for item in todo]
    return _upgrade_run.move_all(settings, pairs, _upgrade_run.Budget(budget), parallel, seconds)


def test_what_was_never_begun_is_not_said_to_be_stuck(settings):
    """A backup holds it: nothing was written of it, and it is open."""
    report = Report()
    verdict = _upgrade_plan.Verdict("upgrade")
    held = "somebody else is at work on it"
    _upgrade_run.note(settings, report, [(ITEM, verdict)], [held])
    assert report.facts["ends"] == {"amap": "not begun"}


def test_no_further_space_is_begun_once_the_budget_is_spent(settings, monkeypatch):
    found = moved(settings, monkeypatch, items(6), 1, broken={"s01", "s03"})
    assert found == ["", "broken", "", "broken", None, None]


def test_a_budget_of_none_stops_at_the_first_failure(settings, monkeypatch):
    assert moved(settings, monkeypatch, items(3), 0, broken={"s00"}) == ["broken", None, None]


def test_a_turn_ends_and_the_rest_is_left(settings, monkeypatch):
    assert moved(settings, monkeypatch, items(3), 0, seconds=-1.0) == [None, None, None]


def test_so_many_at_the_same_time_and_no_more(settings, monkeypatch):
    now, most, guard = 0, 0, threading.Lock()

    def slow(*_):
        nonlocal now, most
        with guard:
            now, most = now + 1, max(most, now + 1)
        time.sleep(0.02)
        with guard:
            now -= 1
        return ""

    monkeypatch.setattr(_upgrade_run, "attempt", slow)
    verdict = _upgrade_plan.Verdict("upgrade")
    pairs = [(item, verdict) for item in items(9)]
    _upgrade_run.move_all(settings, pairs, _upgrade_run.Budget(0), 3, 60)
    assert most == 3


RUN = {"run": "r1", "by": "camille@desk", "since": "then", "release": "34.0.4"}


@pytest.mark.parametrize(
    ("lease", "kept_out"),
    [
        ({}, False),
        ({**RUN, "at": 1000.0}, False),
        ({**RUN, "run": "r0", "at": 1000.0}, True),
        ({**RUN, "run": "r0", "at": 1000.0 - _upgrade_run.LEASE_SECONDS}, False),
    ],
)
def test_a_second_operator_is_kept_out_and_told_by_whom(lease, kept_out):
    said = _upgrade_run.holder(lease, "r1", 1000.0)
    assert bool(said) == kept_out
    if kept_out:
        assert "camille@desk is upgrading the spaces of this node to 34.0.4" in said
        assert "free again in 30 seconds" in said


def test_a_run_has_the_node_until_it_says_so(settings, tmp_path):
    path = str(tmp_path / "lease.json")
    with _upgrade_run.leased(RUN, path):
        pass
    with (
        pytest.raises(_journal.JournalError, match="camille@desk"),
        _upgrade_run.leased({**RUN, "run": "r2"}, path),
    ):
        pass
    _upgrade_run.release_lease("r2", path)
    assert os.path.exists(path)
    _upgrade_run.release_lease("r1", path)
    with _upgrade_run.leased({**RUN, "run": "r2"}, path):
        pass


def test_a_second_operator_is_kept_out_before_anything_is_planned(settings, tmp_path):
    path = str(tmp_path / "lease.json")
    _upgrade_run.make_sure_nobody_else_runs("r2", path)
    with (
        _upgrade_run.leased(RUN, path),
        pytest.raises(_journal.JournalError, match="camille@desk is upgrading"),
    ):
        _upgrade_run.make_sure_nobody_else_runs("r2", path)
    # Between two turns too; the run itself may go on.
    with pytest.raises(_journal.JournalError, match="camille@desk is upgrading"):
        _upgrade_run.make_sure_nobody_else_runs("r2", path)
    _upgrade_run.make_sure_nobody_else_runs("r1", path)


def test_who_is_at_work_is_named_also_in_the_middle_of_a_long_turn(settings, tmp_path):
    path = str(tmp_path / "lease.json")
    other = {**RUN, "run": "r2", "by": "somebody"}
    with (
        _upgrade_run.leased(RUN, path),
        pytest.raises(_journal.JournalError, match=r"camille@desk is upgrading .* since then: "),
        _upgrade_run.leased(other, path),
    ):
        pass


def test_a_node_that_cannot_close_doors_says_so(settings, tmp_path):
    snippet = tmp_path / "snippet.conf"
    assert "playbooks/site.yml" in _upgrade_run.door_problem(settings, str(snippet))
    snippet.write_text("location / {}\n")
    assert "playbooks/site.yml" in _upgrade_run.door_problem(settings, str(snippet))
    snippet.write_text(f"if (-f {settings.closed}/$archipel_space) {{\n")
    assert _upgrade_run.door_problem(settings, str(snippet)) == ""


# --- afterwards --------------------------------------------------------------------------


def tidied(settings, keep=(), days=14.0, *, check=False):
    report, removed = _upgrade_run.tidy(settings, keep, days, check=check)
    return removed, sorted(report.changes), sorted(os.listdir(settings.node.releases))


def test_a_release_that_nobody_needs_is_removed(settings):
    removed, _, left = tidied(settings)
    assert removed == ["34.0.4"]
    assert left == ["33.0.9", "33.0.9.json"]


def test_a_check_run_removes_nothing(settings):
    removed, _, left = tidied(settings, check=True)
    assert (removed, len(left)) == (["34.0.4"], 4)


def test_the_release_of_the_policy_stays(settings):
    assert tidied(settings, keep=["34.0.4"])[0] == []


def test_a_release_that_a_space_can_go_back_to_stays(settings, tmp_path):
    point_space_at(tmp_path, "34.0.4")
    keep_point(settings)
    assert tidied(settings) == ([], [], ["33.0.9", "33.0.9.json", "34.0.4", "34.0.4.json"])


def point_space_at(tmp_path, release):
    link = tmp_path / "spaces/amap/release"
    link.unlink()
    link.symlink_to(f"../../releases/{release}")


def test_a_restore_point_past_its_time_goes_and_its_release_after_it(settings, tmp_path):
    point_space_at(tmp_path, "34.0.4")
    keep_point(settings, at=time.time() - 15 * 86400)
    assert tidied(settings) == (["33.0.9"], ["amap"], ["34.0.4", "34.0.4.json"])


def test_what_is_under_way_keeps_both_its_releases_and_its_point(settings, tmp_path):
    (tmp_path / "spaces/amap/release").unlink()
    keep_point(settings, at=0)
    _journal.write("amap", {"verb": "upgrade", "step": "load", "from": "33.0.9", "to": "34.0.4"})
    assert tidied(settings)[:2] == ([], [])


def test_a_space_that_is_in_no_file_keeps_its_release(settings, tmp_path):
    point_space_at(tmp_path, "34.0.4")
    stranger = tmp_path / "spaces/.kept-amap"
    stranger.mkdir()
    (stranger / "release").symlink_to("../../releases/33.0.9")
    assert tidied(settings)[0] == []


def test_a_folder_without_a_manifest_is_not_ours_to_remove(settings, tmp_path):
    (tmp_path / "releases/by-hand").mkdir()
    assert "by-hand" in tidied(settings)[2]


def test_a_removal_that_was_cut_short_is_finished(settings, tmp_path):
    os.rename(tmp_path / "releases/34.0.4", tmp_path / "releases/.removing-34.0.4")
    assert tidied(settings)[2] == ["33.0.9", "33.0.9.json"]
