# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Units of a node: what is planned, in which order it is done, what check mode says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import NodeUnit
from ansible_collections.archipel.spaces.plugins.module_utils._system import (
    _node_parts,
    _node_units,
    _systemd,
)

UP = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled"}
OFF = {"LoadState": "loaded", "ActiveState": "inactive", "UnitFileState": "disabled"}
MASKED = {"LoadState": "masked", "ActiveState": "inactive", "UnitFileState": "masked"}
NONE = {"LoadState": "not-found", "ActiveState": "inactive", "UnitFileState": ""}
START = "Sat 2026-11-28 10:00:00.500000 UTC"
# The same moment, in seconds.
STARTED = 1795860000.5


def unit(name: str = "nginx.service", **changes: Any) -> NodeUnit:
    wanted: Any = {
        "name": name,
        "enabled": None,
        "masked": None,
        "state": None,
        "newer": [],
        "arrived": [],
        "count_removed": False,
        "then": "restart",
        "validate": [],
    }
    return wanted | changes


def verbs(wanted: NodeUnit, values: dict[str, str], newer: tuple[str, ...] = ()) -> list[str]:
    return [verb for verb, _words in _node_units.plan(wanted, values, newer).steps]


RUNNING = {"state": "started", "enabled": True}
KEPT_OFF = {"state": "stopped", "enabled": False, "masked": True}


@pytest.mark.parametrize(
    ("wanted", "values", "expected"),
    [
        (RUNNING, UP, []),
        (RUNNING, OFF, ["enable", "start"]),
        (RUNNING, OFF | {"ActiveState": "failed"}, ["enable", "start"]),
        (RUNNING, UP | {"ActiveState": "activating"}, []),
        (RUNNING, UP | {"ActiveState": "reloading"}, []),
        (RUNNING, UP | {"UnitFileState": "static"}, []),
        (RUNNING, UP | {"UnitFileState": "linked"}, ["enable"]),
        (RUNNING, UP | {"UnitFileState": "enabled-runtime"}, ["enable"]),
        (RUNNING, NONE, ["enable", "start"]),
        (RUNNING | {"masked": False}, MASKED, ["unmask", "enable", "start"]),
        (KEPT_OFF, UP, ["stop", "disable", "mask"]),
        (KEPT_OFF, OFF, ["mask"]),
        (KEPT_OFF, MASKED, []),
        (KEPT_OFF, UP | {"UnitFileState": "masked-runtime"}, ["stop"]),
        ({"state": "stopped"}, UP | {"ActiveState": "deactivating"}, ["stop"]),
        ({"state": "stopped"}, OFF | {"ActiveState": "failed"}, []),
        ({}, UP, []),
        ({}, NONE, []),
    ],
)  # fmt: skip
def test_what_differs_is_done_in_an_order_that_systemd_takes(
    wanted: dict[str, Any], values: dict[str, str], expected: list[str]
):
    assert verbs(unit(**wanted), values) == expected


@pytest.mark.parametrize("then", ["restart", "reload", "stop"])
def test_what_runs_with_older_files_is_told_them(then: str):
    assert verbs(unit(**RUNNING, then=then), UP, ("/etc/a",)) == [then]
    assert verbs(unit(**RUNNING, then=then), OFF, ("/etc/a",)) == ["enable", "start"]
    assert verbs(unit(state="stopped", then=then), UP, ("/etc/a",)) == ["stop"]
    assert verbs(unit(then=then), OFF, ("/etc/a",)) == []


def test_what_a_person_restarts_is_due_and_not_done():
    made = _node_units.plan(unit(then="report"), UP, ("/etc/a",))
    assert (made.steps, made.due) == ([], ["/etc/a"])


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["/a"], "/a is"),
        (["/a", "/b"], "/a, /b are"),
        (["/a", "/b", "/c", "/d", "/e"], "/a, /b, /c and 2 more are"),
    ],
)
def test_a_change_names_what_is_newer(paths: list[str], expected: str):
    made = _node_units.plan(unit(), UP, paths)
    assert made.steps == [("restart", f"restarted: {expected} newer")]


class TestNewer:
    VALUES = UP | {"ActiveEnterTimestamp": START, "StateChangeTimestamp": "n/a"}

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """Return a folder with files of before the unit was started, and a link."""
        folder = tmp_path / "nginx"
        (folder / "conf.d").mkdir(parents=True)
        for name in ("nginx.conf", "conf.d/a.conf"):
            (folder / name).touch()
            os.utime(folder / name, (STARTED - 1, STARTED - 1))
        for path in (folder / "conf.d", folder):
            os.utime(path, (STARTED - 1, STARTED - 1))
        return folder

    def newer(self, folder: Path, **changes: Any) -> list[str]:
        wanted = unit(newer=[str(folder), str(folder / "none")], **changes)
        found = _node_units.find_newer(wanted, self.VALUES, ())
        return [os.path.relpath(path, folder) for path in found]

    def touch(self, path: Path, seconds: float = STARTED + 0.001) -> None:
        os.utime(path, (seconds, seconds))

    def test_older_files_are_none(self, folder: Path):
        assert self.newer(folder, count_removed=True) == []

    def test_a_file_below_counts_to_the_microsecond(self, folder: Path):
        self.touch(folder / "conf.d/a.conf")
        assert self.newer(folder) == ["conf.d/a.conf"]
        self.touch(folder / "conf.d/a.conf", STARTED)
        assert self.newer(folder) == []

    def test_a_file_that_went_counts_where_that_is_asked_for(self, folder: Path):
        self.touch(folder / "conf.d")
        assert self.newer(folder) == []
        assert self.newer(folder, count_removed=True) == ["conf.d"]

    def test_a_file_alone_counts(self, folder: Path):
        self.touch(folder / "nginx.conf")
        wanted = unit(newer=[str(folder / "nginx.conf")])
        assert _node_units.find_newer(wanted, self.VALUES, ()) == [str(folder / "nginx.conf")]

    def test_a_reload_counts_from_the_last_reload(self, folder: Path):
        self.touch(folder / "nginx.conf")
        values = self.VALUES | {"StateChangeTimestamp": "Sat 2026-11-28 10:00:01.000000 UTC"}
        wanted = unit(newer=[str(folder)], then="reload")
        assert _node_units.find_newer(wanted, values, ()) == []
        assert _node_units.find_newer(wanted | {"then": "restart"}, values, ()) != []

    def test_a_program_counts_by_when_it_came(self, folder: Path):
        """Its own time is that of its making: old, where the node got it just now."""
        wanted = unit(arrived=[str(folder / "nginx.conf")])
        later = self.VALUES | {"ActiveEnterTimestamp": "Mon 2035-11-26 10:00:00.000000 UTC"}
        assert _node_units.find_newer(wanted, later, ()) == []
        earlier = self.VALUES | {"ActiveEnterTimestamp": "Sat 2020-11-28 10:00:00.000000 UTC"}
        os.utime(folder / "nginx.conf", (1, 1))
        assert _node_units.find_newer(wanted, earlier, ()) == [str(folder / "nginx.conf")]

    def test_what_check_mode_would_write_counts(self, folder: Path):
        wanted = unit(newer=[str(folder)])
        written = [f"{folder}/new.conf", f"{folder}-other/new.conf"]
        assert _node_units.find_newer(wanted, self.VALUES, written) == [f"{folder}/new.conf"]


class Systemctl:
    """A systemd whose units a test sets; what it is asked to do is written down."""

    def __init__(self) -> None:
        self.units: dict[str, dict[str, str]] = {}
        self.manager = "DefaultLimitCORE=infinity\n"
        self.obeys = True
        self.done: list[str] = []

    def __call__(self, *arguments: str) -> str:
        if arguments[0] == "show" and "--" not in arguments:
            return self.manager
        if arguments[0] == "show":
            names = arguments[arguments.index("--") + 1 :]
            blocks = (self.units.get(name, NONE).items() for name in names)
            return "\n\n".join("\n".join(f"{k}={v}" for k, v in block) for block in blocks) + "\n"
        self.done.append(" ".join(arguments))
        if "broken.service" in arguments:
            raise _systemd.SystemdError("Job failed")
        if arguments == ("daemon-reload",) and self.obeys:
            self.manager = "DefaultLimitCORE=0\n"
        return ""


@pytest.fixture
def systemctl(monkeypatch: pytest.MonkeyPatch) -> Systemctl:
    made = Systemctl()
    monkeypatch.setattr(_systemd, "systemctl", made)
    return made


def converge(*units: NodeUnit, check: bool = False, written: tuple[str, ...] = ()) -> Any:
    changes: _node_parts.Changes = {}
    found = _node_units.converge(units, written, changes, check=check)
    return found, changes


def test_units_are_read_at_once_and_brought_to_their_state(systemctl: Systemctl):
    systemctl.units = {"nginx.service": OFF, "a.timer": UP}
    found, changes = converge(unit(**RUNNING), unit("a.timer", **RUNNING))
    assert systemctl.done == ["enable -- nginx.service", "start -- nginx.service"]
    assert changes == {"nginx.service": ["enabled", "started"]}
    assert found == {"due": {}, "loaded": ["nginx.service", "a.timer"]}


def test_check_mode_says_the_same_and_does_nothing(systemctl: Systemctl):
    systemctl.units = {"nginx.service": OFF | {"NeedDaemonReload": "yes"}}
    _found, changes = converge(unit(**RUNNING), unit("new.timer", **RUNNING), check=True)
    words = ["enabled", "started"]
    assert changes == {"nginx.service": words, "new.timer": words}
    assert systemctl.done == []


def test_nobody_is_asked_about_no_units(systemctl: Systemctl):
    assert converge() == ({"due": {}, "loaded": []}, {})


def test_systemd_reads_files_again_that_changed(systemctl: Systemctl):
    """Also those of a unit that is named for nothing else."""
    systemctl.units = {"a.service": OFF | {"NeedDaemonReload": "yes"}, "a.timer": OFF}
    converge(unit("a.service"), unit("a.timer", state="started"))
    assert systemctl.done == ["daemon-reload", "start -- a.timer"]


def test_a_unit_that_must_be_there_and_is_not(systemctl: Systemctl):
    with pytest.raises(_systemd.SystemdError, match=r"no.service: systemd of this node knows no"):
        converge(unit("no.service", **RUNNING))
    assert converge(unit("no.service", state="stopped", enabled=False))[1] == {}
    assert systemctl.done == []


def test_a_unit_that_does_not_obey_is_named_with_the_verb(systemctl: Systemctl):
    systemctl.units = {"broken.service": OFF}
    with pytest.raises(_systemd.SystemdError, match=r"systemctl start broken.service: Job failed"):
        converge(unit("broken.service", state="started"))


def test_files_that_a_program_refuses_are_not_read(systemctl: Systemctl, tmp_path: Path):
    systemctl.units = {"nginx.service": OFF}
    program = tmp_path / "try"
    program.write_text("#!/bin/sh\necho 'unknown directive in /etc/nginx/a.conf:3' >&2; exit 1\n")
    program.chmod(0o755)
    with pytest.raises(_node_parts.PartError, match=r"unknown directive in /etc/nginx/a.conf:3"):
        converge(unit(**RUNNING, validate=[str(program)]))
    assert systemctl.done == []
    systemctl.units = {"nginx.service": UP}
    assert converge(unit(**RUNNING, validate=[str(program)]))[1] == {}


class TestManager:
    @pytest.mark.parametrize("check", [True, False])
    def test_it_reads_its_settings_again(self, systemctl: Systemctl, check: bool):
        changes: _node_parts.Changes = {}
        _node_units.converge_manager({"DefaultLimitCORE": "0"}, changes, check=check)
        assert changes == {"systemd": ["DefaultLimitCORE infinity → 0"]}
        assert systemctl.done == ([] if check else ["daemon-reload"])

    def test_it_is_left_alone_where_it_has_them(self, systemctl: Systemctl):
        systemctl.manager = "DefaultLimitCORE=0\n"
        changes: _node_parts.Changes = {}
        _node_units.converge_manager({"DefaultLimitCORE": "0"}, changes, check=False)
        assert (changes, systemctl.done) == ({}, [])

    def test_settings_that_something_else_outranks_are_named(self, systemctl: Systemctl):
        systemctl.obeys = False
        with pytest.raises(_systemd.SystemdError, match="runs with DefaultLimitCORE infinity → 0"):
            _node_units.converge_manager({"DefaultLimitCORE": "0"}, {}, check=False)
