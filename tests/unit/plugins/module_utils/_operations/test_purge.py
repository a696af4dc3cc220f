# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What goes with a purged space, and what stays with the others."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import (
    _journal,
    _layout,
    _unit_names,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup_record,
    _purge,
)
from ansible_collections.archipel.spaces.plugins.module_utils._system import (
    _accounts,
    _systemd,
)
from tests.unit.plugins.module_utils.machine import Machine, machine, own_journals

__all__ = ["machine"]

PHP = "space-php@amap.service"
UNITS = ("space-php@amap.socket", "space-cron@amap.timer", PHP, "space-redis@amap.service")

DECLARED = """\
u space-data 70001 "Nextcloud space" /srv/spaces/data -
u space-amap 70002 "Nextcloud space" /srv/spaces/amap -
d /srv/spaces/data 0755 0 0
d /srv/spaces/data/data 0750 70001 70001
d /srv/spaces/amap 0755 0 0
d /srv/spaces/amap/data 0750 70002 70002
d /srv/spaces/data-2/data 0750 70003 70003
d /run/archipel/redis/data 0700 70001 70001
"""


@pytest.mark.parametrize("slug", ["data", "amap"])
def test_only_a_space_s_own_declarations_go(tmp_path, monkeypatch, slug):
    """A space may be called like a folder that every space has."""
    path = tmp_path / "archipel-spaces.conf"
    path.write_text(DECLARED)
    written = []
    monkeypatch.setattr(_accounts, "declare", lambda _path, text, check: written.append(text))
    _purge.undeclare(str(path), _layout.Layout(slug).declarations)
    own = (f"u space-{slug} ", f"/srv/spaces/{slug} ", f"/srv/spaces/{slug}/", f"/redis/{slug} ")
    kept = [line for line in DECLARED.splitlines(keepends=True) if not any(o in line for o in own)]
    assert written == ["".join(kept)]
    assert "/srv/spaces/data-2/data" in written[0]


@pytest.mark.parametrize(
    "there",
    [[], ["archipel-accounts.service"], ["archipel-usage.service", "archipel-accounts.service"]],
)
def test_reports_forget_what_is_gone(tmp_path, monkeypatch, there):
    called = []
    monkeypatch.setattr(_unit_names, "FOLDER", str(tmp_path))
    monkeypatch.setattr(_systemd, "systemctl", lambda *words: called.append(words))
    for name in there:
        (tmp_path / name).touch()
    _purge.report_again()
    assert called == ([("restart", *there)] if there else [])


class Steps:
    """A purge whose steps only say that they were taken, and fail where a test wants it."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.fails = ""

    def step(self, name: str) -> Any:
        def act(_job: _purge.Job) -> None:
            if name == self.fails:
                self.fails = ""
                raise OSError("the disk is gone")
            self.taken.append(name)

        return act


@pytest.fixture
def steps(tmp_path, monkeypatch, machine: Machine) -> Steps:
    found = Steps()
    own_journals(tmp_path, monkeypatch)
    for name in _purge.STEPS:
        if name != "stop":
            monkeypatch.setitem(_purge.STEPS, name, found.step(name))
    monkeypatch.setattr(_purge, "last_backup", lambda _job: "5" * 64)
    monkeypatch.setattr(_purge, "inventory", lambda _job: ["folder /srv/spaces/amap"])
    machine.run(*UNITS)
    return found


def job() -> _purge.Job:
    settings: Any = SimpleNamespace(root="/srv/spaces", work="/w", socket="/s")
    return _purge.Job(settings, _layout.Layout("amap"), 70002, "2026-03-03")


def purge(*, check: bool = False) -> dict[str, Any]:
    return _purge.run(job(), check=check)


def test_a_check_run_stops_nothing(machine: Machine, steps: Steps):
    assert purge(check=True)["goes"] == ["folder /srv/spaces/amap"]
    assert (machine.running(), steps.taken, _journal.read("amap")) == (set(UNITS), [], None)


@pytest.mark.parametrize("fault", ["always", "one", "lie", "hang", "process"])
def test_nothing_is_deleted_of_a_space_that_does_not_stop(
    machine: Machine, steps: Steps, monkeypatch, fault: str
):
    # Only where nothing ever answers: a busy machine takes longer than this to start a program.
    if fault == "hang":
        monkeypatch.setattr(_systemd, "PATIENCE", 0.3)
    {
        "always": lambda: machine.refuse("all"),
        "one": lambda: machine.refuse(PHP),
        "lie": lambda: machine.lie(PHP),
        "hang": lambda: machine.break_down("hangs"),
        "process": lambda: machine.process(4711, 70002, unit="run-u3.service"),
    }[fault]()
    with pytest.raises(_systemd.SystemdError) as caught:
        purge()
    said = {"always": "Job for", "hang": "has not answered", "process": "run-u3.service"}
    assert said.get(fault, PHP) in str(caught.value)
    assert steps.taken == []
    journal = _journal.read("amap")
    assert journal is not None
    assert journal["step"] == "stop"


@pytest.mark.parametrize("step", [name for name in _purge.STEPS if name != "stop"])
def test_a_step_that_fails_is_taken_again(machine: Machine, steps: Steps, step: str):
    steps.fails = step
    with pytest.raises(OSError, match="the disk is gone"):
        purge()
    assert "playbooks/purge.yml -e only=amap" in _journal.under_way("amap")
    # Somebody starts it meanwhile: it is stopped again before anything else goes.
    machine.run(PHP)
    done = purge()
    assert done["interrupted"]
    assert machine.running() == set()
    rest = [name for name in _purge.STEPS if name != "stop"]
    assert steps.taken == [*rest[: rest.index(step)], *rest]
    journal = _journal.read("amap")
    assert journal is not None
    assert (journal["step"], journal["backup"]) == ("ledger", "5" * 64)
    assert _purge.finish("amap")
    assert _journal.read("amap") is None
    assert not _purge.finish("amap")


@pytest.mark.parametrize("step", _purge.AT_STANDSTILL)
def test_one_that_was_started_between_two_steps_loses_nothing_under_its_feet(
    machine: Machine, steps: Steps, monkeypatch, step: str
):
    names = list(_purge.STEPS)
    before = names[names.index(step) - 1]
    act = _purge.STEPS[before]

    def start(job: _purge.Job) -> None:
        act(job)
        machine.run(PHP)
        machine.lie(PHP)

    monkeypatch.setitem(_purge.STEPS, before, start)
    with pytest.raises(_systemd.SystemdError, match=f"{PHP} is active"):
        purge()
    assert step not in steps.taken


def test_a_purge_begins_at_nothing_that_is_under_way(steps: Steps):
    _journal.write("amap", {"verb": "restore", "step": "load"})
    with pytest.raises(_purge.PurgeError, match="a restore of it was interrupted"):
        purge()


def test_what_held_it_down_is_lifted_at_the_end(tmp_path, monkeypatch, machine: Machine):
    (tmp_path / "still").mkdir()
    (tmp_path / "still/amap").touch()
    monkeypatch.setattr(_backup_record, "write", lambda *_, **__: None)
    _purge.settle(job())
    assert not Path(tmp_path, "still/amap").exists()


def test_archives_that_wait_on_the_node_go_too():
    found = _purge.paths(job())
    assert "/var/lib/archipel/export/amap.tar.gz" in found
    assert "/var/lib/archipel/export/amap.tar.gz.part" in found
    # The space's own folder is the last: what is left of an interrupted purge is known by it.
    assert found[-1] == "/srv/spaces/amap"


@pytest.mark.parametrize("step", ["stop", "door", "drop", "settle", "ledger"])
def test_a_purge_that_the_code_of_before_began_begins_again(steps: Steps, step: str):
    """One of its steps was called so that no version knows it any more."""
    _journal.write("amap", {"verb": "purge", "step": step, "id": 70002, "backup": "b"})
    purge()
    assert steps.taken == [name for name in _purge.STEPS if name != "stop"]
    journal = _journal.read("amap") or {}
    assert (journal["verb"], journal["step"], journal["id"]) == ("purge", "ledger", 70002)
    assert _purge.finish("amap")
