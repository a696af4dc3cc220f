# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A server and those that follow it: what is planned, and in which order it is done."""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import replace

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._sql import (
    _mariadb,
    _replication,
    _replication_run,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql._replication import (
    Following,
    Observed,
    ReplicationError,
    Wanted,
)

PRIMARY = Observed(
    read_only=False,
    binlog=True,
    semi={
        "rpl_semi_sync_master_enabled": 1,
        "rpl_semi_sync_slave_enabled": 0,
        "rpl_semi_sync_master_timeout": 10_000,
    },
    position="0-1-9",
    applied="",
    databases=3,
    accounts={"10.0.0.2": _mariadb.password_hash("secret")},
)
FOLLOWS = Following("10.0.0.1", "Yes", "Yes", received="0-1-9", lag=0)
REPLICA = replace(
    PRIMARY,
    read_only=True,
    semi={
        "rpl_semi_sync_master_enabled": 0,
        "rpl_semi_sync_slave_enabled": 1,
        "rpl_semi_sync_master_timeout": 10_000,
    },
    applied="0-1-9",
    follows=FOLLOWS,
)
FRESH = replace(PRIMARY, databases=0, accounts={}, position="")
FOLLOW = Wanted(primary="10.0.0.1", password="secret")
LEAD = Wanted(replicas=["10.0.0.2"], password="secret")


def words(steps: list[tuple[str, t.Any]]) -> list[str]:
    return [what for what, _ in steps]


class TestPrimary:
    def test_one_as_it_should_be_needs_nothing(self):
        assert _replication.plan_primary(PRIMARY, LEAD) == []

    def test_a_fresh_one_lets_its_replicas_in_over_tls_alone(self):
        seen = replace(FRESH, semi={**REPLICA.semi}, read_only=True)
        steps = _replication.plan_primary(seen, LEAD)
        assert words(steps) == [
            "read_only: 1 → 0",
            "rpl_semi_sync_master_enabled: 0 → 1",
            "rpl_semi_sync_slave_enabled: 1 → 0",
            "account archipel-replication@10.0.0.2",
            "rights of account archipel-replication@10.0.0.2",
        ]
        assert steps[3][1][0].endswith("REQUIRE SSL")
        assert "secret" not in str(steps)

    def test_who_is_no_replica_any_more_is_not_let_in(self):
        seen = replace(PRIMARY, accounts={**PRIMARY.accounts, "10.0.0.9": "*X"})
        assert words(_replication.plan_primary(seen, LEAD)) == [
            "account archipel-replication@10.0.0.9: taken away"
        ]

    def test_another_password_is_set(self):
        steps = _replication.plan_primary(PRIMARY, replace(LEAD, password="other"))
        assert words(steps)[0] == "account archipel-replication@10.0.0.2"

    def test_no_wait_is_for_ever(self):
        (step,) = _replication.plan_primary(PRIMARY, replace(LEAD, wait_ms=0))
        assert step[1][0] == "SET GLOBAL rpl_semi_sync_master_timeout = 1000000000000000"

    def test_a_replica_is_never_made_the_primary_by_the_way(self):
        with pytest.raises(ReplicationError, match=r"playbooks/promote\.yml alone"):
            _replication.plan_primary(REPLICA, LEAD)

    def test_one_without_a_binary_log_is_to_be_restarted(self):
        with pytest.raises(ReplicationError, match="restart it"):
            _replication.plan_primary(replace(PRIMARY, binlog=False), LEAD)


class TestReplica:
    @pytest.mark.parametrize(
        ("seen", "options", "expected"),
        [
            (REPLICA, {}, []),
            # The primary is not there just now: it goes on trying by itself.
            (replace(REPLICA, follows=replace(FOLLOWS, receives="Connecting")), {}, []),
            (replace(REPLICA, read_only=False), {}, ["settings"]),
            (FRESH, {}, ["settings", "copy"]),
            # It was the primary: what it has may be what the other one has.
            (PRIMARY, {}, ["settings", "follow"]),
            (PRIMARY, {"discard": True}, ["settings", "copy"]),
            (REPLICA, {"begun": True}, ["copy"]),
            # One that follows has nothing to throw away.
            (REPLICA, {"discard": True}, []),
            (replace(REPLICA, follows=replace(FOLLOWS, host="10.0.0.7")), {}, ["again"]),
            (replace(REPLICA, follows=replace(FOLLOWS, receives="No")), {}, ["start"]),
            (replace(REPLICA, follows=replace(FOLLOWS, applies="No")), {}, ["start"]),
            (
                replace(REPLICA, follows=replace(FOLLOWS, errno=1236, receive_error="gone")),
                {"discard": True},
                ["copy"],
            ),
        ],
    )
    def test_what_is_done(self, seen: Observed, options: dict[str, bool], expected: list[str]):
        asked = {"begun": False, "discard": False, **options}
        assert _replication.plan_replica(seen, FOLLOW, **asked) == expected

    @pytest.mark.parametrize(
        ("follows", "said"),
        [
            (replace(FOLLOWS, applies="No", apply_error="row not found"), "row not found"),
            (replace(FOLLOWS, receives="No", errno=1236, receive_error="diverged"), "diverged"),
        ],
    )
    def test_nothing_is_thrown_away_without_a_word(self, follows: Following, said: str):
        seen = replace(REPLICA, follows=follows)
        with pytest.raises(ReplicationError, match=f"{said}. Nothing is thrown away"):
            _replication.plan_replica(seen, FOLLOW, begun=False, discard=False)

    def test_an_error_of_the_network_is_none_of_the_copy(self):
        seen = replace(REPLICA, follows=replace(FOLLOWS, errno=2003, receive_error="refused"))
        assert _replication.plan_replica(seen, FOLLOW, begun=False, discard=True) == []


STATUS = {
    "Master_Host": "10.0.0.1",
    "Slave_IO_Running": "Yes",
    "Slave_SQL_Running": "Yes",
    "Last_IO_Error": "",
    "Last_SQL_Error": "",
    "Last_IO_Errno": 0,
    "Gtid_IO_Pos": "0-1-9",
    "Seconds_Behind_Master": 0,
}


class Cursor:
    """A server that answers what it is told to, and remembers what it was asked."""

    def __init__(self, *statuses: dict[str, t.Any] | None, **answers: t.Any) -> None:
        self.asked: list[str] = []
        self._statuses = itertools.chain(statuses, itertools.repeat(statuses[-1]))
        self._answers = answers
        self._rows: list[t.Any] = []
        self.description: list[tuple[str]] = []
        self.connection = self
        self.following = True

    class OperationalError(Exception):
        """As the driver has it."""

    def execute(self, sql: str, values: t.Sequence[t.Any] = ()) -> None:
        self.asked.append(" ".join([sql, *map(str, values)]) if "%s" in sql else sql)
        self._rows = []
        if sql == "SHOW SLAVE STATUS":
            row = next(self._statuses) if self.following else None
            self.description = [(name,) for name in row or ()]
            self._rows = [] if row is None else [tuple(row.values())]
        elif sql == "RESET SLAVE ALL":
            self.following = False
        elif sql.startswith("SELECT @@global.read_only"):
            self._rows = [(1, 0, 1, 10_000, 1, "0-1-9", self._answers.get("applied", "0-1-9"))]
        elif sql.startswith("SELECT COUNT"):
            self._rows = [(3,)]
        elif sql.startswith("SELECT MASTER_GTID_WAIT"):
            self._rows = [(self._answers.get("wait", 0),)]
        elif sql.startswith("SELECT VERSION"):
            self._rows = [(self._answers.get("version", "11.8.3-MariaDB-0+deb13u1"),)]
        elif sql.startswith("SELECT ID"):
            self._rows = [(4,), (5,)]
        elif sql.startswith("SELECT @@global.gtid_binlog_pos"):
            self._rows = [("0-1-12",)]
        elif sql == "KILL 5":
            raise self.OperationalError(self._answers.get("kill", 1094), "Unknown thread id: 5")

    def fetchone(self) -> t.Any:
        return self._rows[0] if self._rows else None

    def fetchall(self) -> list[t.Any]:
        return self._rows

    def done(self, *words: str) -> list[str]:
        """Return what was asked for that begins with one of these words."""
        return [sql for sql in self.asked if sql.startswith(words)]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_replication_run, "PAUSE", 0)


class TestFollow:
    def test_it_begins_where_the_server_is_and_looks_at_the_certificate(self):
        cursor = Cursor(STATUS)
        _replication_run.follow(cursor, PRIMARY, FOLLOW, 3306, "/ca.pem")
        assert cursor.asked[0] == "SET GLOBAL gtid_slave_pos = %s 0-1-9"
        (said,) = cursor.done("CHANGE MASTER")
        assert "MASTER_SSL = 1" in said
        assert "MASTER_SSL_VERIFY_SERVER_CERT = 1" in said
        assert said.endswith("10.0.0.1 3306 archipel-replication secret /ca.pem")

    def test_where_the_primary_does_not_know_that_nothing_is_left_of_it(self):
        diverged = {**STATUS, "Slave_IO_Running": "No", "Last_IO_Errno": 1236}
        cursor = Cursor({**diverged, "Last_IO_Error": "diverged"})
        with pytest.raises(ReplicationError, match="cannot follow: diverged"):
            _replication_run.follow(cursor, PRIMARY, FOLLOW, 3306, "/ca.pem")
        assert cursor.asked[-2:] == ["STOP SLAVE", "RESET SLAVE ALL"]

    def test_a_primary_that_does_not_answer_is_waited_for(self):
        trying = {**STATUS, "Slave_IO_Running": "Connecting", "Last_IO_Error": "refused"}
        _replication_run.wait_connected(Cursor(trying, trying, STATUS))
        with pytest.raises(ReplicationError, match=r"does not reach the primary .*: refused"):
            _replication_run.wait_connected(Cursor(trying), patience=0)

    def test_somebody_else_is_at_work(self):
        with pytest.raises(ReplicationError, match="run again"):
            _replication_run.wait_connected(Cursor(None))


class TestPromote:
    def test_it_has_everything_before_it_takes_writes(self):
        cursor = Cursor(STATUS)
        done = _replication_run.promote(cursor, LEAD, "0-1-9", 5)
        assert done[:2] == ["follows 10.0.0.1 no more", "read_only: 1 → 0"]
        order = cursor.done("SELECT MASTER_GTID_WAIT", "STOP", "RESET", "SET GLOBAL read_only")
        assert [sql.split("(")[0] for sql in order] == [
            "SELECT MASTER_GTID_WAIT",
            "STOP SLAVE IO_THREAD",
            "STOP SLAVE",
            "RESET SLAVE ALL",
            "SET GLOBAL read_only = 0",
        ]

    @pytest.mark.parametrize(
        ("cursor", "said"),
        [
            (Cursor(STATUS, wait=-1), "has not all that the primary had"),
            (Cursor({**STATUS, "Last_SQL_Error": "no such row"}), "cannot follow: no such row"),
            (Cursor(STATUS, applied="0-1-8"), "what it has received is not applied: not done"),
        ],
    )
    def test_one_that_lacks_something_goes_on_following(self, cursor: Cursor, said: str):
        with pytest.raises(ReplicationError, match=said):
            _replication_run.promote(cursor, LEAD, "0-1-9", 0)
        assert cursor.done("RESET", "SET GLOBAL read_only") == []

    def test_a_second_time_nothing_is_asked_of_the_old_one(self):
        cursor = Cursor(None)
        assert _replication_run.promote(cursor, LEAD, "", 5)[0] == "read_only: 1 → 0"
        assert cursor.done("STOP", "RESET") == []

    @pytest.mark.parametrize(
        ("version", "more"), [("11.8.3-MariaDB", True), ("10.11.19-MariaDB-0", False)]
    )
    def test_rights_are_those_that_the_version_knows(self, version: str, more: bool):
        cursor = Cursor(None, version=version)
        _replication_run.grant(cursor, ("archipel-replication", "10.0.0.2"))
        (said,) = cursor.done("GRANT")
        assert ("SHOW CREATE ROUTINE" in said) is more


class TestRetire:
    def test_nobody_writes_after_the_position_that_is_returned(self):
        cursor = Cursor(None)
        assert _replication_run.retire(cursor) == "0-1-12"
        assert [sql.split(" FROM")[0] for sql in cursor.asked] == [
            "SET GLOBAL read_only = 1",
            "SELECT ID",
            "KILL 4",
            "KILL 5",
            "SELECT @@global.gtid_binlog_pos",
        ]

    def test_a_connection_that_cannot_be_ended_is_said(self):
        cursor = Cursor(None, kill=1095)
        with pytest.raises(Cursor.OperationalError):
            _replication_run.retire(cursor)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("0-1-9,1-2-3", "1-2-3,0-1-9", True), ("0-1-9", "0-1-8", False), ("", "0-1-9", True)],
)
def test_positions_are_compared_as_sets(one: str, other: str, expected: bool):
    assert _replication_run.same(one, other) is expected
