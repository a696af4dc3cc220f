# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A space that people use, a node that copies it, and a way to kill whoever does: for tests."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import typing as t
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _files, _journal
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _clone,
    _restic,
    _restore_job,
    _restore_steps,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from ansible_collections.archipel.spaces.plugins.module_utils._system import (
    _projects,
    _standstill,
)
from tests.unit.plugins.module_utils.machine import own_journals

SOURCE, TARGET = "amap", "amap-essai"
OLD = "ocsource0001"
CONFIG = f"""<?php
$CONFIG = array (
  'instanceid' => '{OLD}',
  'passwordsalt' => 'a salt of old times',
  'secret' => 'the secret of the space',
  'mail_smtphost' => 'relay.example',
  'dbtableprefix' => 'oc_',
  'version' => '33.0.3.2',
  'installed' => true,
);
"""
TABLES = {"oc_appconfig": 9, "oc_authtoken": 3, "oc_filecache": 40, "oc_share": 2, "oc_users": 5}


class Killed(BaseException):
    """The process is gone: nothing tidies up after it."""


class Lab:
    """One node with the space; databases are a dictionary, and statements are written down."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.databases: dict[str, dict[str, int]] = {}
        self.said: list[tuple[str, str]] = []
        self.answers: dict[str, list[list[str]]] = {}
        self.left, self.done = -1, 0
        self.free = 1 << 40
        self.settings = _backup.Settings(
            environment="lab",
            node="node1",
            root=str(folder / "spaces"),
            vhosts=str(folder / "vhosts"),
            work=str(folder / "work"),
            socket="/s",
            database_ca="/ca",
            parallel=1,
            retention={},
            gone_days=1,
            check_percent=1,
            metrics="",
            repository=_restic.Repository("/r", "/p", "/c"),
        )
        self.start()

    def home(self, slug: str) -> Path:
        return Path(self.settings.root, slug)

    def start(self) -> None:
        """Begin anew: the space as it is, and a node that has the user and folders of the copy."""
        for name in ("spaces", "life", "still"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        self.said.clear()
        self.databases.clear()
        self.databases |= {"space_amap": dict(TABLES), "space_amap-essai": {}}
        home = self.home(SOURCE)
        for name in (f"data/appdata_{OLD}/theming", "data/camille/files", "config", "log"):
            (home / name).mkdir(parents=True)
        (home / "config/config.php").write_text(CONFIG)
        (home / "config/managed.config.php").write_text("of the space")
        (home / f"data/appdata_{OLD}/theming/logo").write_text("a picture")
        (home / "data/camille/files/letter.txt").write_text("what people stored")
        (home / "log/nextcloud.log").write_text("not copied")
        (home / "release").symlink_to("../../nextcloud/releases/33.0.3")
        (home / ".applied").write_text("of the space")
        for name in ("config", "data"):
            (self.home(TARGET) / name).mkdir(parents=True)

    def operation(self) -> None:
        """Count something that changes the node; be killed if a test wants it here."""
        self.done += 1
        if self.left == 0:
            raise Killed
        self.left -= 1

    def source(self) -> dict[str, str]:
        """Return everything of the space, as it is on the disk and in the database."""
        home = self.home(SOURCE)
        found = {
            str(one.relative_to(home)): one.read_text() for one in home.rglob("*") if one.is_file()
        }
        return {**found, "rows": json.dumps(self.databases["space_amap"], sort_keys=True)}

    def claim(self) -> bool:
        return _clone.claim(self.settings, SOURCE, TARGET)

    def run(self) -> list[str]:
        return _clone.run(self.settings, SOURCE, TARGET)


def dump(lab: Lab, space: _backup.Space, folder: str) -> dict[str, t.Any]:
    """Do as _backup.dump does."""
    lab.operation()
    text = json.dumps(lab.databases[space.database]).encode()
    Path(folder, _backup.DUMP).write_bytes(text)
    digest = hashlib.sha256(text).hexdigest()
    meta = {"slug": space.slug, "tables": lab.databases[space.database], "dump": {"sha256": digest}}
    lab.operation()
    Path(folder, _backup.META).write_text(json.dumps(meta))
    return meta


def copy_files(lab: Lab, home: str, to: str) -> None:
    """Do as rsync does, one part after the other."""
    for part in ("config", "data", "release"):
        lab.operation()
        there = Path(to, part)
        if part == "release":
            there.unlink(missing_ok=True)
            there.symlink_to(os.readlink(f"{home}/release"))
        else:
            shutil.rmtree(there, ignore_errors=True)
            shutil.copytree(f"{home}/{part}", there, symlinks=True)


def pretend_database(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep databases in a dictionary."""
    known = lab.databases

    def load(_server: object, name: str, source: t.IO[bytes]) -> None:
        lab.operation()
        known[name] = {}
        lab.operation()
        known[name] = json.loads(source.read())

    def run(_server: object, sql: str, database: str = "") -> list[list[str]]:
        if sql.startswith("SELECT"):
            return next((rows for part, rows in lab.answers.items() if part in sql), [])
        lab.operation()
        lab.said.append((database, sql))
        return []

    monkeypatch.setattr(_database, "load", load)
    monkeypatch.setattr(_database, "run", run)
    monkeypatch.setattr(_database, "tables", lambda _server, name: sorted(known.get(name, {})))
    monkeypatch.setattr(_database, "counts", lambda _server, name: dict(known.get(name, {})))
    monkeypatch.setattr(_database, "size", lambda _server, _name: 1 << 20)
    monkeypatch.setattr(_backup, "dump", lambda _settings, space, folder: dump(lab, space, folder))


def pretend_files(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Count each change of a name, and give nothing away."""
    rename, unlink, write = os.rename, os.unlink, _files.write_file

    def counted(act: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        def run(*words: t.Any, **options: t.Any) -> t.Any:
            lab.operation()
            return act(*words, **options)

        return run

    fake = SimpleNamespace(**{name: getattr(os, name) for name in dir(os) if name[0] != "_"})
    fake.rename, fake.unlink = counted(rename), counted(unlink)
    fake.lchown = lambda *_: None
    for module in (_clone, _restore_job, _restore_steps):
        monkeypatch.setattr(module, "os", fake)
    monkeypatch.setattr(_restore_job, "remove_tree", counted(_restore_job.remove_tree))
    monkeypatch.setattr(
        _files,
        "write_file",
        counted(lambda content: write({**content, "uid": os.getuid(), "gid": os.getgid()})),
    )
    monkeypatch.setattr(_projects, "move", lambda *_: None)
    monkeypatch.setattr("pwd.getpwnam", lambda _name: SimpleNamespace(pw_uid=70002))
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=lab.free))
    monkeypatch.setattr(_clone, "copy_files", lambda home, to: copy_files(lab, home, to))


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A node with a space that people use."""
    found = Lab(tmp_path)
    own_journals(tmp_path, monkeypatch)
    monkeypatch.setattr(_standstill, "FOLDER", str(tmp_path / "still"))
    pretend_database(found, monkeypatch)
    pretend_files(found, monkeypatch)
    return found


def is_whole(lab: Lab) -> None:
    """The copy is there, with its own identity, and nothing of the work is left."""
    home = lab.home(TARGET)
    config = (home / "config/config.php").read_text()
    assert OLD not in config
    assert "the secret of the space" not in config
    assert "relay.example" not in config
    assert "'passwordsalt' => 'a salt of old times'" in config
    assert "'version' => '33.0.3.2'" in config
    (folder,) = (one.name for one in (home / "data").iterdir() if one.name.startswith("appdata_"))
    assert f"'instanceid' => '{folder.removeprefix('appdata_')}'" in config
    assert (home / f"data/{folder}/theming/logo").read_text() == "a picture"
    assert (home / "data/camille/files/letter.txt").read_text() == "what people stored"
    assert os.readlink(home / "release") == "../../nextcloud/releases/33.0.3"
    assert lab.databases["space_amap-essai"] == TABLES
    # Written by the role before it is opened; what was applied to the space was not to the copy.
    assert not (home / "config/managed.config.php").exists()
    assert not (home / ".applied").exists()
    assert _journal.read(TARGET) is None
    assert not (lab.folder / f"still/{TARGET}").exists()
    assert sorted(one.name for one in Path(lab.settings.root).iterdir()) == [SOURCE, TARGET]
    # The database has the name of the folder that is on the disk.
    (cleaned,) = {sql for _, sql in lab.said if sql.startswith("BEGIN")}
    assert f"CONCAT('{folder}', SUBSTRING(path, {len(OLD) + 9}))" in cleaned
