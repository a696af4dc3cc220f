# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Which spaces are backed up, what is written down, and what counts as a failure."""

from __future__ import annotations

import json
import typing as t
from datetime import datetime
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _backup_record,
    _restic,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database

CONFIG = "<?php\n$CONFIG = array (\n  'installed' => true,\n);\n"
NOON = "2026-05-30T12:00:00+00:00"
MOMENT = datetime.fromisoformat(NOON).timestamp()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _backup.Settings:
    for place in ("spaces", "vhosts", "life", "run"):
        (tmp_path / place).mkdir()
    monkeypatch.setattr(_journal.under_way, "__defaults__", (str(tmp_path / "life"),))
    monkeypatch.setattr(_journal.exclusive.__wrapped__, "__defaults__", (str(tmp_path / "run"),))  # type: ignore[attr-defined]
    return _backup.Settings(
        environment="lab",
        node="node1",
        root=str(tmp_path / "spaces"),
        vhosts=str(tmp_path / "vhosts"),
        work=str(tmp_path / "work"),
        socket="/s",
        database_ca="/ca",
        parallel=2,
        retention={"keep-daily": 7},
        gone_days=90,
        check_percent=5,
        metrics="",
        repository=_restic.Repository("/r", "/p", "/c"),
    )


def make(settings: _backup.Settings, slug: str, status: str = "approved") -> None:
    folder = Path(settings.root, slug, "config")
    folder.mkdir(parents=True)
    (folder / "config.php").write_text(CONFIG)
    Path(settings.vhosts, f"{slug}.conf").write_text(f"{slug}.example.org {status}/fr/{slug};\n")


def test_what_is_on_the_machine_is_backed_up(settings: _backup.Settings):
    for slug, status in (("amap", "approved"), ("cine", "closed"), ("quai", "suspended")):
        make(settings, slug, status)
    # Not installed yet, and none of ours.
    Path(settings.root, "new/config").mkdir(parents=True)
    Path(settings.root, ".restore-amap").mkdir()
    assert _backup.spaces(settings) == ["amap", "cine", "quai"]
    assert _backup.due(settings) == ["amap", "cine", "quai"]


def test_who_waited_longest_comes_first(settings: _backup.Settings):
    for slug in ("amap", "cine", "quai"):
        make(settings, slug)
    _backup_record.write(settings.work, "amap", backup={"at": "2026-05-30", "snapshot": "x"})
    _backup_record.write(settings.work, "quai", backup={"at": "2026-05-29", "snapshot": "y"})
    assert _backup.due(settings) == ["cine", "quai", "amap"]


def test_a_record_by_its_former_words_is_understood(settings: _backup.Settings):
    """Nodes have one that says `proof` and `unproved`."""
    before = {"backup": {"at": "1"}, "proof": {"at": "2"}, "unproved": {"at": "3"}}
    Path(settings.work).mkdir()
    Path(_backup_record.path_in(settings.work)).write_text(json.dumps({"amap": before}))
    found = {"backup": {"at": "1"}, "verification": {"at": "2"}, "unverified": {"at": "3"}}
    assert _backup_record.read(settings.work) == {"amap": found}
    _backup_record.write(settings.work, "amap", unverified=None)
    written = json.loads(Path(_backup_record.path_in(settings.work)).read_text())
    assert written == {"amap": {"backup": {"at": "1"}, "verification": {"at": "2"}}}


@pytest.mark.parametrize(
    ("status", "closed_at", "entry", "settled"),
    [
        ("closed", MOMENT - 60, {"backup": "a", "verification": "a"}, True),
        ("closed", MOMENT + 60, {"backup": "a", "verification": "a"}, False),
        ("closed", MOMENT - 60, {"backup": "a", "verification": "b"}, False),
        ("closed", MOMENT - 60, {"backup": "a"}, False),
        ("closed", MOMENT - 60, {}, False),
        ("suspended", MOMENT - 60, {"backup": "a", "verification": "a"}, False),
    ],
)
def test_the_last_backup_of_a_closed_space_is_the_last(
    status: str, closed_at: float, entry: dict[str, str], settled: bool
):
    space = _backup.Space("a", "/a", status, "space_a", _database.local("/s"), closed_at)
    full = {part: {"snapshot": name, "at": NOON} for part, name in entry.items()}
    assert _backup.is_settled(space, full) is settled


def test_the_record_keeps_parts_apart(settings: _backup.Settings):
    _backup_record.write(settings.work, "amap", backup={"at": NOON})
    _backup_record.write(settings.work, "amap", failed={"reason": "full"})
    assert _backup_record.read(settings.work)["amap"] == {
        "backup": {"at": NOON},
        "failed": {"reason": "full"},
    }
    _backup_record.write(settings.work, "amap", failed=None)
    assert _backup_record.read(settings.work)["amap"] == {"backup": {"at": NOON}}
    _backup_record.write(settings.work, "amap", backup=None)
    assert _backup_record.read(settings.work) == {}


def test_the_database_of_another_machine(settings: _backup.Settings):
    make(settings, "amap")
    managed = "  'dbhost' => 'db1.example.org:3307',\n  'dbname' => 'space_amap',\n"
    managed += "  'dbuser' => 'space-amap',\n  'dbpassword' => 'geheim',\n"
    Path(settings.root, "amap/config/managed.config.php").write_text(f"<?php\n{managed}")
    space = _backup.read_space(settings, "amap")
    assert space.server.distant
    client = Path(settings.work, "clients/amap.cnf")
    assert 'port=3307\nuser=space-amap\npassword="geheim"\n' in client.read_text()
    assert client.stat().st_mode & 0o777 == 0o600
    assert "geheim" not in " ".join(space.server.command("mariadb-dump", "space_amap"))


class TestRun:
    @pytest.fixture(autouse=True)
    @staticmethod
    def repository(monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_restic, "run", lambda *_args, **_kwargs: (0, "", ""))

    def test_one_that_fails_does_not_stop_the_others(
        self, settings: _backup.Settings, monkeypatch: pytest.MonkeyPatch
    ):
        def back_up(_settings: _backup.Settings, slug: str) -> dict[str, t.Any]:
            if slug == "amap":
                raise OSError(28, "No space left on device")
            return {"at": NOON}

        monkeypatch.setattr(_backup, "back_up", back_up)
        outcome = _backup.run(settings, ["amap", "cine"])
        assert outcome.done == {"cine": {"at": NOON}}
        assert "No space left" in outcome.failed["amap"]
        assert "No space left" in _backup_record.read(settings.work)["amap"]["failed"]["reason"]

    def test_a_space_that_is_being_restored_is_left_alone(self, settings: _backup.Settings):
        """Half of it would become its newest backup."""
        make(settings, "amap")
        journal = Path(settings.root).parent / "life/amap.json"
        journal.write_text(json.dumps({"verb": "restore", "step": "load"}))
        outcome = _backup.run(settings, ["amap"])
        assert "a restore of it was interrupted at the step 'load'" in outcome.failed["amap"]

    def test_a_repository_that_does_not_open_is_said_once(
        self, settings: _backup.Settings, monkeypatch: pytest.MonkeyPatch
    ):
        def refuse(*_args: t.Any, **_kwargs: t.Any) -> t.NoReturn:
            raise _restic.ResticError("wrong key")

        monkeypatch.setattr(_restic, "run", refuse)
        with pytest.raises(_restic.ResticError, match="wrong key"):
            _backup.run(settings, ["amap", "cine"])
