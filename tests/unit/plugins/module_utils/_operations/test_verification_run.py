# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Verifications of several spaces: one that fails is written down, and the others go on."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _backup_record,
    _restic,
    _verification,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from tests.unit.plugins.module_utils.machine import own_journals

DUMP = b"CREATE TABLE `oc_a` (\nINSERT INTO `oc_a` VALUES\n(1),\n(2);\n"
# restic that prints the archive of the snapshot that is asked for.
RESTIC = """\
#!/bin/sh
lab=$(dirname "$0")
for word; do last=$before before=$word; done
case " $* " in
*" dump "*) cat "$lab/$last.tar" ;;
esac
test ! -e "$lab/$last.fails" || { echo 'pack is damaged' >&2; exit 1; }
"""


class Lab:
    """A repository with a snapshot per space, and databases in a dictionary."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.databases: dict[str, dict[str, int]] = {}
        self.settings = _backup.Settings(
            environment="lab",
            node="node1",
            root=str(folder / "spaces"),
            work=str(folder / "work"),
            vhosts=str(folder / "vhosts"),
            socket=str(folder / "mysqld.sock"),
            database_ca="/ca",
            parallel=1,
            retention={},
            gone_days=1,
            check_percent=1,
            metrics="",
            repository=_restic.Repository("/r", "/p", "/c"),
        )
        Path(self.settings.socket).touch()
        (folder / "restic").write_text(RESTIC)
        (folder / "restic").chmod(0o755)

    def back_up(self, slug: str, meta: bytes | None = None, dump: bytes = DUMP) -> None:
        """Put a snapshot of a space into the repository, and the space onto the node."""
        home = Path(self.settings.root, slug)
        (home / "config").mkdir(parents=True)
        (home / "config/config.php").write_text("<?php\n$CONFIG = array(\n'installed' => true,\n);")
        staging = _backup.staging(self.settings, slug).lstrip("/")
        said = {"slug": slug, "dump": {"sha256": hashlib.sha256(DUMP).hexdigest()}}
        own = json.dumps({**said, "tables": {"oc_a": 2}}).encode()
        parts = {
            f"{staging}/{_backup.DUMP}": dump,
            f"{staging}/{_backup.META}": own if meta is None else meta,
        }
        with tarfile.open(self.folder / f"{slug}.tar", "w") as archive:
            archive.add(home / "config/config.php")
            for name, content in parts.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        _backup_record.write(
            self.settings.work, slug, backup={"snapshot": slug, "at": "1", "files": 3}
        )

    def record(self, slug: str) -> dict[str, Any]:
        return _backup_record.read(self.settings.work)[slug]


@pytest.fixture
def lab(tmp_path, monkeypatch) -> Lab:
    found = Lab(tmp_path)
    known = found.databases
    own_journals(tmp_path, monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    def load(_server: Any, name: str, source: Any) -> _database.Counted:
        counted = _database.Counted()
        for line in source:
            counted.line(line)
        known[name] = dict(counted.tables)
        return counted

    def snapshots(_repository: Any, *slugs: str) -> list[_restic.Snapshot]:
        when = datetime(2026, 5, 30, tzinfo=UTC)
        return [_restic.Snapshot(slug, slug, when, "node1") for slug in slugs]

    monkeypatch.setattr(_database, "load", load)
    monkeypatch.setattr(_database, "counts", lambda _server, name: known.get(name, {}))
    monkeypatch.setattr(_database, "drop", lambda _server, name: known.pop(name, None))
    monkeypatch.setattr(_database, "run", lambda *_: [[name] for name in known])
    monkeypatch.setattr(_restic, "snapshots", snapshots)
    return found


def test_a_verification_says_what_it_saw_and_leaves_nothing(lab: Lab):
    lab.back_up("amap")
    lab.databases["space_amap"] = {"oc_a": 2}
    outcome = _verification.run(lab.settings, ["amap"])
    assert outcome.failed == {}
    found = outcome.done["amap"]
    assert (found["tables"], found["rows"], found["files"], found["equal"]) == (1, 2, 3, 1)
    assert lab.record("amap")["verification"] == found
    assert lab.databases == {"space_amap": {"oc_a": 2}}


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ({"meta": b"{"}, "its description of itself is damaged"),
        ({"meta": b"[]"}, "its description of itself is damaged"),
        ({"meta": b'{"dump": {}, "tables": {}}'}, "its description of itself is damaged"),
        ({"meta": b'{"slug": "velo", "dump": {"sha256": ""}, "tables": {}}'}, "it is of 'velo'"),
        ({"dump": DUMP.replace(b"(1),\n", b"")}, "the checksum of its database is another one"),
        ({"dump": DUMP + b"(3);\n"}, "table oc_a: 2 rows|the checksum"),
    ],
)
def test_one_that_verifies_nothing_is_written_down_and_the_others_go_on(
    lab: Lab, damage: dict[str, bytes], said: str
):
    lab.back_up("amap", **damage)
    lab.back_up("velo")
    outcome = _verification.run(lab.settings, ["amap", "velo"])
    assert list(outcome.done) == ["velo"]
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(outcome.failed["amap"])
    assert lab.record("amap")["unverified"]["reason"] == outcome.failed["amap"]
    assert "verification" not in lab.record("amap")
    assert lab.databases == {}


def test_a_repository_that_breaks_off_verifies_nothing(lab: Lab):
    lab.back_up("amap")
    (lab.folder / "amap.fails").touch()
    assert "pack is damaged" in _verification.run(lab.settings, ["amap"]).failed["amap"]
    assert lab.databases == {}
    whole = (lab.folder / "amap.tar").read_bytes()
    (lab.folder / "amap.tar").write_bytes(whole[:700])
    (lab.folder / "amap.fails").unlink()
    assert list(_verification.run(lab.settings, ["amap"]).failed) == ["amap"]


def test_a_verification_after_a_failure_takes_the_reason_away(lab: Lab):
    lab.back_up("amap", meta=b"{")
    _verification.run(lab.settings, ["amap"])
    shutil.rmtree(lab.settings.root)
    lab.back_up("amap")
    _verification.run(lab.settings, ["amap"])
    assert "unverified" not in lab.record("amap")


def test_what_an_interrupted_verification_left_goes_and_nothing_else(lab: Lab):
    others: dict[str, dict[str, int]] = {"space_velo": {}, "archipel_previous_velo": {}}
    lab.databases |= {"archipel_verification_velo": {}, "archipel_verification_cine": {}, **others}
    _verification.run(lab.settings, [])
    assert set(lab.databases) == {"space_velo", "archipel_previous_velo"}


def test_a_node_without_databases_is_asked_for_none(lab: Lab, monkeypatch):
    Path(lab.settings.socket).unlink()
    monkeypatch.setattr(_database, "run", lambda *_: pytest.fail("nobody is there to answer"))
    assert _verification.run(lab.settings, []) == _backup.Outcome()


def test_closed_spaces_without_one_come_first_then_who_waited_longest(lab: Lab, monkeypatch):
    for slug in ("amap", "velo", "cine", "new"):
        lab.back_up(slug)
    status = {"cine": "closed"}
    monkeypatch.setattr(
        _backup, "read_space", lambda _s, slug: SimpleNamespace(status=status.get(slug, "approved"))
    )
    verified = {"amap": "2026-05-02", "velo": "2026-05-01"}
    for slug, at in verified.items():
        _backup_record.write(lab.settings.work, slug, verification={"snapshot": slug, "at": at})
    _backup_record.write(lab.settings.work, "new", backup=None)
    assert _verification.choose_next(lab.settings) == "cine"
    _backup_record.write(
        lab.settings.work, "cine", verification={"snapshot": "cine", "at": "2026-05-03"}
    )
    assert _verification.choose_next(lab.settings) == "velo"
    shutil.rmtree(lab.settings.root)
    assert _verification.choose_next(lab.settings) is None
