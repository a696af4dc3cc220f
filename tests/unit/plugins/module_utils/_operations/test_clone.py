# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A copy that is killed anywhere is made by the next run, and the space is as it was all along."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _clone,
    _clone_contents,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations._clone import CloneError
from tests.unit.plugins.module_utils.cloning import (
    CONFIG,
    SOURCE,
    TARGET,
    Killed,
    Lab,
    is_whole,
    lab,
)

__all__ = ["lab"]


def test_a_copy_is_made_and_the_space_is_as_it_was(lab: Lab):
    before = lab.source()
    assert lab.claim()
    assert not lab.claim()
    (said,) = lab.run()
    assert said == "made of amap (copy, load, clean, identify, place, finish)"
    is_whole(lab)
    assert lab.source() == before


def test_killed_at_each_change_it_goes_on(lab: Lab):
    before, number, ended = lab.source(), 0, False
    while not ended:
        lab.start()
        lab.claim()
        lab.left = number
        try:
            lab.run()
            ended = True
        except Killed:
            number += 1
            lab.left = -1
            # No run makes an empty space of it, and none may start what is half there.
            assert "playbooks/clone.yml -e only=amap -e into=amap-essai" in _journal.under_way(
                TARGET
            )
            assert lab.source() == before
            lab.said.clear()
            journal = _journal.read(TARGET)
            assert journal is not None
            if journal["step"] in {"identify", "place", "finish"}:
                # Its database is done: what was said there is what counts.
                lab.said.append((TARGET, _cleaned(lab, journal)))
            lab.run()
        lab.left = -1
        is_whole(lab)
        assert lab.source() == before
    assert number >= 15


def _cleaned(lab: Lab, journal: dict[str, t.Any]) -> str:
    found = _clone_contents.statements(
        lab.databases["space_amap-essai"], "oc_", "ocsource0001", journal["instance"]
    )
    return "; ".join(["BEGIN", *found, "COMMIT"])


@pytest.mark.parametrize("step", list(_clone.STEPS))
def test_each_step_fails_once(lab: Lab, monkeypatch: pytest.MonkeyPatch, step: str):
    act = _clone.STEPS[step]
    failed: list[str] = []

    def fail_once(*words: t.Any) -> None:
        if not failed:
            failed.append(step)
            raise OSError("the disk is gone")
        act(*words)

    monkeypatch.setitem(_clone.STEPS, step, fail_once)
    before = lab.source()
    lab.claim()
    with pytest.raises(OSError, match="the disk is gone"):
        lab.run()
    journal = _journal.read(TARGET)
    assert journal is not None
    assert (journal["verb"], journal["step"]) == ("clone", step)
    # Nothing of it starts meanwhile.
    assert (lab.folder / f"still/{TARGET}").exists()
    lab.run()
    is_whole(lab)
    assert lab.source() == before


def test_the_space_may_change_between_two_runs(lab: Lab, monkeypatch: pytest.MonkeyPatch):
    """Who goes on begins with the copy again: files and rows of one moment."""
    lab.claim()
    lab.left = 4
    with pytest.raises(Killed):
        lab.run()
    lab.left = -1
    letter = lab.home(SOURCE) / "data/camille/files/letter.txt"
    letter.write_text("written meanwhile")
    lab.run()
    assert (lab.home(TARGET) / "data/camille/files/letter.txt").read_text() == "written meanwhile"


# --- what is refused -------------------------------------------------------------------


def refused(lab: Lab) -> str:
    before = lab.source() if (lab.home(SOURCE) / "config").exists() else {}
    with pytest.raises((CloneError, _clone_contents.UnfitError)) as caught:
        lab.claim()
    assert not before or lab.source() == before
    return str(caught.value)


def test_a_space_that_is_not_here(lab: Lab):
    (lab.home(SOURCE) / "config/config.php").unlink()
    assert "holds no installation of amap: there is nothing to copy" in refused(lab)
    assert _journal.read(TARGET) is None


@pytest.mark.parametrize(
    ("journal", "said"),
    [
        (
            {"verb": "upgrade", "step": "migrate", "to": "33.0.5"},
            "its upgrade to 33.0.5 is under way",
        ),
        ({"verb": "move", "step": "copying", "to": "web2"}, "its move to web2 is under way"),
        ({"verb": "move", "step": "kept", "to": "web2"}, "it has moved to web2"),
        ({"verb": "fenced", "step": "elsewhere", "home": "web2"}, "it lives on web2"),
        ({"verb": "restore", "step": "load"}, "a restore of it was interrupted"),
    ],
)
def test_a_space_that_something_else_is_done_to(lab: Lab, journal: dict[str, str], said: str):
    _journal.write(SOURCE, journal)
    assert said in refused(lab)


def test_an_upgrade_that_begins_between_claim_and_copy(lab: Lab):
    lab.claim()
    _journal.write(SOURCE, {"verb": "upgrade", "step": "migrate", "to": "33.0.5"})
    with pytest.raises(CloneError, match=r"amap is not copied now: its upgrade to 33\.0\.5"):
        lab.run()
    _journal.remove(SOURCE)
    lab.run()
    is_whole(lab)


def test_what_is_copied_already_is_not_read_again(lab: Lab, monkeypatch: pytest.MonkeyPatch):
    """Whatever is done to the space once its copy is read is nobody's matter."""
    lab.claim()
    monkeypatch.setattr(lab, "left", 9)
    with pytest.raises(Killed):
        lab.run()
    lab.left = -1
    assert (_journal.read(TARGET) or {})["step"] != "copy"
    _journal.write(SOURCE, {"verb": "upgrade", "step": "migrate", "to": "33.0.5"})
    assert _clone.look(lab.settings, SOURCE, TARGET)
    lab.said.append(("", ""))
    lab.run()
    assert (lab.home(TARGET) / "config/config.php").exists()


def test_whoever_is_at_work_on_the_space_is_waited_for(lab: Lab, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_backup, "PATIENCE", 0)
    lab.claim()
    with (
        _journal.exclusive(lab.settings.layout(SOURCE).lock_name),
        pytest.raises(_journal.JournalError, match="another run holds"),
    ):
        lab.run()


def test_files_that_are_encrypted_on_the_server(lab: Lab):
    lab.answers["encryption_enabled"] = [["yes"]]
    assert "keys made of its secret and its instance id" in refused(lab)
    lab.answers["encryption_enabled"] = [["no"]]
    assert lab.claim()


def test_files_in_an_object_store(lab: Lab):
    text = CONFIG.replace(
        "  'installed'", "  'objectstore' => array (\n    'class' => 'S3',\n  ),\n  'installed'"
    )
    (lab.home(SOURCE) / "config/config.php").write_text(text)
    assert "config.php has objectstore: its files are in an object store" in refused(lab)


def test_a_database_on_another_node(lab: Lab):
    text = "<?php\n$CONFIG = [\n  'dbhost' => '10.0.0.2',\n  'dbpassword' => 'x',\n];\n"
    (lab.home(SOURCE) / "config/managed.config.php").write_text(text)
    assert "the database of amap is on another node" in refused(lab)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("'dbtableprefix' => 'oc_'", "'dbtableprefix' => 'x`; DROP'", "dbtableprefix"),
        ("'instanceid' => 'ocsource0001'", "'instanceid' => '../../etc'", "instanceid"),
        ("'instanceid' => 'ocsource0001',", "", "instanceid ''"),
    ],
)
def test_a_state_file_that_is_not_as_it_should_be(lab: Lab, before: str, after: str, said: str):
    (lab.home(SOURCE) / "config/config.php").write_text(CONFIG.replace(before, after))
    assert said in refused(lab)


def test_a_database_that_is_not_whole(lab: Lab):
    del lab.databases["space_amap"]["oc_appconfig"]
    assert "has no table oc_appconfig: is it whole?" in refused(lab)


def test_no_room(lab: Lab):
    lab.free = 1 << 20
    said = refused(lab)
    assert "a copy of amap needs" in said
    assert "1 MB are free: make room there" in said
    assert _journal.read(TARGET) is None


def test_room_that_is_gone_once_it_is_claimed(lab: Lab):
    lab.claim()
    lab.free = 1 << 20
    with pytest.raises(CloneError, match="make room there"):
        lab.run()


def test_a_folder_that_du_cannot_count(lab: Lab, monkeypatch: pytest.MonkeyPatch):
    done = SimpleNamespace(stdout="", stderr="du: no such file")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    assert "du: no such file" in refused(lab)


def test_a_name_that_is_there_already(lab: Lab):
    (lab.home(TARGET) / "config/config.php").write_text(CONFIG)
    assert "amap-essai is there already" in refused(lab)


def test_a_name_whose_database_has_tables(lab: Lab):
    lab.databases["space_amap-essai"] = {"oc_users": 1}
    assert "its database space_amap-essai has 1 tables: see whose they are" in refused(lab)


@pytest.mark.parametrize(
    "journal",
    [
        {"verb": "clone", "step": "copy", "source": "velo", "instance": "oc1"},
        {"verb": "restore", "step": "fetch"},
        {"verb": "purge", "step": "ledger"},
    ],
)
def test_a_name_that_something_else_is_done_to(lab: Lab, journal: dict[str, str]):
    _journal.write(TARGET, journal)
    assert "amap-essai is taken: " in refused(lab)


def test_a_copy_that_nobody_claimed(lab: Lab):
    with pytest.raises(CloneError, match="amap-essai is not claimed as a copy of amap"):
        lab.run()


def test_a_space_that_brings_a_link_in_place_of_a_folder(lab: Lab, tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    lab.claim()
    data = lab.home(SOURCE) / "data/device"
    data.symlink_to(tmp_path)
    lab.run()
    # A link stays one: nothing of what it leads to is copied, or given to anybody.
    assert (lab.home(TARGET) / "data/device").is_symlink()


# --- rsync -----------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "fine"), [(0, True), (24, True), (23, False), (11, False)])
def test_what_rsync_is_asked_and_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, fine: bool
):
    asked: list[list[str]] = []

    def run(command: list[str], **_: t.Any) -> SimpleNamespace:
        asked.append(command)
        return SimpleNamespace(returncode=code, stderr="rsync: No space left on device (28)")

    monkeypatch.setattr(subprocess, "run", run)
    if fine:
        _clone.copy_files("/srv/spaces/amap", str(tmp_path))
    else:
        with pytest.raises(CloneError, match="No space left on device"):
            _clone.copy_files("/srv/spaces/amap", str(tmp_path))
    (command,) = asked
    # What is served is not changed: the space is only ever the source.
    assert command[-2:] == ["/srv/spaces/amap/", f"{tmp_path}/"]
    includes = [one for one in command if one.startswith(("--include", "--exclude"))]
    assert includes == [
        "--include=/config",
        "--include=/data",
        "--include=/release",
        "--exclude=/*",
    ]
