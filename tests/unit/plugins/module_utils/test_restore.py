# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A restore that is killed anywhere goes on, loses nothing, and keeps what was there."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sqlite3
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils import (
    _backup,
    _database,
    _journal,
    _quotas,
    _restic,
    _restore,
    _systemd,
)
from tests.unit.plugins.module_utils.machine import Machine, machine, own_journals

__all__ = ["machine"]

ID = "5" * 64
CONFIG = "<?php $CONFIG = array('installed' => true, 'mark' => '{}');"
PHP = "space-php@amap.service"
UNITS = ("space-php@amap.socket", "space-cron@amap.timer", PHP)


class Killed(BaseException):
    """The process is gone: nothing tidies up after it."""


class World:
    """A space with an old state, its backup with a new one, and a way to kill whoever works."""

    def __init__(self, tmp_path: Path, machine: Machine) -> None:
        self.tmp, self.machine = tmp_path, machine
        self.databases: dict[str, dict[str, int]] = {"space_amap": {"oc_old": 3}}
        self.moved: list[tuple[str, int]] = []
        self.said: list[str] = []
        self.left, self.done = -1, 0
        # What the backup says of itself: empty for the truth, None for nothing at all.
        self.meta: str | None = ""
        self.settings = _backup.Settings(
            environment="lab",
            node="node1",
            root=str(tmp_path / "spaces"),
            vhosts=str(tmp_path / "vhosts"),
            work=str(tmp_path / "work"),
            socket="/s",
            database_ca="/ca",
            parallel=1,
            retention={},
            gone_days=1,
            check_percent=1,
            metrics="",
            repository=_restic.Repository("/r", "/p", "/c"),
        )
        self.fill(self.home, "old")
        self.backup = tmp_path / "backup"
        self.fill(self.backup / "files", "new")
        (self.backup / "files/config/managed.config.php").write_text("another machine's")
        self.dump = json.dumps({"oc_new": 5}).encode()

    @property
    def home(self) -> Path:
        return Path(self.settings.root, "amap")

    @property
    def kept(self) -> Path:
        return Path(self.settings.root, ".kept-amap")

    def fill(self, folder: Path, mark: str) -> None:
        (folder / "config").mkdir(parents=True)
        (folder / "config/config.php").write_text(CONFIG.format(mark))
        (folder / "data/camille").mkdir(parents=True)
        (folder / f"data/camille/{mark}.txt").write_text(mark)
        (folder / "release").symlink_to(f"/srv/nextcloud/releases/{mark}")
        (folder / ".applied").write_text(mark)

    def operation(self) -> None:
        """Count something that changes the machine; be killed if a test wants it here."""
        self.done += 1
        if self.left == 0:
            raise Killed
        self.left -= 1

    def state(self, folder: Path) -> str:
        """Return which state a space's folder holds, as far as it is all of one."""
        marks = {
            (folder / ".applied").read_text(),
            os.readlink(folder / "release").rpartition("/")[2],
            *(path.stem for path in (folder / "data/camille").iterdir()),
        }
        marks |= {
            m for m in ("old", "new") if f"'{m}'" in (folder / "config/config.php").read_text()
        }
        assert len(marks) == 1, marks
        return marks.pop()

    def nothing_lost(self) -> None:
        """All parts of the old state are somewhere, whole."""
        for part in ("config/config.php", "data/camille/old.txt", ".applied"):
            there = [base / part for base in (self.home, self.kept)]
            assert [p for p in there if p.exists() and "old" in p.read_text()], part
        rows = [one.get("oc_old") for one in self.databases.values()]
        assert 3 in rows

    def role(self) -> None:
        """Do what the role does before the playbook goes on: what is missing is made, empty."""
        for part in ("config", "data"):
            (self.home / part).mkdir(parents=True, exist_ok=True)
        self.databases.setdefault("space_amap", {})


def restic(world: World, *words: str) -> tuple[int, str, str]:
    """Answer as restic does."""
    world.operation()
    if words[0] == "stats":
        return 0, json.dumps({"total_size": 1000}), ""
    target = Path(next(w for w in words if w.startswith("--target=")).partition("=")[2])
    home = Path(f"{target}{world.settings.root}/{'amap'}")
    shutil.copytree(world.backup / "files", home, symlinks=True)
    staged = Path(f"{target}{_backup.staging(world.settings, 'amap')}")
    staged.mkdir(parents=True)
    (staged / _backup.DUMP).write_bytes(world.dump)
    digest = hashlib.sha256(world.dump).hexdigest()
    meta = {"dump": {"sha256": digest}, "tables": {"oc_new": 5}}
    if world.meta is not None:
        (staged / _backup.META).write_text(world.meta or json.dumps(meta))
    return 0, "", ""


def pretend_database(world: World, monkeypatch) -> None:
    """Keep databases in a dictionary."""
    known = world.databases

    def load(_server, name: str, source: io.BufferedReader) -> None:
        world.operation()
        known[name] = {}
        world.operation()
        known[name] = json.loads(source.read())

    def move(_server, source: str, target: str) -> None:
        world.operation()
        if known.get(source):
            known[target] = {**known.get(target, {}), **known[source]}
            known[source] = {}

    def drop(_server, name: str) -> None:
        world.operation()
        known.pop(name, None)

    for name, act in {"load": load, "move": move, "drop": drop}.items():
        monkeypatch.setattr(_database, name, act)
    monkeypatch.setattr(_database, "exists", lambda _server, name: name in known)
    monkeypatch.setattr(_database, "tables", lambda _server, name: sorted(known.get(name, {})))
    monkeypatch.setattr(_database, "counts", lambda _server, name: dict(known.get(name, {})))

    def run(_server, sql: str, *_: str) -> list[list[str]]:
        world.said.append(sql)
        return []

    monkeypatch.setattr(_database, "run", run)


def pretend_files(world: World, monkeypatch) -> None:
    """Count each change of a name, and give nothing away."""
    rename, rmtree, unlink = os.rename, shutil.rmtree, os.unlink

    def counted(act: Any) -> Any:
        def run(*words: Any, **options: Any) -> Any:
            world.operation()
            return act(*words, **options)

        return run

    fake = SimpleNamespace(**{name: getattr(os, name) for name in dir(os) if name[0] != "_"})
    fake.rename, fake.unlink = counted(rename), counted(unlink)
    fake.lchown = lambda *_: None
    monkeypatch.setattr(_restore, "os", fake)
    tools = SimpleNamespace(rmtree=counted(rmtree), disk_usage=shutil.disk_usage)
    monkeypatch.setattr(_restore, "shutil", tools)
    monkeypatch.setattr(_quotas, "move", lambda path, number: world.moved.append((path, number)))
    user = SimpleNamespace(pw_uid=70001)
    monkeypatch.setattr("pwd.getpwnam", lambda _name: user)


@pytest.fixture
def world(tmp_path, monkeypatch, machine: Machine) -> World:
    found = World(tmp_path, machine)
    own_journals(tmp_path, monkeypatch)
    pretend_database(found, monkeypatch)
    pretend_files(found, monkeypatch)
    monkeypatch.setattr(_restic, "run", lambda _repository, *words: restic(found, *words))
    monkeypatch.setattr(_restic, "check_reachable", lambda _repository: None)
    snapshot = _restic.Snapshot(
        id=ID, at=datetime(2026, 5, 30, tzinfo=UTC), host="node1", space="amap"
    )
    monkeypatch.setattr(_restic, "snapshots", lambda *_: [snapshot])
    monkeypatch.setattr(_restic, "choose", lambda *_: snapshot)
    machine.run(*UNITS)
    return found


def restore(world: World) -> list[str]:
    return _restore.run(world.settings, "amap", "amap", "latest")


def restored(world: World) -> None:
    assert world.state(world.home) == "new"
    assert not (world.home / "config/managed.config.php").exists()
    assert world.databases["space_amap"] == {"oc_new": 5}


def kept(world: World) -> None:
    assert world.state(world.kept) == "old"
    assert world.databases["archipel_kept_amap"] == {"oc_old": 3}


def settled(world: World) -> None:
    """Nothing of the work itself is left behind."""
    assert _journal.read("amap") is None
    assert not (world.tmp / "still/amap").exists()
    assert not Path(world.settings.root, ".restore-amap").exists()


def untouched(world: World) -> None:
    """Nothing was changed, nothing is closed, and nothing is left over."""
    settled(world)
    assert world.state(world.home) == "old"
    assert world.machine.running() == set(UNITS)
    assert not world.kept.exists()
    assert world.databases == {"space_amap": {"oc_old": 3}}


def came_back(world: World) -> None:
    """The state from before is there alone, and may be started."""
    settled(world)
    assert world.state(world.home) == "old"
    assert world.machine.running() == set()
    assert not world.kept.exists()
    assert world.databases == {"space_amap": {"oc_old": 3}}


def cut_short(world: World) -> None:
    """Between two runs nothing is lost, and somebody may have started the space again."""
    world.left = -1
    world.nothing_lost()
    world.machine.run(*UNITS)


def again(world: World) -> None:
    """Make the beginning anew."""
    for folder in (Path(world.settings.root), world.tmp / "life", world.tmp / "still"):
        shutil.rmtree(folder, ignore_errors=True)
    world.databases.clear()
    world.databases["space_amap"] = {"oc_old": 3}
    world.fill(world.home, "old")
    world.machine.run(*UNITS)


def test_a_restore_replaces_the_space_and_keeps_what_was_there(world: World):
    (done,) = restore(world)
    assert "fetch, stop, aside, load, place, finish" in done
    restored(world)
    kept(world)
    settled(world)
    assert world.machine.running() == set()
    # What is kept counts for nobody, what is restored for the space.
    assert world.moved == [(f"{world.kept}/data", 0), (f"{world.home}/data", 70001)]


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
        kept(world)
        settled(world)
        assert world.machine.running() == set()
    # The matrix is as large as the work.
    assert number >= 15


@pytest.mark.parametrize("step", list(_restore.STEPS))
def test_each_step_fails_once(world: World, monkeypatch, step: str):
    monkeypatch.setitem(_restore.STEPS, step, failing(_restore.STEPS[step]))
    with pytest.raises(OSError, match="the disk is gone"):
        restore(world)
    world.nothing_lost()
    if step in _restore.HARMLESS:
        # What was not touched is in nobody's way: tonight's backup of the space is made.
        untouched(world)
    else:
        journal = _journal.read("amap")
        assert journal is not None
        assert (journal["verb"], journal["step"]) == ("restore", step)
        said = _journal.under_way("amap")
        assert "playbooks/restore.yml -e only=amap" in said
        assert "-e kept=back -e confirm=amap" in said
    restore(world)
    restored(world)
    kept(world)
    settled(world)


def failing(act: Any) -> Any:
    """Return a step that fails the first time."""
    seen: Counter[str] = Counter()

    def run(job: _restore.Job) -> None:
        seen["run"] += 1
        if seen["run"] == 1:
            raise OSError("the disk is gone")
        act(job)

    return run


@pytest.mark.parametrize("step", _restore.AT_STANDSTILL[:3])
def test_a_space_that_runs_again_is_not_worked_on(world: World, monkeypatch, step: str):
    """Started by hand between two runs, and not to be stopped: nothing more is moved."""
    act = _restore.STEPS[step]
    monkeypatch.setitem(_restore.STEPS, step, failing(act))
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
    kept(world)


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
    assert not world.kept.exists()
    assert world.databases == {"space_amap": {"oc_old": 3}}
    world.machine.obey()
    shutil.rmtree(world.machine.lab / "proc/4711", ignore_errors=True)
    restore(world)
    restored(world)


def test_no_second_restore_over_what_is_kept(world: World):
    restore(world)
    with pytest.raises(_restore.RestoreError, match="kept=discard"):
        restore(world)
    restored(world)
    kept(world)


def test_the_kept_state_goes_when_that_is_confirmed(world: World):
    number, ended = 0, False
    while not ended:
        again(world)
        restore(world)
        world.left = number
        try:
            assert _restore.discard(world.settings, "amap") != []
            ended = True
        except Killed:
            world.left = -1
            number += 1
            # Of what is half removed nothing can be put back.
            with pytest.raises(_restore.RestoreError, match="-e kept=discard -e confirm=amap"):
                _restore.put_back(world.settings, "amap")
            _restore.discard(world.settings, "amap")
        world.left = -1
        restored(world)
        settled(world)
        assert not _restore.has_kept(world.settings, "amap")
        assert _restore.discard(world.settings, "amap") == []
    assert number >= 2
    restore(world)
    restored(world)


def test_the_kept_state_comes_back(world: World):
    number, ended = 0, False
    while not ended:
        again(world)
        restore(world)
        world.machine.run(*UNITS)
        world.left = number
        try:
            _restore.put_back(world.settings, "amap")
            ended = True
        except Killed:
            cut_short(world)
            number += 1
            with pytest.raises(_restore.RestoreError, match="-e kept=back -e confirm=amap"):
                restore(world)
            _restore.put_back(world.settings, "amap")
        world.left = -1
        assert world.state(world.home) == "old"
        assert world.databases == {"space_amap": {"oc_old": 3}}
        assert not world.kept.exists()
        settled(world)
        assert world.machine.running() == set()
    assert number > 8


def test_what_the_space_did_not_have_before_goes_when_it_comes_back(world: World):
    (world.home / ".applied").unlink()
    restore(world)
    _restore.put_back(world.settings, "amap")
    assert not (world.home / ".applied").exists()


def test_nothing_is_put_back_under_a_running_space(world: World):
    restore(world)
    world.machine.run(PHP)
    world.machine.lie(PHP)
    with pytest.raises(_systemd.SystemdError, match=PHP):
        _restore.put_back(world.settings, "amap")
    restored(world)
    kept(world)


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
                _restore.put_back(world.settings, "amap")
            except Killed:
                cut_short(world)
                _restore.put_back(world.settings, "amap")
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
    with pytest.raises(_restore.RestoreError, match="interrupted"):
        _restore.discard(world.settings, "amap")
    _restore.put_back(world.settings, "amap")
    came_back(world)


def test_what_was_unpacked_is_gone_before_it_is_loaded(world: World, monkeypatch):
    """Somebody has made room by hand: the state from before is still there to return to."""
    monkeypatch.setitem(_restore.STEPS, "load", failing(_restore.load))
    with pytest.raises(OSError, match="the disk is gone"):
        restore(world)
    shutil.rmtree(Path(world.settings.root, ".restore-amap"))
    with pytest.raises(FileNotFoundError):
        restore(world)
    world.nothing_lost()
    _restore.put_back(world.settings, "amap")
    came_back(world)


def test_a_space_that_was_gone_altogether_and_does_not_load(world: World, monkeypatch):
    """Nothing was there before, nor is there afterwards; its backup is as it was."""
    shutil.rmtree(world.home)
    world.databases.clear()
    monkeypatch.setitem(_restore.STEPS, "place", failing(_restore.place))
    with pytest.raises(OSError, match="the disk is gone"):
        restore(world)
    _restore.put_back(world.settings, "amap")
    settled(world)
    assert not world.home.exists()
    restore(world)
    restored(world)


@pytest.mark.parametrize("damage", ["checksum", "json", "list", "missing", "other", "tables"])
def test_a_damaged_backup_touches_nothing(world: World, damage: str):
    said = {
        "checksum": "the checksum of its database",
        "missing": "it is not one of ours",
        "other": "it says that it is of 'velo', not of amap",
    }.get(damage, "is damaged")
    world.meta = {
        "checksum": json.dumps({"dump": {"sha256": "0" * 64}, "tables": {}}),
        "json": '{"dump": {',
        "list": "[]",
        "missing": None,
        "other": json.dumps({"dump": {"sha256": "0"}, "tables": {}, "slug": "velo"}),
        "tables": json.dumps({"dump": {"sha256": "0"}, "tables": {"oc_a": "many"}}),
    }[damage]
    with pytest.raises(_restore.RestoreError, match=said) as caught:
        restore(world)
    assert "Take an earlier one with -e at=…" in str(caught.value)
    untouched(world)


@pytest.mark.parametrize("said", ["", "[]", "{}", '{"total_size": "many"}'])
def test_a_restic_that_does_not_say_how_large_it_is(world: World, monkeypatch, said: str):
    monkeypatch.setattr(_restic, "run", lambda *_: (0, said, ""))
    with pytest.raises(_restore.RestoreError, match="without a total_size"):
        restore(world)
    untouched(world)


def test_a_link_in_place_of_the_data_is_not_followed(world: World):
    """Else root would give another space's files, or the system's, to this one."""
    others = world.tmp / "others"
    (others / "deep").mkdir(parents=True)
    shutil.rmtree(world.backup / "files/data")
    (world.backup / "files/data").symlink_to(others)
    with pytest.raises(_restore.RestoreError, match="data in it is not a folder"):
        restore(world)
    untouched(world)
    assert (others / "deep").exists()


def test_links_below_are_restored_and_not_followed(world: World, monkeypatch):
    """A space may hold links; what they lead to is not the space's."""
    others = world.tmp / "others"
    others.mkdir()
    (others / "secret").write_text("not the space's")
    (world.backup / "files/data/camille/out").symlink_to(others)
    (world.backup / "files/data/aside").symlink_to(others / "secret")
    given: list[str] = []
    tools = getattr(_restore, "os")  # noqa: B009
    monkeypatch.setattr(tools, "lchown", lambda path, *_: given.append(os.path.realpath(path)))
    job = _restore.Job(world.settings, "amap", "amap", ID)
    os.makedirs(world.settings.root, exist_ok=True)
    _restore.fetch(job)
    given.clear()
    monkeypatch.setattr(tools, "lchown", lambda path, *_: given.append(str(path)))
    _restore.own(job)
    assert [path for path in given if path.endswith(("/out", "/aside"))] != []
    assert not [path for path in given if "secret" in path]
    assert all(path.startswith(job.stage) for path in given)


def test_a_folder_in_place_of_the_managed_configuration_goes(world: World):
    managed = world.backup / "files/config/managed.config.php"
    managed.unlink()
    (managed / "deep").mkdir(parents=True)
    restore(world)
    restored(world)
    kept(world)


def test_a_machine_without_the_space_s_user_says_so(world: World, monkeypatch):
    def nobody(_name: str) -> Any:
        raise KeyError("getpwnam(): name not found")

    monkeypatch.setattr("pwd.getpwnam", nobody)
    with pytest.raises(
        _restore.RestoreError, match=r"has no user space-amap: playbooks/spaces\.yml"
    ):
        restore(world)
    world.nothing_lost()


def test_a_backup_that_does_not_fit_touches_nothing(world: World, monkeypatch):
    tools = SimpleNamespace(
        rmtree=shutil.rmtree, disk_usage=lambda _: SimpleNamespace(free=1 << 20)
    )
    monkeypatch.setattr(_restore, "shutil", tools)
    with pytest.raises(_restore.RestoreError, match="make room there, and run again"):
        restore(world)
    untouched(world)


def test_rows_that_did_not_arrive_are_noticed(world: World):
    world.dump = json.dumps({"oc_new": 4}).encode()
    with pytest.raises(_restore.RestoreError, match="other rows in: oc_new") as caught:
        restore(world)
    assert "-e kept=back -e confirm=amap" in str(caught.value)
    world.nothing_lost()
    assert world.machine.running() == set()


def test_an_interrupted_restore_is_finished_before_another_begins(world: World, monkeypatch):
    monkeypatch.setitem(_restore.STEPS, "load", failing(_restore.load))
    with pytest.raises(OSError, match="the disk is gone"):
        restore(world)
    with pytest.raises(_restore.RestoreError, match="a restore from amap was interrupted"):
        _restore.run(world.settings, "velo", "amap", "latest")
    _journal.write("amap", {"verb": "purge", "step": "drop"})
    with pytest.raises(_restore.RestoreError, match=r"playbooks/purge\.yml"):
        restore(world)


def test_a_copy_knows_where_its_data_are(world: World):
    """Also those of team folders, which Nextcloud 33 and later keep as storages of their own."""
    world.databases["space_amap"] = {"oc_storages": 5}
    job = _restore.Job(world.settings, "velo", "amap", ID)
    for folder in ("1/files", "12/files", "trash"):
        Path(job.unpacked, "data/__groupfolders", folder).mkdir(parents=True)

    def ids(slug: str) -> set[str]:
        data = f"{world.settings.root}/{slug}/data/"
        folders = ("", "__groupfolders/1/", "__groupfolders/12/")
        return {_restore.storage_id(data + folder) for folder in folders}

    others = {"home::camille", "local::/srv/elsewhere/"}
    table = sqlite3.connect(":memory:")
    table.execute("CREATE TABLE oc_storages (id TEXT)")
    table.executemany("INSERT INTO oc_storages VALUES (?)", [(i,) for i in ids("velo") | others])
    _restore.rename_storages(job)
    for statement in world.said:
        table.execute(statement)
    found = {row[0] for row in table.execute("SELECT id FROM oc_storages")}
    assert found == ids("amap") | others


def test_a_storage_is_called_as_nextcloud_calls_it():
    short = "/srv/spaces/velo/data/__groupfolders/1/"
    assert _restore.storage_id(short) == f"local::{short}"
    long = f"/srv/spaces/{'v' * 40}/data/__groupfolders/1/"
    assert _restore.storage_id(long) == hashlib.md5(f"local::{long}".encode()).hexdigest()


def test_what_was_root_s_stays_root_s(world: World, monkeypatch):
    """The number of the space's user may be another one than when the backup was made."""
    given = {}
    base = Path(_restore.Job(world.settings, "amap", "amap", ID).unpacked)
    world.fill(base, "new")
    real, tools = os.lstat, getattr(_restore, "os")  # noqa: B009

    def lstat(path: str) -> Any:
        uid = 0 if path.endswith("/config/.") else 66000
        return SimpleNamespace(st_uid=uid, st_gid=66000, st_mode=real(path).st_mode)

    monkeypatch.setattr(tools, "lstat", lstat)
    monkeypatch.setattr(tools, "lchown", lambda path, user, _group: given.update({path: user}))
    _restore.own(_restore.Job(world.settings, "amap", "amap", ID))
    assert given[f"{base}/config/."] == 0
    assert given[f"{base}/data/camille/new.txt"] == 70001
