# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Backups as restic and MariaDB's programs see them, and repositories that are not well."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _backup_record,
    _restic,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from tests.unit.plugins.module_utils.machine import own_journals

CONFIG = "<?php\n$CONFIG = array (\n  'installed' => true,\n);\n"
# What it is told stands in `calls`; what a verb prints, says and ends with are files of a test's.
RESTIC = """\
#!/bin/sh
lab=$(dirname "$0")
echo "$*" >>"$lab/calls"
for word; do case $word in --*) ;; *) verb=$word; break ;; esac; done
if [ "$verb" = backup ]; then
    for last; do case $last in */staging/*) cp -r "$last" "$lab/taken" ;; esac; done
fi
cat "$lab/$verb.out" 2>/dev/null
cat "$lab/$verb.err" >&2 2>/dev/null
exit "$(cat "$lab/$verb.code" 2>/dev/null || echo 0)"
"""
DUMP = """\
#!/bin/sh
cat "$(dirname "$0")/dump.sql"
"""
SUMMARY = {
    "message_type": "summary",
    "snapshot_id": "a" * 64,
    "total_files_processed": 5,
    "total_bytes_processed": 900,
}


class Lab:
    """A node with one space, and programs that do what a test wants."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = folder / "programs"
        self.programs.mkdir()
        for name, text in (("restic", RESTIC), ("mariadb-dump", DUMP)):
            (self.programs / name).write_text(text)
            (self.programs / name).chmod(0o755)
        self.put("dump.sql", "CREATE TABLE `oc_a` (\nINSERT INTO `oc_a` VALUES\n(1),\n(2);\n")
        self.put("backup.out", '{"message_type": "status"}\n' + json.dumps(SUMMARY))
        self.settings = _backup.Settings(
            environment="lab",
            node="node1",
            root=str(folder / "spaces"),
            vhosts=str(folder / "vhosts"),
            work=str(folder / "work"),
            socket="/s",
            database_ca="/ca",
            parallel=2,
            retention={"keep-daily": 7, "keep-monthly": 0},
            gone_days=90,
            check_percent=5,
            metrics="",
            repository=_restic.Repository("/r", "/p", "/c", options=("sftp.command=ssh",)),
        )
        home = Path(self.settings.root, "amap")
        (home / "config").mkdir(parents=True)
        (home / "config/config.php").write_text(CONFIG)
        (home / "release").symlink_to("../../nextcloud/releases/33.0.3")

    def put(self, name: str, text: str) -> None:
        (self.programs / name).write_text(text)

    def calls(self) -> list[str]:
        path = self.programs / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def staging(self) -> Path:
        return Path(_backup.staging(self.settings, "amap"))


@pytest.fixture
def lab(tmp_path, monkeypatch) -> Lab:
    found = Lab(tmp_path)
    own_journals(tmp_path, monkeypatch)
    monkeypatch.setenv("PATH", str(found.programs), prepend=":")
    monkeypatch.setattr(_database, "size", lambda *_: 1000)
    return found


def test_a_backup_holds_the_database_its_description_and_what_makes_the_space(lab: Lab):
    report = _backup.back_up(lab.settings, "amap")
    assert (report["snapshot"], report["tables"], report["rows"]) == ("a" * 64, 1, 2)
    (call,) = lab.calls()
    home = f"{lab.settings.root}/amap"
    assert "--option=sftp.command=ssh" in call
    assert "--tag=space:amap,environment:lab" in call
    # What the space does not have is not asked for.
    assert call.endswith(f" -- {lab.staging()} {home}/config {home}/release")
    meta = json.loads((lab.programs / "taken/space.json").read_text())
    assert (meta["slug"], meta["release"], meta["tables"]) == ("amap", "33.0.3", {"oc_a": 2})
    assert meta["dump"]["bytes"] == (lab.programs / "taken/database.sql").stat().st_size
    assert not lab.staging().exists()
    assert _backup_record.read(lab.settings.work)["amap"] == {"backup": report}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"dump.sql": ""}, "has no table: nothing was backed up"),
        ({"backup.out": '{"message_type": "status"}\n'}, "restic made no snapshot"),
        (
            {"backup.code": "1", "backup.err": "Fatal: wrong password or no key found"},
            "another key",
        ),
        ({"backup.code": "3", "backup.err": "error: permission denied"}, "could not be read"),
        # Said in words that nobody here knows: it may be anything.
        (
            {"backup.code": "3", "backup.err": "Warning: 2 left out"},
            "could not be read: Warning: 2",
        ),
        ({"backup.code": "3", "backup.err": ""}, "could not be read: restic does not say which"),
    ],
)
def test_what_is_no_backup_is_written_down_and_leaves_nothing(
    lab: Lab, files: dict[str, str], said: str
):
    for name, text in files.items():
        lab.put(name, text)
    assert said in str(_backup.attempt(lab.settings, "amap"))
    assert said in _backup_record.read(lab.settings.work)["amap"]["failed"]["reason"]
    assert not lab.staging().exists()


def test_files_that_went_meanwhile_are_no_failure(lab: Lab):
    lab.put("backup.code", "3")
    lab.put("backup.err", "error: lstat /x: no such file or directory")
    assert isinstance(_backup.attempt(lab.settings, "amap"), dict)


def test_a_disk_without_room_for_the_dump(lab: Lab, monkeypatch):
    monkeypatch.setattr(_database, "size", lambda *_: 1 << 60)
    assert "make room, or set backup_work_directory" in str(_backup.attempt(lab.settings, "amap"))
    assert lab.calls() == []


def test_what_an_earlier_run_left_in_staging_is_not_backed_up(lab: Lab):
    lab.staging().mkdir(parents=True)
    (lab.staging() / "old").write_text("left")
    _backup.back_up(lab.settings, "amap")
    assert sorted(os.listdir(lab.programs / "taken")) == ["database.sql", "space.json"]


def test_a_space_that_somebody_is_at_work_on_waits(lab: Lab, monkeypatch):
    monkeypatch.setattr(_backup, "PATIENCE", 0)
    with _journal.exclusive("life-amap"):
        assert "life-amap.lock" in str(_backup.attempt(lab.settings, "amap"))
    assert lab.calls() == []


def test_a_space_that_whoever_was_waited_for_left_half_way(lab: Lab, monkeypatch):
    """Else half a restore would be its last backup."""
    exclusive = _journal.exclusive

    @contextlib.contextmanager
    def fails_meanwhile(name: str, *, patience: float = 0) -> Iterator[None]:
        with exclusive(name, patience=patience):
            _journal.write("amap", {"verb": "restore", "step": "load"})
            yield

    monkeypatch.setattr(_journal, "exclusive", fails_meanwhile)
    assert "a restore of it was interrupted" in str(_backup.attempt(lab.settings, "amap"))
    assert lab.calls() == []


def test_several_at_a_time_and_the_repository_is_opened_once(lab: Lab):
    outcome = _backup.run(lab.settings, ["amap"])
    assert list(outcome.done) == ["amap"]
    assert [call.split(" ")[2] for call in lab.calls()] == ["cat", "unlock", "backup"]


def snapshot(identity: str, space: str, time: str, host: str = "node1") -> dict[str, object]:
    return {"id": identity, "tags": [f"space:{space}"], "time": time, "hostname": host}


def test_what_is_gone_for_long_enough_is_let_go(lab: Lab):
    old, new = "2020-01-01T00:00:00.123456789Z", _backup.now()
    rows = [
        snapshot("1", "gone", old),
        snapshot("2", "gone", old),
        snapshot("3", "amap", old),
        # Of another node: it may have the space still.
        snapshot("4", "gone", new, host="node2"),
        # All of them stay until the last one is old enough.
        snapshot("5", "purged", old),
        snapshot("6", "purged", new),
    ]
    lab.put("snapshots.out", json.dumps(rows))
    assert _backup.maintain(lab.settings) == ["1", "2"]
    verbs = [call.split(" ", 2)[2] for call in lab.calls()]
    assert verbs[2] == "forget --host=node1 --group-by=host,tags --keep-last=1 --keep-daily=7"
    assert verbs[-3:] == ["forget 1 2", "prune", "check --read-data-subset=5%"]


def test_earlier_backups_outlive_a_disk_of_spaces_that_is_not_mounted(lab: Lab):
    rows = [snapshot("1", "amap", "2020-01-01T00:00:00Z"), snapshot("2", "amap", _backup.now())]
    lab.put("snapshots.out", json.dumps(rows))
    shutil.rmtree(lab.settings.root)
    assert _backup.forget(lab.settings) == []
    os.mkdir(lab.settings.root)
    assert _backup.forget(lab.settings) == []


def test_nothing_that_is_gone_is_asked_to_go(lab: Lab):
    lab.put("snapshots.out", "null")
    assert _backup.forget(lab.settings) == []
    assert len(lab.calls()) == 2


def test_settings_that_no_role_has_written(tmp_path):
    with pytest.raises(_backup.BackupError, match="this node keeps no backups yet"):
        _backup.read_settings(str(tmp_path / "backup.json"))


def test_settings_as_the_role_writes_them(lab: Lab, tmp_path):
    values = {**vars(lab.settings), "repository": vars(lab.settings.repository)}
    (tmp_path / "backup.json").write_text(json.dumps(values))
    assert _backup.read_settings(str(tmp_path / "backup.json")) == lab.settings


class TestRepository:
    def test_one_that_is_not_there_is_made(self, lab: Lab):
        lab.put("cat.code", "1")
        lab.put("cat.err", "Fatal: unable to open config file: stat: no such file or directory")
        assert _restic.make(lab.settings.repository)
        assert [call.split(" ")[2] for call in lab.calls()] == ["cat", "init"]

    def test_one_that_is_there_is_left(self, lab: Lab):
        assert not _restic.make(lab.settings.repository)

    def test_one_that_does_not_open_is_not_made_anew(self, lab: Lab):
        lab.put("cat.code", "12")
        lab.put("cat.err", "Fatal: wrong password or no key found")
        with pytest.raises(_restic.ResticError, match="another key"):
            _restic.make(lab.settings.repository)
        assert len(lab.calls()) == 1

    def test_a_node_without_restic(self, lab: Lab, monkeypatch):
        monkeypatch.setenv("PATH", "/nowhere")
        with pytest.raises(_restic.ResticError, match=r"run playbooks/platform\.yml"):
            _restic.check_reachable(lab.settings.repository)

    def test_a_stream_is_read_to_its_end_and_its_failure_is_said(self, lab: Lab):
        lab.put("dump.out", "x" * 300_000)
        with _restic.streamed(lab.settings.repository, "dump", "1", "/") as stream:
            assert stream.read(3) == b"xxx"
        lab.put("dump.code", "1")
        lab.put("dump.err", "Fatal: pack is damaged")
        with (
            pytest.raises(_restic.ResticError, match="restic dump: Fatal: pack is damaged"),
            _restic.streamed(lab.settings.repository, "dump", "1", "/") as stream,
        ):
            stream.read()

    def test_a_stream_that_complains_at_length_does_not_stand_still(self, lab: Lab):
        """Nobody reads its complaints before its end: they must not fill a pipe."""
        lab.put("dump.out", "x" * 10)
        script = "#!/bin/sh\nhead -c 1000000 /dev/zero | tr '\\0' '.' >&2\necho done\n"
        (lab.programs / "restic").write_text(script)
        with _restic.streamed(lab.settings.repository, "dump", "1", "/") as stream:
            assert stream.read() == b"done\n"

    def test_who_reads_a_stream_and_fails_leaves_no_process(self, lab: Lab):
        (lab.programs / "restic").write_text("#!/bin/sh\nexec yes\n")
        with (
            pytest.raises(ValueError, match="the reader's own"),
            _restic.streamed(lab.settings.repository, "dump", "1", "/"),
        ):
            raise ValueError("the reader's own")


def test_the_release_of_a_space_that_has_none_is_nobody_s(lab: Lab, monkeypatch):
    Path(lab.settings.root, "amap/release").unlink()
    space = SimpleNamespace(**vars(_backup.read_space(lab.settings, "amap")))
    assert space.status == "unknown"
    _backup.back_up(lab.settings, "amap")
    assert json.loads((lab.programs / "taken/space.json").read_text())["release"] == "release"
