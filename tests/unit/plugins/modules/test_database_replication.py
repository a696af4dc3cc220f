# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What the module refuses, and which part of the work it calls."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._sql import (
    _replica_copy,
    _replication,
    _replication_run,
)
from ansible_collections.archipel.spaces.plugins.modules import database_replication
from tests.unit.plugins.module_utils._sql.test_replication import (
    FOLLOWS,
    FRESH,
    PRIMARY,
    REPLICA,
)

DEFAULTS = {name: option.get("default", "") for name, option in database_replication.SPEC.items()}


def options(phase: str, **changes: t.Any) -> dict[str, t.Any]:
    return {**DEFAULTS, "phase": phase, "password": "secret", **changes}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (options("replica"), "primary: missing"),
        (options("replica", primary="10.0.0.1", password=""), "password: missing"),
        (options("primary", password=""), "password: missing"),
        (options("promote", password=""), "password: missing"),
        (options("look", wait_seconds=-1), "wait_seconds: found -1; allowed: 0 or more"),
    ],
)
def test_what_cannot_be_meant_is_refused(given: dict[str, t.Any], said: str):
    assert database_replication.refusal(given).startswith(said)


@pytest.mark.parametrize("phase", ["look", "ask", "retire"])
def test_some_need_no_password(phase: str):
    assert database_replication.refusal(options(phase, password="")) == ""


class Calls:
    """Parts of the work that only write down that they were called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        self.seen = PRIMARY
        self._monkeypatch = monkeypatch
        monkeypatch.setattr(_replication, "read", lambda _: self.seen)
        monkeypatch.setattr(_replica_copy, "begun", lambda: False)
        for module, names in (
            (_replica_copy, ("begin", "copy", "end")),
            (
                _replication_run,
                ("run", "follow", "follow_other", "change_primary", "wait_connected", "retire"),
            ),
            (_replication_run, ("promote",)),
        ):
            for name in names:
                self._write_down(module, name)

    def _write_down(self, module: t.Any, name: str) -> None:
        def called(*_: t.Any) -> list[str]:
            self.done.append(name)
            return []

        self._monkeypatch.setattr(module, name, called)

    def execute(self, sql: str) -> None:
        self.done.append(sql)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    return Calls(monkeypatch)


@pytest.mark.parametrize(
    ("seen", "changes", "done"),
    [
        (REPLICA, {}, []),
        (
            FRESH,
            {},
            ["run", "begin", "copy", "change_primary", "wait_connected", "end"],
        ),
        (PRIMARY, {}, ["run", "follow"]),
        (replace(REPLICA, follows=replace(FOLLOWS, host="10.9.9.9")), {}, ["follow_other"]),
        (
            replace(REPLICA, follows=replace(FOLLOWS, applies="No")),
            {},
            ["START SLAVE", "wait_connected"],
        ),
    ],
)
def test_a_replica(calls: Calls, seen: t.Any, changes: dict[str, t.Any], done: list[str]):
    calls.seen = seen
    given = options("replica", primary="10.0.0.1", **changes)
    would = database_replication.act(calls, given, check=True)
    assert calls.done == []
    assert database_replication.act(calls, given, check=False) == would
    assert calls.done == done


def test_a_copy_that_fails_keeps_its_mark(calls: Calls, monkeypatch: pytest.MonkeyPatch):
    def fails(*_: t.Any) -> t.NoReturn:
        raise _replication.ReplicationError("the copy did not come to its end")

    monkeypatch.setattr(_replica_copy, "copy", fails)
    calls.seen = FRESH
    given = options("replica", primary="10.0.0.1")
    with pytest.raises(_replication.ReplicationError):
        database_replication.act(calls, given, check=False)
    assert calls.done == ["run", "begin"]


@pytest.mark.parametrize("phase", ["retire", "promote", "look"])
def test_check_mode_changes_nothing(calls: Calls, phase: str):
    assert database_replication.act(calls, options(phase), check=True) == {"steps": []}
    assert calls.done == []


def test_a_primary_that_is_retired_says_where_it_ends(
    calls: Calls, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_replication_run, "retire", lambda _: "0-1-9")
    assert database_replication.act(calls, options("retire"), check=False) == {
        "steps": ["takes no writes any more"],
        "position": "0-1-9",
    }
    calls.seen = replace(PRIMARY, read_only=True)
    assert database_replication.act(calls, options("retire"), check=False)["steps"] == []


def test_what_a_server_is_comes_as_plain_values():
    assert database_replication.describe(PRIMARY)["follows"] is None
    found = database_replication.describe(REPLICA)
    assert found["read_only"] is True
    assert found["follows"] == {
        "host": "10.0.0.1",
        "receives": "Yes",
        "applies": "Yes",
        "error": "",
        "received": "0-1-9",
        "lag": 0,
    }
