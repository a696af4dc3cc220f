# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the benchmark of throughput makes of its turns, and of our pools the usual ones."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import pytest

from tests.benchmarks import bench_load
from tests.benchmarks.bench_load import Load, Row, Turn
from tests.benchmarks.load import people, usual

OURS = """\
[global]
error_log = /dev/null

[velo]
listen = /run/archipel/php/velo.sock
pm = dynamic
pm.max_children = 8
env[NEXTCLOUD_CONFIG_DIR] = /srv/spaces/velo/config
php_admin_value[memory_limit] = 512M
"""


def turn(requests: int, **changes: float) -> Turn:
    usual_turn = {"seconds": 2.0, "p50": 0.01, "p99": 0.1, "processor": 4.0}
    return Turn(requests, refused=0, broken=0, **{**usual_turn, **changes})


def row() -> Row:
    """Three pairs; the machine was twice as slow during the second."""
    ours = [turn(90), turn(50, p99=0.3), turn(100)]
    others = [turn(100), turn(50, p99=0.2), turn(100)]
    return Row("get", 1, ours, others)


def test_a_turn_says_what_a_second_and_a_request_are():
    assert turn(100).rate == 50
    assert turn(100).each == pytest.approx(0.04)


def test_ratios_are_those_of_pairs():
    """A second that was slow for both says nothing of either."""
    assert row().ratio("rate") == 1.0
    assert row().ratio("p99") == 1.0
    assert row().middle("ours", "rate") == 45


def test_every_error_of_a_layout_counts():
    one = turn(100)
    one.refused, one.broken = 3, 2
    assert Row("put", 1, [one, turn(1)], [turn(1), turn(1)]).errors("ours") == 5
    assert row().errors("usual") == 0


def test_a_layout_that_answers_nothing_well_ends_the_benchmark(monkeypatch: pytest.MonkeyPatch):
    """It would look fast."""
    said = {"requests": 7, "seconds": 1.0, "p50": 0.1, "p99": 0.1, "refused": 7, "broken": 0}

    class Node:
        def execute(self, *_command: str, stdin: str | None = None) -> str:
            assert stdin is None
            return f"Running\n{json.dumps(said)}\n"

    monkeypatch.setattr(bench_load, "cpu_seconds", lambda _machine: 0.0)
    load = Load(Node(), 8, 1)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="ours, get: no request was answered well"):
        load.turn("ours", "get")
    said["refused"] = 1
    assert load.turn("ours", "get").refused == 1


def test_a_usual_pool_has_our_settings_and_a_socket_and_a_user_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "velo.conf").write_text(OURS)
    monkeypatch.setattr(usual, "POOLS", tmp_path)
    lines = usual.pool("velo").splitlines()
    assert lines[0] == "[velo]"
    assert "user = space-velo" in lines
    assert "listen = /run/usual/velo.sock" in lines
    assert sum(line.startswith("listen =") for line in lines) == 1
    assert "pm.max_children = 8" in lines
    assert "php_admin_value[memory_limit] = 512M" in lines
    assert "env[NEXTCLOUD_CONFIG_DIR] = /srv/usual/config/velo" in lines
    assert "error_log = /dev/null" not in lines


def test_a_socket_that_does_not_come_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    seconds = iter(range(0, 1000, 30))
    monkeypatch.setattr("time.monotonic", lambda: next(seconds))
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    with pytest.raises(RuntimeError, match=r"velo\.sock does not come"):
        usual.wait(tmp_path / "velo.sock")


@pytest.mark.parametrize(("known", "command"), [(True, "user:resetpassword"), (False, "user:add")])
def test_a_node_that_was_kept_has_its_accounts(
    monkeypatch: pytest.MonkeyPatch, known: bool, command: str
):
    asked: list[str] = []

    def occ(_slug: str, _password: str, *arguments: str) -> str:
        asked.append(arguments[0])
        if arguments[0] == "user:info" and not known:
            raise RuntimeError("user not found")
        return "app password:\nsecret\n"

    monkeypatch.setattr(people, "occ", occ)
    monkeypatch.setattr(people, "put", lambda *_: None)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: None)
    line = people.welcome("velo", "velo.bench.localhost")
    assert asked == ["user:info", command, "user:add-app-password"]
    host, name, credentials = line.split()
    assert (host, name) == ("velo.bench.localhost", "load")
    assert base64.b64decode(credentials) == b"load:secret"


@pytest.mark.parametrize(("refusals", "asked"), [(0, [4]), (2, [4, 30, 60])])
def test_a_space_that_wakes_slowly_is_asked_for_longer(
    monkeypatch: pytest.MonkeyPatch, refusals: int, asked: list[int]
):
    found: list[int | None] = []

    def one(_layout: str, _case: str, seconds: int | None = None) -> Turn:
        found.append(seconds)
        if len(found) <= refusals:
            raise RuntimeError("no request was answered well")
        return turn(1)

    load = Load(None, 8, 1)  # type: ignore[arg-type]
    monkeypatch.setattr(load, "turn", one)
    load.warm("ours", "get", 4)
    assert found == asked


def test_a_space_that_never_wakes_ends_the_benchmark(monkeypatch: pytest.MonkeyPatch):
    def none(*_: object) -> Turn:
        raise RuntimeError("ours, get: no request was answered well")

    load = Load(None, 8, 1)  # type: ignore[arg-type]
    monkeypatch.setattr(load, "turn", none)
    with pytest.raises(RuntimeError, match="no request was answered well"):
        load.warm("ours", "get", 4)
