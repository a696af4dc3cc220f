# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What a restore takes from a backup, and what it makes of it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _restic,
    _restore_job,
    _restore_steps,
)
from tests.unit.plugins.module_utils.machine import machine
from tests.unit.plugins.module_utils.restoring import (
    ID,
    Lab,
    failing,
    has_previous,
    lab,
    restore,
    restored,
    untouched,
)

__all__ = ["lab", "machine"]


@pytest.mark.parametrize("damage", ["checksum", "json", "list", "missing", "other", "tables"])
def test_a_damaged_backup_touches_nothing(lab: Lab, damage: str):
    said = {
        "checksum": "the checksum of its database",
        "missing": "it is not one of ours",
        "other": "it says that it is of 'velo', not of amap",
    }.get(damage, "is damaged")
    lab.meta = {
        "checksum": json.dumps({"dump": {"sha256": "0" * 64}, "tables": {}}),
        "json": '{"dump": {',
        "list": "[]",
        "missing": None,
        "other": json.dumps({"dump": {"sha256": "0"}, "tables": {}, "slug": "velo"}),
        "tables": json.dumps({"dump": {"sha256": "0"}, "tables": {"oc_a": "many"}}),
    }[damage]
    with pytest.raises(_restore_job.RestoreError, match=said) as caught:
        restore(lab)
    assert "Take an earlier one with -e at=…" in str(caught.value)
    untouched(lab)


@pytest.mark.parametrize("said", ["", "[]", "{}", '{"total_size": "many"}'])
def test_a_restic_that_does_not_say_how_large_it_is(lab: Lab, monkeypatch, said: str):
    monkeypatch.setattr(_restic, "run", lambda *_: (0, said, ""))
    with pytest.raises(_restore_job.RestoreError, match="without a total_size"):
        restore(lab)
    untouched(lab)


def test_a_link_in_place_of_the_data_is_not_followed(lab: Lab):
    """Else root would give another space's files, or the system's, to this one."""
    others = lab.tmp / "others"
    (others / "deep").mkdir(parents=True)
    shutil.rmtree(lab.backup / "files/data")
    (lab.backup / "files/data").symlink_to(others)
    with pytest.raises(_restore_job.RestoreError, match="data in it is not a folder"):
        restore(lab)
    untouched(lab)
    assert (others / "deep").exists()


def test_links_below_are_restored_and_not_followed(lab: Lab, monkeypatch):
    """A space may hold links; what they lead to is not the space's."""
    others = lab.tmp / "others"
    others.mkdir()
    (others / "secret").write_text("not the space's")
    (lab.backup / "files/data/camille/out").symlink_to(others)
    (lab.backup / "files/data/aside").symlink_to(others / "secret")
    given: list[str] = []
    tools = getattr(_restore_steps, "os")  # noqa: B009
    monkeypatch.setattr(tools, "lchown", lambda path, *_: given.append(os.path.realpath(path)))
    job = _restore_job.Job(lab.settings, "amap", "amap", lab.server(), ID)
    os.makedirs(lab.settings.root, exist_ok=True)
    _restore_steps.fetch(job)
    given.clear()
    monkeypatch.setattr(tools, "lchown", lambda path, *_: given.append(str(path)))
    _restore_steps.own(job)
    assert [path for path in given if path.endswith(("/out", "/aside"))] != []
    assert not [path for path in given if "secret" in path]
    assert all(path.startswith(job.stage) for path in given)


def test_a_folder_in_place_of_the_managed_configuration_goes(lab: Lab):
    managed = lab.backup / "files/config/managed.config.php"
    managed.unlink()
    (managed / "deep").mkdir(parents=True)
    restore(lab)
    restored(lab)
    has_previous(lab)


def test_a_node_without_the_space_s_user_says_so(lab: Lab, monkeypatch):
    def nobody(_name: str) -> Any:
        raise KeyError("getpwnam(): name not found")

    monkeypatch.setattr("pwd.getpwnam", nobody)
    with pytest.raises(
        _restore_job.RestoreError, match=r"has no user space-amap: playbooks/spaces\.yml"
    ):
        restore(lab)
    lab.nothing_lost()


def test_a_backup_that_does_not_fit_touches_nothing(lab: Lab, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1 << 20))
    with pytest.raises(_restore_job.RestoreError, match="make room there, and run again"):
        restore(lab)
    untouched(lab)


def test_rows_that_did_not_arrive_are_noticed(lab: Lab):
    lab.dump = json.dumps({"oc_new": 4}).encode()
    with pytest.raises(_restore_job.RestoreError, match="other rows in: oc_new") as caught:
        restore(lab)
    assert "-e previous=restore -e confirm=amap" in str(caught.value)
    lab.nothing_lost()
    assert lab.machine.running() == set()


def test_a_copy_knows_where_its_data_are(lab: Lab):
    """Also those of team folders, which Nextcloud 33 and later keep as storages of their own."""
    lab.databases["space_amap"] = {"oc_storages": 5}
    job = _restore_job.Job(lab.settings, "velo", "amap", lab.server(), ID)
    for folder in ("1/files", "12/files", "trash"):
        Path(job.unpacked, "data/__groupfolders", folder).mkdir(parents=True)

    def ids(slug: str) -> set[str]:
        data = f"{lab.settings.root}/{slug}/data/"
        folders = ("", "__groupfolders/1/", "__groupfolders/12/")
        return {_restore_steps.storage_id(data + folder) for folder in folders}

    others = {"home::camille", "local::/srv/elsewhere/"}
    table = sqlite3.connect(":memory:")
    table.execute("CREATE TABLE oc_storages (id TEXT)")
    table.executemany("INSERT INTO oc_storages VALUES (?)", [(i,) for i in ids("velo") | others])
    _restore_steps.rename_storages(job)
    for statement in lab.said:
        table.execute(statement)
    found = {row[0] for row in table.execute("SELECT id FROM oc_storages")}
    assert found == ids("amap") | others


def test_a_storage_is_called_as_nextcloud_calls_it():
    short = "/srv/spaces/velo/data/__groupfolders/1/"
    assert _restore_steps.storage_id(short) == f"local::{short}"
    long = f"/srv/spaces/{'v' * 40}/data/__groupfolders/1/"
    assert _restore_steps.storage_id(long) == hashlib.md5(f"local::{long}".encode()).hexdigest()


def test_what_was_root_s_stays_root_s(lab: Lab, monkeypatch):
    """The number of the space's user may be another one than when the backup was made."""
    given = {}
    base = Path(_restore_job.Job(lab.settings, "amap", "amap", lab.server(), ID).unpacked)
    lab.fill(base, "new")
    real, tools = os.lstat, getattr(_restore_steps, "os")  # noqa: B009

    def lstat(path: str) -> Any:
        uid = 0 if path.endswith("/config") else 66000
        return SimpleNamespace(st_uid=uid, st_gid=66000, st_mode=real(path).st_mode)

    monkeypatch.setattr(tools, "lstat", lstat)
    monkeypatch.setattr(tools, "lchown", lambda path, user, _group: given.update({path: user}))
    _restore_steps.own(_restore_job.Job(lab.settings, "amap", "amap", lab.server(), ID))
    assert given[f"{base}/config"] == 0
    assert given[f"{base}/data/camille/new.txt"] == 70001


@pytest.mark.parametrize("how", ["another work directory", "another node"])
def test_a_backup_made_elsewhere_is_restored_here(lab: Lab, monkeypatch, how: str):
    """With the remedy for a disk that is full all earlier backups must not be lost."""
    home = str(lab.home) if how == "another work directory" else "/data/spaces/amap"
    lab.was_at = (home, "/mnt/other/staging/amap")
    paths = ("/mnt/other/staging/amap", f"{home}/config", f"{home}/data", f"{home}/release")
    when = datetime(2026, 5, 30, tzinfo=UTC)
    snapshot = _restic.Snapshot(ID, "amap", when, "node2", paths)
    monkeypatch.setattr(_restic, "choose", lambda *_: snapshot)
    monkeypatch.setitem(_restore_steps.STEPS, "load", failing(_restore_steps.load))
    with pytest.raises(OSError, match="the disk is gone"):
        restore(lab)
    # Whoever goes on knows it from the journal.
    monkeypatch.setattr(_restic, "choose", lambda *_: pytest.fail("it is chosen already"))
    restore(lab)
    restored(lab)
    has_previous(lab)


def test_a_release_that_is_not_here_touches_nothing(lab: Lab):
    link = lab.backup / "files/release"
    link.unlink()
    link.symlink_to("../../nextcloud/releases/31.0.9")
    with pytest.raises(_restore_job.RestoreError, match=r"release 31\.0\.9, which is not on this"):
        restore(lab)
    untouched(lab)
