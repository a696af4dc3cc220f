# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The way between two nodes while spaces move: who may come, and what is asked of rsync."""

from __future__ import annotations

import os
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _files, _journal, _layout
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _move_channel,
    _move_job,
)
from ansible_collections.archipel.spaces.plugins.module_utils._system import _systemd


class Lab:
    """A node without its programs; it remembers what was run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.up = False
        self.ran: list[list[str]] = []
        self.code, self.said, self.refused = 0, "", ""

    def job(self, slug: str = "amap") -> _move_job.Job:
        node = _backup.Node(str(self.folder / "spaces"), "/v", "/w", "/s", "/ca")
        peer = _move_job.Peer("web2", "10.0.0.2", 8322, "ssh-ed25519 AAAA")
        return _move_job.Job(node, slug, 70_000, peer, public=f"ssh-ed25519 {slug}")

    def run(self, command: list[str], **_: t.Any) -> subprocess.CompletedProcess[str]:
        self.ran.append(command)
        refused = bool(self.refused) and command[0].endswith(self.refused)
        if command[0] == "systemd-run" and not refused:
            self.up = True
        code = self.code if command[0] == "rsync" else int(refused)
        return subprocess.CompletedProcess(command, code, self.said, "no such luck")

    def systemctl(self, verb: str, _unit: str) -> str:
        assert verb == "stop"
        assert self.up, "systemd does not know the unit"
        self.up = False
        return ""

    @property
    def keys(self) -> str:
        return (self.folder / "run/authorized_keys").read_text()


@pytest.fixture
def lab(tmp_path, monkeypatch) -> Lab:
    made = Lab(tmp_path)
    write = _files.write_file

    def layout(node: _backup.Node, slug: str) -> t.Any:
        return _layout.Layout(
            slug, _layout.Places(root=node.root, move=str(tmp_path / "run/spaces"))
        )

    monkeypatch.setattr(_backup.Node, "layout", layout)
    monkeypatch.setattr(_layout.Places, "move", str(tmp_path / "run/spaces"))
    monkeypatch.setattr(_move_channel, "FOLDER", str(tmp_path / "run"))
    monkeypatch.setattr(
        _files, "write_file", lambda one: write({**one, "uid": os.getuid(), "gid": os.getgid()})
    )
    lock: t.Any = _journal.exclusive
    monkeypatch.setattr(lock.__wrapped__, "__defaults__", (str(tmp_path / "locks"),))
    monkeypatch.setattr(subprocess, "run", made.run)
    monkeypatch.setattr(_systemd, "systemctl", made.systemctl)
    states = {True: "active", False: "inactive"}
    monkeypatch.setattr(
        _systemd, "read_properties", lambda units, *_: {units[0]: {"ActiveState": states[made.up]}}
    )
    return made


def programs(lab: Lab) -> list[str]:
    return [command[0].rsplit("/", 1)[-1] for command in lab.ran]


def test_it_listens_while_somebody_may_come_and_no_longer(lab: Lab):
    _move_channel.listen("10.0.0.1", 8322)
    for slug in ("amap", "velo"):
        _move_channel.open_for(lab.job(slug))
    assert lab.keys.count("restrict,") == 2
    _move_channel.close_for(lab.job("amap"))
    assert lab.up
    assert "velo" in lab.keys
    assert "amap" not in lab.keys
    _move_channel.close_for(lab.job("velo"))
    assert not lab.up
    assert lab.keys == ""


def test_asked_again_it_stays_as_it_is(lab: Lab):
    _move_channel.listen("10.0.0.1", 8322)
    before = programs(lab)
    _move_channel.listen("10.0.0.1", 8322)
    assert programs(lab) == before == ["sshd", "systemd-run"]
    _move_channel.listen("10.0.0.1", 8323)
    assert programs(lab) == 2 * before
    assert "ListenAddress 10.0.0.1:8323" in (lab.folder / "run/sshd_config").read_text()


def test_closing_what_is_closed_is_nothing(lab: Lab):
    """As after a reboot, which ends it."""
    _move_channel.close_for(lab.job())
    assert lab.ran == []


@pytest.mark.parametrize("refused", ["sshd", "systemd-run"])
def test_one_that_does_not_start_is_said(lab: Lab, refused: str):
    lab.refused = refused
    with pytest.raises(_move_job.MoveError, match="sshd for moves does not start: no such luck"):
        _move_channel.listen("10.0.0.1", 8322)


def test_nobody_else_s_login_is_touched(lab: Lab):
    _move_channel.listen("10.0.0.1", 8322)
    text = (lab.folder / "run/sshd_config").read_text()
    for line in (
        "PermitRootLogin forced-commands-only",
        "PasswordAuthentication no",
        "PermitTTY no",
    ):
        assert line in text.splitlines()
    assert oct((lab.folder / "run/authorized_keys").stat().st_mode & 0o777) == "0o600"


def test_addresses_of_both_families_are_written_as_each_wants_them(lab: Lab):
    job = lab.job()
    job.peer = _move_job.Peer("web2", "2001:db8::2", 8322, "k", ("2001:db8::2", "10.0.0.2"))
    assert 'from="2001:db8::2,10.0.0.2"' in _move_channel.grant(job)
    _move_channel.listen("2001:db8::1", 8322)
    assert "ListenAddress [2001:db8::1]:8322" in (lab.folder / "run/sshd_config").read_text()
    _move_channel.fetch(job, live=True)
    assert lab.ran[-1][-2] == "root@[2001:db8::2]:/"


class TestFetching:
    def test_knows_the_other_node_by_its_key_alone(self, lab: Lab):
        _move_channel.fetch(lab.job(), live=True)
        (command,) = lab.ran
        (rsh,) = [word for word in command if word.startswith("--rsh=")]
        assert "StrictHostKeyChecking=yes" in rsh
        assert "HostKeyAlias=web2" in rsh
        assert "-p8322" in rsh
        known = (lab.folder / "run/spaces/amap/known_hosts").read_text()
        assert known == "web2 ssh-ed25519 AAAA\n"
        assert command[-2:] == ["root@10.0.0.2:/", f"{lab.folder}/spaces/.arriving-amap/"]

    def test_leaves_out_what_each_node_has_of_its_own(self, lab: Lab):
        _move_channel.fetch(lab.job(), live=True)
        filters = [one for one in lab.ran[0] if one.startswith(("--include", "--exclude"))]
        assert filters.index("--exclude=/config/managed.config.php") < filters.index(
            "--include=/config/***"
        )
        assert filters[-1] == "--exclude=*"

    def test_takes_it_that_files_go_while_people_work(self, lab: Lab):
        lab.code = _move_channel.VANISHED
        _move_channel.fetch(lab.job(), live=True)
        with pytest.raises(_move_job.MoveError, match="not all of it came from web2 \\(24\\)"):
            _move_channel.fetch(lab.job(), live=False)

    @pytest.mark.parametrize("live", [True, False])
    def test_says_what_went_wrong(self, lab: Lab, live: bool):
        lab.code = 12
        with pytest.raises(_move_job.MoveError, match=r"web2 \(12\): no such luck"):
            _move_channel.fetch(lab.job(), live=live)

    def test_returns_what_differs(self, lab: Lab):
        lab.said = ">f+++++++++ data/f\n"
        assert _move_channel.fetch(lab.job(), "--dry-run", live=False) == [">f+++++++++ data/f"]
