# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the benchmark of neighbours makes of its turns, and what its attackers send."""

from __future__ import annotations

import base64
import math
import ssl
import time

import pytest

from tests.benchmarks import bench_neighbours
from tests.benchmarks.bench_neighbours import Row, Turn
from tests.benchmarks.neighbours import paced, strangers

CONTROL = {
    "pids.peak": ["256"],
    "pids.max": ["256"],
    "pids.events": ["max", "9041"],
    "memory.peak": ["2147483648"],
    "memory.max": ["2147483648"],
    "memory.events": ["low", "0", "max", "812", "oom", "5", "oom_kill", "4"],
    "storage": [1 << 30, 1 << 30],
    "free": 3 << 30,
    "cpu": 41_600_000,
}


def turn(*seconds: float, failed: int = 0) -> Turn:
    return Turn(list(seconds), ["GET: 502"] * failed)


@pytest.mark.parametrize(
    ("percent", "expected"), [(50, 0.5), (99, 1.0), (100, 1.0), (90, 0.9), (1, 0.1)]
)
def test_a_percentile_is_a_time_that_was_seen(percent: float, expected: float):
    assert turn(*(number / 10 for number in range(10, 0, -1))).percentile(percent) == expected


def test_where_nothing_was_answered_people_wait_for_ever():
    """An attack that lets nobody through must not look like a fast one."""
    row = Row("logins", [turn(0.2)], [turn(failed=3)], [""])
    assert row.middle("attacked", 50) == math.inf
    assert row.ratio(99) == math.inf
    assert (row.failures("quiet"), row.failures("attacked")) == (0, 3)


def test_ratios_are_those_of_pairs():
    """A minute in which the whole machine was slow says nothing of the attack."""
    quiet = [turn(0.1, 0.2), turn(0.4, 0.8), turn(0.1, 0.2)]
    attacked = [turn(0.15, 0.3), turn(0.4, 0.8), turn(0.2, 0.6)]
    row = Row("logins", quiet, attacked, ["", "", ""])
    assert row.ratio(50) == pytest.approx(1.5)
    assert row.ratio(99) == pytest.approx(1.5)


def test_a_row_is_printed_in_milliseconds_with_what_held_below():
    row = Row("full disk", [turn(0.1, 0.2)], [turn(0.2, 0.5, failed=1)], ["1024 of 1024 MiB"])
    first, second = bench_neighbours.lines(row)
    assert first.split()[2:] == (
        ["100", "ms", "200", "ms", "200", "ms", "500", "ms", "2.00", "2.50", "0", "1"]
    )
    assert second.strip() == "1024 of 1024 MiB"


@pytest.mark.parametrize(
    ("kind", "answer", "said"),
    [
        ("fork bomb", {}, "256 tasks of 256, refused 9041 times"),
        ("memory hog", {}, "2048 of 2048 MiB, 4 processes ended"),
        ("full disk", {}, "1024 of 1024 MiB"),
        (
            "logins",
            {"answers": {"429": 7, "401": 90}, "sent": 0},
            "90 × 401, 7 × 429; 256 tasks",
        ),
        (
            "uploads",
            {"answers": {"401": 3}, "sent": 450_000_000},
            "450 MB sent: 3 × 401; 3072 MiB left for bodies",
        ),
    ],
)
def test_what_held_is_said_in_the_limits_own_numbers(
    kind: str, answer: dict[str, object], said: str
):
    assert bench_neighbours.held(kind, CONTROL, answer) == f"{said}; 42 s of processor time"


def test_a_kernel_that_does_not_count_is_no_limit_that_held():
    """Without cgroup v2 there is no such file: nothing may look as if it had been measured."""
    control = CONTROL | {"pids.peak": [], "pids.max": [], "pids.events": []}
    assert bench_neighbours.detail("fork bomb", control, {}) == "? tasks of ?, refused ? times"
    unlimited = CONTROL | {"memory.max": ["max"]}
    assert bench_neighbours.held("memory hog", unlimited, {}).startswith("2048 of max MiB")


def test_neighbours_ask_for_what_people_and_clients_ask_for():
    credentials = base64.b64encode(b"load:token").decode()
    asked = paced.requests(bench_neighbours.ASKED, "load", credentials)
    assert [request.method for request in asked] == ["GET", "GET", "PROPFIND", "GET", "PUT"]
    # The first two are for those who are nobody yet.
    signed = [("Authorization" in request.headers) for request in asked]
    assert signed == [False, False, True, True, True]


def test_what_was_due_and_not_begun_in_time_has_failed(monkeypatch: pytest.MonkeyPatch):
    """A queue that only gets longer must not look like few slow answers."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    client = paced.Client(["get", "put"], "x", "load", "credentials")

    def ask(_request: paced.Request) -> int:
        now[0] += 5.0
        return 200

    monkeypatch.setattr(client, "ask", ask)
    client.run(100.0, 2.0, 8.0)
    assert client.seconds == [5.0, 8.0]
    assert client.failed == ["GET: not begun", "PUT: not begun"]


class Line:
    """A connection that takes everything and remembers how much."""

    def __init__(self) -> None:
        self.taken = 0

    def sendall(self, data: bytes) -> None:
        self.taken += len(data)


class TestStrangers:
    @pytest.fixture(autouse=True)
    def context(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ssl, "_create_unverified_context", lambda: None)

    def test_a_body_is_as_long_as_its_head_says(self):
        """What came after it would be read as another request."""
        crowd, line = strangers.Crowd("uploads", "x", strangers.LENGTH * 2), Line()
        assert crowd.is_sent(line)  # type: ignore[arg-type]
        assert line.taken == crowd.sent == strangers.LENGTH

    def test_no_more_is_sent_than_was_asked_for(self):
        most = 10 * len(strangers.PART)
        crowd, line = strangers.Crowd("uploads", "x", most), Line()
        assert not crowd.is_sent(line)  # type: ignore[arg-type]
        assert line.taken == most

    def test_whoever_guesses_comes_from_elsewhere_each_time(self):
        guesses = strangers.Crowd("logins", "x", 0)
        addresses = [guesses.address(0) for _ in range(600)]
        assert len(set(addresses)) == 600
        assert addresses[:2] + addresses[250:251] == ["127.66.0.1", "127.66.0.2", "127.66.1.1"]
        uploads = strangers.Crowd("uploads", "x", 0)
        assert {uploads.address(7) for _ in range(3)} == {"127.66.0.8"}
