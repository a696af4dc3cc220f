# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What the module refuses, and what it says of what it does."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _restic,
    _restore,
    _restore_job,
    _restore_previous,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from ansible_collections.archipel.spaces.plugins.module_utils._system import _systemd
from ansible_collections.archipel.spaces.plugins.modules import spaces_restore

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(tmp_path, monkeypatch, capsys) -> Run:
    """Return a way to run the module; nothing is kept, and a space amap is there."""
    settings = SimpleNamespace(root=str(tmp_path), socket="/s", repository=None)
    monkeypatch.setattr(_backup, "read_settings", lambda: settings)
    monkeypatch.setattr(_backup, "is_space", lambda _settings, slug: slug == "amap")
    monkeypatch.setattr(_journal, "read", lambda _slug: None)
    monkeypatch.setattr(_restore_job, "has_previous", lambda *_: False)
    # Which server it is, is all that is known of it.
    monkeypatch.setattr(
        _restore_job,
        "find_server",
        lambda _settings, _slug, *, distant: _database.Server((), "10.0.0.2" if distant else ""),
    )
    monkeypatch.setattr(_restic, "check_reachable", lambda _repository: None)

    def once(check: bool = False, **options: Any) -> dict[str, Any]:
        arguments = {**options, "_ansible_check_mode": check}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            spaces_restore.main()
        return dict(json.loads(capsys.readouterr().out))

    return once


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"space": "../amap"}, "found the space '../amap'; allowed: a slug"),
        ({"space": "amap"}, "If that is meant: -e confirm=amap"),
        ({"space": "amap", "confirm": "velo"}, "If that is meant: -e confirm=amap"),
        (
            {"space": "amap", "previous": "restore"},
            "returns the state from before. Say it with -e confirm=amap",
        ),
        ({"space": "amap", "previous": "discard"}, "removes the state from before its restore"),
    ],
)
def test_nothing_is_replaced_that_was_not_named(run: Run, options: dict[str, str], said: str):
    done = run(**options)
    assert done["failed"]
    assert said in done["msg"]


def test_what_was_interrupted_needs_no_second_word(run: Run, monkeypatch):
    monkeypatch.setattr(_journal, "read", lambda _slug: {"verb": "restore", "step": "load"})
    monkeypatch.setattr(_restore, "run", lambda *_: ["restored"])
    assert run(space="amap")["spaces"] == {"amap": ["restored"]}


@pytest.mark.parametrize(
    ("source", "expected"), [("", ("amap", "amap")), ("velo", ("velo", "amap"))]
)
def test_whose_backup_it_is(run: Run, monkeypatch, source: str, expected: tuple[str, str]):
    asked: list[tuple[Any, ...]] = []

    def restore(_settings: object, *words: Any) -> list[str]:
        asked.append(words)
        return ["restored"]

    monkeypatch.setattr(_restore, "run", restore)
    done = run(space="amap", source=source, at="2026-05-30", confirm="amap")
    assert done["changed"]
    assert asked == [(*expected, "2026-05-30", _database.Server(()))]


def test_where_its_database_is(run: Run, monkeypatch):
    hosts: list[str] = []

    def restore(*words: Any) -> list[str]:
        hosts.append(words[-1].host)
        return ["restored"]

    monkeypatch.setattr(_restore, "run", restore)
    run(space="amap", confirm="amap", distant=True)
    run(space="amap", confirm="amap")
    assert hosts == ["10.0.0.2", ""]


def test_a_database_that_nobody_finds_ends_it(run: Run, monkeypatch):
    def nowhere(*_: Any, **_options: Any) -> None:
        raise _restore_job.RestoreError("the registry has its database on another node")

    monkeypatch.setattr(_restore_job, "find_server", nowhere)
    said = run(space="amap", confirm="amap", distant=True)["msg"]
    assert said == "amap: the registry has its database on another node"


def test_a_check_run_says_which_backup_and_does_nothing(run: Run, monkeypatch):
    journal = {"snapshot": "1a2b3c4d5e", "at": "2026-05-30T01:12:00", "step": "fetch"}
    monkeypatch.setattr(_restore, "begin", lambda *_: journal)
    done = run(check=True, space="amap", confirm="amap")
    assert "backup 1a2b3c4d of 2026-05-30T01:12, from the step 'fetch'" in done["spaces"]["amap"][0]
    done = run(check=True, space="amap", confirm="amap", previous="restore")
    assert done["spaces"]["amap"] == ["the state from before the restore: restore"]


@pytest.mark.parametrize(("previous", "verb"), [("discard", "discard"), ("restore", "put_back")])
def test_the_previous_state_is_removed_or_put_back(run: Run, monkeypatch, previous: str, verb: str):
    monkeypatch.setattr(_restore_previous, verb, lambda *_: [f"done: {previous}"])
    done = run(space="amap", confirm="amap", previous=previous)
    assert done["spaces"] == {"amap": [f"done: {previous}"]}
    monkeypatch.setattr(_restore_previous, verb, lambda *_: [])
    assert not run(space="amap", confirm="amap", previous=previous)["changed"]


@pytest.mark.parametrize(
    "error",
    [
        _backup.BackupError,
        _database.DatabaseError,
        _journal.JournalError,
        _restic.ResticError,
        _restore_job.RestoreError,
        _systemd.SystemdError,
        OSError,
    ],
)
def test_what_goes_wrong_is_said_in_a_sentence(run: Run, monkeypatch, error: type[Exception]):
    def fail(*_: Any) -> None:
        raise error("the reason")

    monkeypatch.setattr(_restore, "run", fail)
    assert run(space="amap", confirm="amap")["msg"] == "amap: the reason"
