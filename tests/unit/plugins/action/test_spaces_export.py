# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""How an archive comes from a node: by ssh in a stream, else in pieces."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.archipel.spaces.plugins.action import spaces_export
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions import _transfer

DATA = os.urandom(100_000)
MARK = "BECOME-SUCCESS-abc"


class Become(SimpleNamespace):
    """Becoming somebody else, as sudo does it."""

    name, success, password = "sudo", MARK, ""

    def build_become_command(self, command: str, _shell: object) -> str:
        return f"echo {MARK}; {command}"

    def get_option(self, name: str) -> str:
        return {"become_pass": self.password}[name]


class Connection(SimpleNamespace):
    """A connection whose ssh is a shell here."""

    transport, host, _shell, become = "ssh", "node1", None, None
    password, before = "", ""

    def get_option(self, name: str) -> str:
        return {"password": self.password, "ssh_executable": "sh"}[name]

    def _build_command(self, program: str, _kind: str, *words: str) -> list[str]:
        return [program, "-c", f"{self.before}{words[1]}"]


def action(connection: Connection, user: str = "deploy") -> Any:
    """Return the plugin with this connection; commands of its own run here."""
    made: Any = object.__new__(spaces_export.ActionModule)
    made._connection = connection
    made._get_remote_user = lambda: user
    made.get_become_option = lambda _name: "root"

    def run(command: str) -> dict[str, Any]:
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
        return {"rc": done.returncode, "stdout": done.stdout, "stderr": done.stderr}

    made._low_level_execute_command = run
    return made


@pytest.fixture
def path(tmp_path) -> str:
    (tmp_path / "an archive").write_bytes(DATA)
    return str(tmp_path / "an archive")


@pytest.mark.parametrize("offset", [0, 1, 65_536, 99_999, 100_000])
@pytest.mark.parametrize("become", [None, Become()])
def test_a_stream_begins_where_it_is_told(path: str, offset: int, become: Become | None):
    made = action(Connection(become=become))
    assert made._streams()
    assert b"".join(made._source(path)(offset)) == DATA[offset:]


@pytest.mark.parametrize("offset", [0, 1, 99_999, 100_000])
def test_other_connections_bring_pieces(path: str, offset: int, monkeypatch):
    monkeypatch.setattr(spaces_export, "PIECE", 30_000)
    made = action(Connection(transport="local"))
    assert not made._streams()
    assert b"".join(made._source(path)(offset)) == DATA[offset:]


@pytest.mark.parametrize(
    ("connection", "streams"),
    [
        (Connection(), True),
        (Connection(password="x"), False),
        (Connection(become=Become()), True),
        (Connection(become=Become(password="x")), False),
        (Connection(become=Become(name="su")), False),
        (Connection(transport="paramiko"), False),
    ],
)
def test_an_ssh_that_would_ask_for_a_password_is_not_started(connection: Connection, streams: bool):
    assert action(connection)._streams() == streams


def test_who_is_that_user_already_becomes_nobody(path: str):
    """Ansible does not use sudo then either: there may be none."""
    made = action(Connection(become=Become(name="su")), user="root")
    assert made._streams()
    assert b"".join(made._stream(path, 0)) == DATA


def test_a_stream_that_breaks_says_why(path: str):
    made = action(Connection(before="echo 'Connection refused' >&2; exit 255; "))
    with pytest.raises(_transfer.Broken, match="Connection refused"):
        list(made._stream(path, 0))
    made = action(Connection(become=Become(), before="echo 'a password is required' >&2; exit 1; "))
    with pytest.raises(_transfer.Broken, match="a password is required"):
        list(made._stream(path, 0))


def test_what_is_not_the_archive_is_not_taken_for_it(path: str):
    made = action(Connection(become=Become(), before="echo Welcome to node1; "))
    with pytest.raises(_transfer.Broken, match="become did not succeed"):
        list(made._stream(path, 0))


def test_a_stream_that_falls_silent_is_broken(path: str, monkeypatch):
    monkeypatch.setattr(spaces_export, "SILENCE", 0.2)
    made = action(Connection(before="sleep 30; "))
    with pytest.raises(_transfer.Broken, match="nothing came for"):
        list(made._stream(path, 0))


def test_an_archive_that_is_gone_is_said(tmp_path: Path):
    for connection in (Connection(), Connection(transport="local")):
        source = action(connection)._source(str(tmp_path / "missing"))
        target = tmp_path / "here/amap.tar.gz"
        with pytest.raises(_transfer.TransferError, match="run again"):
            _transfer.bring(source, target, _transfer.Wanted("x", 10, "0" * 64))


def test_a_transfer_that_broke_goes_on(path: str, tmp_path: Path):
    """The real source, broken once in the middle."""
    made = action(Connection())
    real, seen = made._source(path), []

    def source(offset: int) -> Any:
        seen.append(offset)
        pieces = real(offset)
        if offset:
            yield from pieces
        else:
            yield next(pieces)[:5000]
            raise _transfer.Broken("Connection reset")

    target = tmp_path / "here/amap.tar.gz"
    wanted = _transfer.Wanted(path, len(DATA), hashlib.sha256(DATA).hexdigest())
    _transfer.bring(source, target, wanted)
    assert seen == [0, 5000]
    assert target.read_bytes() == DATA
