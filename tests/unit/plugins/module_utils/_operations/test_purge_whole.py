# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A space that goes for good: what is said is what goes, and it may be brought back."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal, _layout
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _backup_record,
    _purge,
    _restic,
    _restore_job,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from ansible_collections.archipel.spaces.plugins.module_utils._system import (
    _accounts,
    _quotactl,
    _standstill,
    _systemd,
    _units,
)
from tests.unit.plugins.module_utils.machine import own_journals

ID = "5" * 64
TAKEN = datetime(2026, 5, 30, 12, tzinfo=UTC)


class Node:
    """A node with two spaces, amap and amap-du-val; the first of them goes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.databases = {"space_amap": 3, "space_amap-du-val": 1, "archipel_previous_amap": 2}
        self.hosts = ["localhost", "10.0.0.7"]
        self.said: list[str] = []
        self.users = {"space-amap": 70002}
        settings = _backup.Settings(
            environment="lab",
            node="node1",
            root=str(root / "spaces"),
            vhosts=str(root / "vhosts"),
            work=str(root / "work"),
            socket="/s",
            database_ca="/ca",
            parallel=1,
            retention={},
            gone_days=1,
            check_percent=1,
            metrics="",
            repository=_restic.Repository("/r", "/p", "/c"),
        )
        names = [one.name for one in fields(_layout.Places)]
        self.places = _layout.Places(**{name: str(root / name) for name in names})
        self.places = replace(self.places, root=settings.root, backup=settings.work)
        self.job = _purge.Job(settings, _layout.Layout("amap", self.places), 70002, "2026-05-01")
        config = Path(settings.root, "amap/config/config.php")
        config.parent.mkdir(parents=True)
        config.write_text("<?php\n$CONFIG = array(\n'installed' => true,\n);")
        self.age(Path(settings.root, "amap"))

    def age(self, folder: Path, moment: float = TAKEN.timestamp() - 60) -> None:
        """Let everything below a folder be older than the backup."""
        for path in [*folder.rglob("*"), folder]:
            os.utime(path, (moment, moment), follow_symlinks=False)

    def fill(self, slug: str) -> list[Path]:
        """Make all that a space can have on a node."""
        made = []
        layout = _layout.Layout(slug, self.places)
        for path in (Path(pattern.replace("*", "0f3a")) for pattern in layout.owned):
            made.append(path)
            if path.exists():
                continue
            if path.suffix or "still" in path.parts:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("x")
            else:
                path.mkdir(parents=True)
                (path / "inner").write_text("x")
        return made


@pytest.fixture
def node(tmp_path, monkeypatch) -> Node:
    found = Node(tmp_path)
    own_journals(tmp_path, monkeypatch)
    monkeypatch.setattr(_standstill, "FOLDER", str(tmp_path / "still"))
    pretend_database(found, monkeypatch)
    observed = _units.Observed(
        enabled={"space-cron@amap.timer"}, active={"space-php@amap.socket": "active"}
    )
    monkeypatch.setattr(_units, "read_observed", lambda: observed)
    monkeypatch.setattr("pwd.getpwnam", lambda name: SimpleNamespace(pw_uid=found.users[name]))
    monkeypatch.setattr(
        _restic,
        "snapshots",
        lambda *_: [_restic.Snapshot(ID, "amap", TAKEN, "node1")],
    )
    return found


def pretend_database(node: Node, monkeypatch) -> None:
    def run(_server: Any, sql: str) -> list[list[str]]:
        if sql.startswith("SELECT Host"):
            assert sql.endswith("User = 'space-amap'")
            return [[host] for host in node.hosts]
        node.said.append(sql)
        return []

    monkeypatch.setattr(_database, "run", run)
    monkeypatch.setattr(_database, "exists", lambda _server, name: name in node.databases)
    monkeypatch.setattr(_database, "counts", lambda _server, name: {"oc_a": node.databases[name]})
    monkeypatch.setattr(_database, "drop", lambda _server, name: node.databases.pop(name))


def test_all_of_it_is_said_and_all_that_is_said_goes_and_nothing_else(node: Node):
    others = node.fill("amap-du-val")
    made = node.fill("amap")
    assert len(made) > 20
    said = _purge.inventory(node.job)
    for path in made:
        assert [line for line in said if f" {path}" in line], path
    assert "database space_amap (3 rows)" in said
    assert "database archipel_previous_amap (2 rows)" in said
    assert "database account space-amap@10.0.0.7" in said
    assert "user and group space-amap (70002)" in said
    assert {"unit space-cron@amap.timer", "unit space-php@amap.socket"} <= set(said)
    _purge.drop(node.job)
    _purge.delete(node.job)
    assert [path for path in made if os.path.lexists(path)] == []
    assert [path for path in others if not path.exists()] == []
    assert node.databases == {"space_amap-du-val": 1}
    assert node.said == ["DROP USER 'space-amap'@'localhost'", "DROP USER 'space-amap'@'10.0.0.7'"]


def test_a_link_goes_and_not_what_it_leads_to(node: Node, tmp_path: Path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/file").write_text("theirs")
    kept = Path(node.job.settings.root, ".previous-amap")
    kept.symlink_to(tmp_path / "theirs")
    assert f"file {kept}" in _purge.inventory(node.job)
    _purge.delete(node.job)
    assert not kept.is_symlink()
    assert (tmp_path / "theirs/file").exists()


def test_what_is_gone_already_goes_again(node: Node):
    node.fill("amap")
    for _ in range(2):
        _purge.delete(node.job)
    node.databases.clear()
    node.hosts.clear()
    node.users.clear()
    _purge.drop(node.job)
    assert [line for line in _purge.inventory(node.job) if not line.startswith("unit ")] == []


def record(node: Node, **changes: Any) -> None:
    entry = {
        "backup": {"at": TAKEN.isoformat(), "snapshot": ID},
        "verification": {"snapshot": ID, "at": TAKEN.isoformat()},
    }
    _backup_record.write(node.job.settings.work, "amap", **{**entry, **changes})


def test_a_space_that_can_be_brought_back_may_go(node: Node):
    record(node)
    assert _purge.last_backup(node.job) == ID


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"backup": None}, "there is no backup of it"),
        ({"backup": {"at": "2026-04-30T12:00:00+00:00", "snapshot": ID}}, "before it closed"),
        ({"verification": None}, "is not verified .nobody has tried it."),
        (
            {"verification": None, "unverified": {"reason": "a pack is damaged"}},
            "is not verified .a pack is damaged",
        ),
        ({"verification": {"snapshot": "4" * 64}}, "is not verified"),
    ],
)
def test_one_that_cannot_stays(node: Node, changes: dict[str, Any], said: str):
    record(node, **changes)
    with pytest.raises(
        _purge.PurgeError, match=f"{said}.*playbooks/backup.yml -e only=amap -e verify=true"
    ):
        _purge.last_backup(node.job)


def test_a_backup_that_is_in_no_repository_any_more(node: Node, monkeypatch):
    record(node)
    monkeypatch.setattr(_restic, "snapshots", lambda *_: [])
    with pytest.raises(_purge.PurgeError, match="no longer in the repository"):
        _purge.last_backup(node.job)


@pytest.mark.parametrize("how", ["changed", "made", "removed", "linked"])
def test_what_people_did_since_the_backup_is_not_thrown_away(node: Node, how: str):
    record(node)
    data = Path(node.job.layout.home, "data/camille")
    data.mkdir(parents=True)
    (data / "a.txt").write_text("a")
    (data / "b.txt").write_text("b")
    node.age(Path(node.job.layout.home))
    assert not _purge.changed_since(node.job, TAKEN.timestamp())
    acts: dict[str, Callable[[], object]] = {
        "changed": lambda: (data / "a.txt").write_text("another"),
        "made": lambda: (data / "c.txt").write_text("c"),
        "removed": (data / "b.txt").unlink,
        "linked": lambda: (data / "out").symlink_to("/nowhere"),
    }
    acts[how]()
    with pytest.raises(_purge.PurgeError, match="was changed since its last backup"):
        _purge.last_backup(node.job)


def test_folders_are_looked_into_and_removed_however_deep_they_are(node: Node):
    """Deeper than Python calls itself: a WebDAV client can make them."""
    data = Path(node.job.layout.data)
    data.mkdir(exist_ok=True)
    node.age(Path(node.job.layout.home))
    here = os.open(data, os.O_RDONLY)
    try:
        for _ in range(1200):
            os.mkdir("a", dir_fd=here)
            inner = os.open("a", os.O_RDONLY, dir_fd=here)
            os.utime(here, (0, 0))
            os.close(here)
            here = inner
        old, new = (_purge.changed_since(node.job, moment) for moment in (TAKEN.timestamp(), 0))
        os.utime(here, (0, 0))
        unchanged = not _purge.changed_since(node.job, TAKEN.timestamp())
    finally:
        os.close(here)
        _restore_job.remove(str(data))
    assert (old, new, unchanged) == (True, True, True)
    assert not data.exists()


def test_what_cannot_be_removed_is_named(tmp_path: Path, monkeypatch):
    (tmp_path / "rm").write_text("#!/bin/sh\necho 'Operation not permitted' >&2; exit 1\n")
    (tmp_path / "rm").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(OSError, match="could not be removed: Operation not permitted"):
        _restore_job.remove(str(tmp_path))


def test_what_the_role_writes_is_no_change_of_people_s(node: Node):
    managed = Path(node.job.layout.home, "config/managed.config.php")
    managed.write_text("<?php")
    stamp = TAKEN.timestamp() - 60
    os.utime(managed.parent, (stamp, stamp))
    assert not _purge.changed_since(node.job, TAKEN.timestamp())


def test_a_space_that_was_never_installed_needs_no_backup(node: Node):
    Path(node.job.layout.home, "config/config.php").unlink()
    node.databases.clear()
    assert _purge.last_backup(node.job) == ""


def test_an_interrupted_purge_had_its_backup_when_it_began(node: Node):
    _journal.write("amap", {"verb": "purge", "step": "drop", "id": 70002, "backup": ID})
    assert _purge.last_backup(node.job) == ID


def test_a_user_of_another_number_is_somebody_else(node: Node):
    node.users["space-amap"] = 1000
    with pytest.raises(_purge.PurgeError, match=r"has id 1000, placement\.yml says 70002"):
        _purge.inventory(node.job)


def test_the_user_goes_with_its_declarations(node: Node, monkeypatch):
    called: list[list[str]] = []
    undone: list[str] = []
    monkeypatch.setattr(_purge, "undeclare", lambda path, _own: undone.append(path))

    def userdel(command: list[str]) -> tuple[int, str]:
        called.append(command)
        return (0, "") if len(called) == 1 else (8, "user is currently used by process 1")

    monkeypatch.setattr(_accounts, "run", userdel)
    _purge.dismiss(node.job)
    assert called == [["userdel", "space-amap"]]
    assert len(undone) == 2
    with pytest.raises(_purge.PurgeError, match="currently used by process 1"):
        _purge.dismiss(node.job)


def test_its_limit_goes_where_there_are_limits(node: Node, monkeypatch):
    limited: list[tuple[int, int, int]] = []
    monkeypatch.setattr(_quotactl, "limit", lambda _d, *words: limited.append(words))
    monkeypatch.setattr(_quotactl, "state", lambda _descriptor: (False, ""))
    _purge.unlimit(node.job)
    assert limited == []
    monkeypatch.setattr(_quotactl, "state", lambda _descriptor: (True, ""))
    _purge.unlimit(node.job)
    assert limited == [(70002, 0, 0)]


def test_no_limit_where_there_are_no_spaces_at_all(tmp_path):
    settings: Any = SimpleNamespace(root=str(tmp_path / "nothing"), socket="/s")
    _purge.unlimit(_purge.Job(settings, _layout.Layout("amap"), 70002, ""))


def test_nginx_forgets_the_name_first(node: Node, monkeypatch):
    vhost = Path(node.job.settings.vhosts, "amap.conf")
    vhost.parent.mkdir(parents=True)
    vhost.write_text("server {}")
    called: list[tuple[str, ...]] = []
    monkeypatch.setattr(_systemd, "systemctl", lambda *words: called.append(words))
    _purge.unpublish(node.job)
    assert not vhost.exists()
    assert called == [("reload", "nginx.service")]


def test_what_was_known_of_its_backups_is_forgotten(node: Node):
    record(node)
    _backup_record.write(node.job.settings.work, "velo", backup={"snapshot": "1"})
    _purge.settle(node.job)
    assert set(_backup_record.read(node.job.settings.work)) == {"velo"}


def test_a_copy_needs_no_backup(node: Node):
    assert _purge.last_backup(replace(node.job, is_copy=True)) == ""
    with pytest.raises(_purge.PurgeError, match="there is no backup of it"):
        _purge.last_backup(node.job)


def test_a_copy_that_was_never_finished_goes_too(node: Node):
    journal = {"verb": "clone", "step": "load", "source": "velo", "instance": "oc1"}
    _journal.write("amap", journal)
    with pytest.raises(_purge.PurgeError, match="it is being made as a copy of velo"):
        _purge.run(node.job, check=True)
    assert _purge.run(replace(node.job, is_copy=True), check=True)["backup"] == ""
    # Nothing else that is under way is given up for that.
    _journal.write("amap", {"verb": "restore", "step": "load"})
    with pytest.raises(_purge.PurgeError, match="a restore of it was interrupted"):
        _purge.run(replace(node.job, is_copy=True), check=True)
