# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Single steps of an upgrade and of its rollback."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _occ, _probe
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _upgrade_check,
    _upgrade_flag,
    _upgrade_occ,
    _upgrade_point,
    _upgrade_record,
    _upgrade_steps,
)
from ansible_collections.archipel.spaces.plugins.module_utils._system import _systemd
from tests.unit.plugins.module_utils.upgrading import (
    BEFORE,
    Occ,
    Site,
    database,
    job,
    settings,
    with_secret,
)

__all__ = ["database", "settings"]


def test_what_was_never_touched_is_said_although_it_was_open(settings, monkeypatch):
    monkeypatch.setattr(_upgrade_check, "forget", lambda _job: None)
    way = {"direction": "back", "failed_at": "prepare", "reason": "prepare: no"}
    _upgrade_steps.reopen(job(settings, **way))
    assert _upgrade_record.last_of(settings, "amap")["result"] == "left as it was"


@pytest.mark.parametrize("step", ["prepare", "close", "dump"])
def test_before_there_is_a_dump_nothing_is_brought_back(settings, step):
    one = job(settings, direction="back", failed_at=step)
    _upgrade_point.load(one)
    _upgrade_point.files(one)
    _upgrade_steps.return_release(one)
    assert os.readlink(f"{one.home}/release") == "../../releases/33.0.9"
    assert _upgrade_steps.result_of(one) == "left as it was"


@pytest.mark.parametrize("step", ["point", "upgrade", "apply", "check", "open"])
def test_afterwards_everything_is(settings, step):
    assert (
        _upgrade_steps.result_of(job(settings, direction="back", failed_at=step)) == "rolled back"
    )


def test_the_flag_is_lowered_last(settings, monkeypatch):
    one, seen = job(settings, closed_at=0.0), []
    os.makedirs(f"{one.folder}/point.new")
    _upgrade_flag.raise_flag(one)
    monkeypatch.setattr(_upgrade_check, "forget", lambda _job: None)
    monkeypatch.setattr(
        _upgrade_flag, "lower_flag", lambda job: seen.extend(os.listdir(job.folder))
    )
    _upgrade_steps.open_up(one)
    assert sorted(seen) == ["last.json", "point", "repair.json"]


@pytest.mark.parametrize(
    ("direction", "commands"),
    [
        ("back", ["files:scan-app-data"]),
        ("undo", ["maintenance:data-fingerprint", "files:scan-app-data"]),
    ],
)
def test_by_a_rollback_what_the_newer_release_removed_is_looked_for(
    settings, monkeypatch, database, direction, commands
):
    Site(monkeypatch, files=500)
    occ = Occ()
    monkeypatch.setattr(_occ, "run", occ)
    one = with_secret(job(settings, direction=direction, failed_at="upgrade", pages=BEFORE))
    one.journal["probe"] = ["camille", "1700000000"]
    _upgrade_flag.raise_flag(one)
    # A rollback that leads to broken pages is none.
    with pytest.raises(_probe.ProbeError, match="/apps/files/ answers 500"):
        _upgrade_steps.verify(one)
    asked = [occ.calls[0], *occ.options[0]["more"]]
    assert [call[0] for call in asked] == commands
    # Nothing that only newer releases have: it may be the oldest one that is gone back to.
    assert all(set(call[1:]) <= {"--no-interaction"} for call in asked)


class Systemd:
    """Notes what is asked of systemd; jobs run until somebody has asked so often."""

    def __init__(self, monkeypatch, asked=0):
        self.said: list[tuple[str, ...]] = []
        self.asked = asked
        monkeypatch.setattr(_systemd, "systemctl", lambda *words: self.said.append(words))
        monkeypatch.setattr(_systemd, "read_properties", self.state)
        monkeypatch.setattr("time.sleep", lambda _seconds: None)

    def state(self, units, *_names):
        self.asked -= 1
        state = "active" if self.asked >= 0 else "inactive"
        return {unit: {"ActiveState": state} for unit in units}


@pytest.mark.parametrize("running", [True, False])
def test_a_space_is_closed_once_its_jobs_have_ended(settings, monkeypatch, running):
    systemd = Systemd(monkeypatch, asked=3)
    one = job(replace(settings, jobs_seconds=60))
    one = replace(one, item={**one.item, "running": running})
    _upgrade_steps.close(one)
    assert sorted(os.listdir(settings.closed)) == ["amap", f"amap.{'a' * 32}"]
    assert one.journal["closed_at"] > 0
    php = "space-php@amap.service"
    # The PHP of a suspended space is not started: nobody asks it.
    started = [("start", "--no-block", php)] if running else []
    assert systemd.said == [("stop", php), *started]


@pytest.mark.parametrize(("failed_at", "closed"), [("close", []), ("upgrade", ["amap"])])
def test_a_rollback_closes_what_was_touched(settings, monkeypatch, failed_at, closed):
    systemd = Systemd(monkeypatch)
    monkeypatch.setattr(_upgrade_occ, "end_occ", lambda _job: systemd.said.append(("end", "occ")))
    monkeypatch.setattr(_upgrade_point, "wait_for_database", lambda _job: None)
    one = job(settings, direction="back", failed_at=failed_at)
    _upgrade_steps.shut(one)
    assert ("end", "occ") in systemd.said
    found = os.listdir(settings.closed) if os.path.isdir(settings.closed) else []
    assert [name for name in found if "." not in name] == closed
    assert (("stop", "space-php@amap.service") in systemd.said) == bool(closed)


def test_a_rollback_on_demand_asks_nothing_of_a_space_that_may_be_broken(settings, monkeypatch):
    monkeypatch.setattr(_upgrade_check, "probe", lambda *_: pytest.fail("it is asked"))
    one = job(settings, direction="undo")
    del one.journal["key"]
    _upgrade_steps.prepare(one)
    assert len(one.journal["key"]) == 32
