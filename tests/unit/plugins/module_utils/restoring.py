# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A space, its backup, and a way to kill whoever restores it: for the tests of restores."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _restic,
    _restore,
    _restore_job,
    _restore_previous,
    _restore_steps,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from ansible_collections.archipel.spaces.plugins.module_utils._system import _projects
from tests.unit.plugins.module_utils.machine import Machine, own_journals

ID = "5" * 64
# Where its database is, where that is another node.
HOST, SECRET = "10.0.0.2", "a-password-nobody-else-has"
MANAGED = f"""<?php
$CONFIG = array (
  'dbhost' => '{HOST}',
  'dbname' => 'space_amap',
  'dbuser' => 'space-amap',
  'dbpassword' => '{SECRET}',
);
"""
# What its account may use there, while it is restored.
OWN = {"space_amap", "archipel_previous_amap"}
GRANT = r"GRANT ALL PRIVILEGES ON `{}`.* TO `space-amap`@`10.0.0.1`"
CONFIG = "<?php\n$CONFIG = array (\n  'installed' => true,\n  'mark' => '{}',\n);\n"
PHP = "space-php@amap.service"
UNITS = ("space-php@amap.socket", "space-cron@amap.timer", PHP)


class Killed(BaseException):
    """The process is gone: nothing tidies up after it."""


class Lab:
    """A space with an old state, its backup with a new one, and a way to kill whoever works."""

    def __init__(self, tmp_path: Path, machine: Machine, *, distant: bool) -> None:
        self.tmp, self.machine, self.distant = tmp_path, machine, distant
        # Whether the account of a database elsewhere has the right that a restore needs.
        self.granted = True
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
        # Where it was when it was backed up: its folder, its dump.
        self.was_at = (str(self.home), _backup.staging(self.settings, "amap"))
        self.fill(self.home, "old")
        self.configure()
        self.backup = tmp_path / "backup"
        self.fill(self.backup / "files", "new")
        (self.backup / "files/config/managed.config.php").write_text("another node's")
        self.dump = json.dumps({"oc_new": 5}).encode()

    @property
    def home(self) -> Path:
        return Path(self.settings.root, "amap")

    @property
    def previous(self) -> Path:
        return Path(self.settings.root, ".previous-amap")

    def fill(self, folder: Path, mark: str) -> None:
        (folder / "config").mkdir(parents=True)
        (folder / "config/config.php").write_text(CONFIG.format(mark))
        (folder / "data/camille").mkdir(parents=True)
        (folder / f"data/camille/{mark}.txt").write_text(mark)
        (self.tmp / "releases" / mark).mkdir(parents=True, exist_ok=True)
        (folder / "release").symlink_to(self.tmp / "releases" / mark)
        (folder / ".applied").write_text(mark)

    def configure(self) -> None:
        """Write what the role writes: where the database is."""
        if self.distant:
            (self.home / "config").mkdir(parents=True, exist_ok=True)
            (self.home / "config/managed.config.php").write_text(MANAGED)

    def server(self) -> _database.Server:
        """Return where the database is, as the module finds it.

        The playbook has the role write that before, unless nothing of the space may be made anew.
        """
        if "database" not in (_journal.read("amap") or {}):
            self.configure()
        return _restore_job.find_server(self.settings, "amap", distant=self.distant)

    def sees(self, server: _database.Server, name: str) -> bool:
        """Tell whether whoever asks sees a database; only the right server is ever asked."""
        assert server.host == (HOST if self.distant else "")
        if not self.distant:
            return True
        assert SECRET in Path(server.options[0].removeprefix("--defaults-file=")).read_text()
        return name in OWN and (self.granted or name == "space_amap")

    def may(self, server: _database.Server, *names: str) -> None:
        """Refuse what the account may not use, as the server does."""
        if denied := [name for name in names if not self.sees(server, name)]:
            raise _database.DatabaseError(f"Access denied to database {denied[0]}")

    def operation(self) -> None:
        """Count something that changes the node; be killed if a test wants it here."""
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
            there = [base / part for base in (self.home, self.previous)]
            assert [p for p in there if p.exists() and "old" in p.read_text()], part
        rows = [one.get("oc_old") for one in self.databases.values()]
        assert 3 in rows

    def role(self) -> None:
        """Do what the role does before the playbook goes on: what is missing is made, empty."""
        for part in ("config", "data"):
            (self.home / part).mkdir(parents=True, exist_ok=True)
        self.configure()
        self.databases.setdefault("space_amap", {})


def restic(lab: Lab, *words: str) -> tuple[int, str, str]:
    """Answer as restic does."""
    lab.operation()
    if words[0] == "stats":
        return 0, json.dumps({"total_size": 1000}), ""
    target = Path(next(w for w in words if w.startswith("--target=")).partition("=")[2])
    home = Path(f"{target}{lab.was_at[0]}")
    shutil.copytree(lab.backup / "files", home, symlinks=True)
    staged = Path(f"{target}{lab.was_at[1]}")
    staged.mkdir(parents=True)
    (staged / _backup.DUMP).write_bytes(lab.dump)
    digest = hashlib.sha256(lab.dump).hexdigest()
    meta = {"dump": {"sha256": digest}, "tables": {"oc_new": 5}}
    if lab.meta is not None:
        (staged / _backup.META).write_text(lab.meta or json.dumps(meta))
    return 0, "", ""


def pretend_changes(lab: Lab, monkeypatch) -> None:
    """Keep databases in a dictionary; whoever changes them needs the right to."""
    known = lab.databases

    def load(server, name: str, source: io.BufferedReader) -> None:
        lab.may(server, name)
        lab.operation()
        known[name] = {}
        lab.operation()
        known[name] = json.loads(source.read())

    def move(server, source: str, target: str) -> None:
        lab.operation()
        if known.get(source) and lab.sees(server, source):
            lab.may(server, source, target)
            # A table of the same name is in the way.
            assert not known[source].keys() & known.get(target, {}).keys()
            known[target] = {**known.get(target, {}), **known[source]}
            known[source] = {}

    def drop(server, name: str) -> None:
        lab.may(server, name)
        lab.operation()
        known.pop(name, None)

    for act in (load, move, drop):
        monkeypatch.setattr(_database, act.__name__, act)


def pretend_questions(lab: Lab, monkeypatch) -> None:
    """Answer as the server does: what an account may not use is not there for it."""
    known = lab.databases

    def tables(server, name: str) -> list[str]:
        return sorted(known.get(name, {})) if lab.sees(server, name) else []

    def counts(server, name: str) -> dict[str, int]:
        return dict(known.get(name, {})) if lab.sees(server, name) else {}

    def exists(server, name: str) -> bool:
        return lab.sees(server, name) and name in known

    def run(server, sql: str, *_: str) -> list[list[str]]:
        if sql == "SHOW GRANTS":
            assert lab.distant
            names = [name for name in sorted(OWN) if lab.sees(server, name)]
            return [[GRANT.format(name.replace("_", "\\_"))] for name in names]
        lab.said.append(sql)
        return []

    for act in (tables, counts, exists, run):
        monkeypatch.setattr(_database, act.__name__, act)


def pretend_files(lab: Lab, monkeypatch) -> None:
    """Count each change of a name, and give nothing away."""
    rename, unlink = os.rename, os.unlink

    def counted(act: Any) -> Any:
        def run(*words: Any, **options: Any) -> Any:
            lab.operation()
            return act(*words, **options)

        return run

    fake = SimpleNamespace(**{name: getattr(os, name) for name in dir(os) if name[0] != "_"})
    fake.rename, fake.unlink = counted(rename), counted(unlink)
    fake.lchown = lambda *_: None
    for module in (_restore_job, _restore_steps, _restore_previous):
        monkeypatch.setattr(module, "os", fake)
    monkeypatch.setattr(_restore_job, "remove_tree", counted(_restore_job.remove_tree))
    monkeypatch.setattr(_projects, "move", lambda path, number: lab.moved.append((path, number)))
    user = SimpleNamespace(pw_uid=70001)
    monkeypatch.setattr("pwd.getpwnam", lambda _name: user)


@pytest.fixture(params=["here", "elsewhere"])
def lab(tmp_path, monkeypatch, machine: Machine, request: pytest.FixtureRequest) -> Lab:
    """A space with its database on its own node, and with one on another node."""
    found = Lab(tmp_path, machine, distant=request.param == "elsewhere")
    own_journals(tmp_path, monkeypatch)
    pretend_changes(found, monkeypatch)
    pretend_questions(found, monkeypatch)
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


def restore(lab: Lab) -> list[str]:
    return _restore.run(lab.settings, "amap", "amap", "latest", lab.server())


def previous(lab: Lab) -> _restore_previous.Previous:
    return _restore_previous.Previous(lab.settings, "amap", lab.server())


def put_back(lab: Lab) -> list[str]:
    return _restore_previous.put_back(previous(lab))


def discard(lab: Lab) -> list[str]:
    return _restore_previous.discard(previous(lab))


def restored(lab: Lab) -> None:
    assert lab.state(lab.home) == "new"
    managed = lab.home / "config/managed.config.php"
    # Only the role writes it, before the playbook goes on with what was cut short.
    assert not managed.exists() or (lab.distant and managed.read_text() == MANAGED)
    assert lab.databases["space_amap"] == {"oc_new": 5}


def keeps(lab: Lab) -> bool:
    return _restore_job.has_previous(lab.settings, "amap", lab.server())


def has_previous(lab: Lab) -> None:
    assert lab.state(lab.previous) == "old"
    assert lab.databases["archipel_previous_amap"] == {"oc_old": 3}


def settled(lab: Lab) -> None:
    """Nothing of the work itself is left behind."""
    assert _journal.read("amap") is None
    assert not (lab.tmp / "still/amap").exists()
    assert not Path(lab.settings.root, ".restore-amap").exists()


def untouched(lab: Lab) -> None:
    """Nothing was changed, nothing is closed, and nothing is left over."""
    settled(lab)
    assert lab.state(lab.home) == "old"
    assert lab.machine.running() == set(UNITS)
    assert not lab.previous.exists()
    assert lab.databases == {"space_amap": {"oc_old": 3}}


def came_back(lab: Lab) -> None:
    """The state from before is there alone, and may be started."""
    settled(lab)
    assert lab.state(lab.home) == "old"
    assert lab.machine.running() == set()
    assert not lab.previous.exists()
    assert lab.databases == {"space_amap": {"oc_old": 3}}


def cut_short(lab: Lab) -> None:
    """Between two runs nothing is lost, and somebody may have started the space again."""
    lab.left = -1
    lab.nothing_lost()
    lab.machine.run(*UNITS)


def again(lab: Lab) -> None:
    """Make the beginning anew."""
    for folder in (Path(lab.settings.root), lab.tmp / "life", lab.tmp / "still"):
        shutil.rmtree(folder, ignore_errors=True)
    lab.databases.clear()
    lab.databases["space_amap"] = {"oc_old": 3}
    lab.fill(lab.home, "old")
    lab.configure()
    lab.machine.run(*UNITS)


def failing(act: Any) -> Any:
    """Return a step that fails the first time."""
    seen: Counter[str] = Counter()

    def run(job: _restore_job.Job) -> None:
        seen["run"] += 1
        if seen["run"] == 1:
            raise OSError("the disk is gone")
        act(job)

    return run
