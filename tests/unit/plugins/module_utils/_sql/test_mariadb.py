# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The planner of databases: from what the server has to the statements that mend it."""

from __future__ import annotations

import typing as t
from types import SimpleNamespace

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._sql import _mariadb
from ansible_collections.archipel.spaces.plugins.module_utils._sql._mariadb import Account, State

WANTED = {
    "space": "velo-ecole",
    "name": "space_velo-ecole",
    "user": "space-velo-ecole",
    "host": "localhost",
    "further": [],
    "left": [],
    "max_user_connections": 20,
    "password": None,
}
WHO = ("space-velo-ecole", "localhost")
OWN = r"space\_velo-ecole"


def account(**changes):
    """Return the account as it should be, but for some changes."""
    values = {"plugin": "unix_socket", "max_user_connections": 20, "grants": {OWN: True}}
    return Account(**{**values, **changes})


def state(known, collation="utf8mb4_bin"):
    return State({"space_velo-ecole": collation}, {} if known is None else {WHO: known})


def statements(wanted, found):
    return [sql for _, (sql, _) in _mariadb.plan(wanted, found)]


def test_a_space_as_it_should_be_needs_nothing():
    assert statements(WANTED, state(account())) == []


def test_a_new_space_gets_database_account_and_its_one_grant():
    assert statements(WANTED, State({}, {})) == [
        "CREATE DATABASE `space_velo-ecole` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        "CREATE USER %s@%s IDENTIFIED VIA unix_socket REQUIRE NONE WITH MAX_USER_CONNECTIONS 20 "
        "ACCOUNT UNLOCK",
        r"GRANT ALL PRIVILEGES ON `space\_velo-ecole`.* TO %s@%s",
    ]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (account(max_user_connections=0), ["ALTER USER"]),
        (account(plugin="mysql_native_password"), ["ALTER USER"]),
        (account(locked=True), ["ALTER USER"]),
        (account(other_ways=True), ["ALTER USER"]),
        (account(tls=True), ["ALTER USER"]),
        (account(grants={}), ["GRANT ALL"]),
        (account(grants={OWN: False}), ["REVOKE GRANT", "REVOKE ALL", "GRANT ALL"]),
        # `_` is a wildcard: this grant also opens spaceXvelo-ecole.
        (account(grants={OWN: True, "space_velo-ecole": True}), ["REVOKE GRANT", "REVOKE ALL"]),
        (account(grants={OWN: True, "%": True}), ["REVOKE GRANT", "REVOKE ALL"]),
        (account(access=1), ["REVOKE ALL", "GRANT ALL"]),
        (account(finer=True), ["REVOKE ALL", "GRANT ALL"]),
    ],
)
def test_a_change_made_by_hand_is_undone(found, expected):
    assert [" ".join(sql.split()[:2]) for sql in statements(WANTED, state(found))] == expected


@pytest.mark.parametrize(
    "by_hand",
    [
        '"account_locked":true',
        '"ssl_type":1',
        '"auth_or":[{"plugin":"ed25519","authentication_string":"x"},{}]',
    ],
)
def test_a_change_made_by_hand_is_read(by_hand):
    text = f'{{"access":0,"plugin":"unix_socket","max_user_connections":20,{by_hand}}}'
    connection = Connection({**ROWS, "global_priv": [(*WHO, text)]})
    report, _ = _mariadb.converge([WANTED], connection, check=False, diff=False)
    assert report.changes == {
        "velo-ecole": ["account space-velo-ecole@localhost: authentication or limit"]
    }


def test_what_mariadb_leaves_behind_of_a_change_undone_is_no_change():
    """As MariaDB 11.8 writes it after two ways were made one again."""
    text = (
        '{"access":0,"plugin":"unix_socket","authentication_string":"","auth_or":[{}],'
        '"account_locked":false,"max_user_connections":20}'
    )
    connection = Connection({**ROWS, "global_priv": [(*WHO, text)]})
    report, _ = _mariadb.converge([WANTED], connection, check=False, diff=False)
    assert report.changes == {}


def test_a_user_who_may_also_come_from_elsewhere_is_named():
    accounts = {WHO: account(), (WHO[0], "%"): account(), ("space-old", "%"): account()}
    assert _mariadb.other_accounts(accounts, [WANTED]) == {"velo-ecole"}


def test_an_account_may_use_what_is_kept_aside_while_it_is_restored():
    """And no longer: the next run takes the right away, as any other that it should not have."""
    wanted = {**WANTED, "further": ["archipel_previous_velo-ecole"]}
    kept = r"archipel\_previous\_velo-ecole"
    assert statements(wanted, state(account())) == [
        f"GRANT ALL PRIVILEGES ON `{kept}`.* TO %s@%s",
    ]
    meanwhile = state(account(grants={OWN: True, kept: True}))
    assert statements(wanted, meanwhile) == []
    assert statements(WANTED, meanwhile) == [
        f"REVOKE GRANT OPTION ON `{kept}`.* FROM %s@%s",
        f"REVOKE ALL PRIVILEGES ON `{kept}`.* FROM %s@%s",
    ]
    by_hand = state(account(finer=True))
    assert [" ".join(sql.split()[:2]) for sql in statements(wanted, by_hand)] == [
        "REVOKE ALL",
        "GRANT ALL",
        "GRANT ALL",
    ]


def test_the_account_of_a_node_that_is_lost_goes():
    """Should that node come back, it must not reach a database that lives."""
    wanted = {**WANTED, "left": ["192.0.2.11", "192.0.2.12"]}
    known = {WHO: account(), (WHO[0], "192.0.2.11"): account(), ("space-amap", "192.0.2.11"): None}
    found = State({"space_velo-ecole": "utf8mb4_bin"}, known)
    ((what, statement),) = _mariadb.plan(wanted, found)
    assert what == "account space-velo-ecole@192.0.2.11: taken away"
    assert statement == ("DROP USER %s@%s", (WHO[0], "192.0.2.11"))


def test_a_wrong_collation_is_mended():
    assert statements(WANTED, state(account(), "latin1_swedish_ci")) == [
        "ALTER DATABASE `space_velo-ecole` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    ]


def test_a_distant_space_has_a_password_that_is_never_in_the_statement():
    wanted = {**WANTED, "host": "192.0.2.10", "password": "s3cret"}
    steps = _mariadb.plan(wanted, State({"space_velo-ecole": "utf8mb4_bin"}, {}))
    (sql, values) = steps[0][1]
    assert "REQUIRE SSL" in sql
    assert "s3cret" not in sql
    assert values[2] == _mariadb.password_hash("s3cret")


def test_the_password_hash_is_the_servers_own():
    # The example of MariaDB's manual page of PASSWORD().
    assert _mariadb.password_hash("notagoodpwd") == "*3A70EE9FC6594F88CE9E959CD51C5A1C002DC937"


def test_a_name_with_quotes_cannot_leave_its_quotes():
    hostile = {**WANTED, "name": "x`; DROP DATABASE mysql; -- "}
    sql = statements(hostile, State({}, {}))[0]
    assert sql.startswith("CREATE DATABASE `x``; DROP DATABASE mysql; -- ` ")


class Cursor:
    """Answers `read_state` from prepared rows, and remembers what was executed."""

    def __init__(self, rows):
        self.rows, self.found, self.executed = rows, [], []
        self.description = [("Host",), ("Db",), ("User",), ("Select_priv",), ("Grant_priv",)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def execute(self, sql, values=()):
        self.executed.append((sql, values))
        self.found = next((rows for key, rows in self.rows.items() if key in sql), [])

    def fetchall(self):
        return self.found


class Connection:
    """A connection whose server refuses what `refuse` names."""

    class Error(Exception):
        """What the driver raises."""

    def __init__(self, rows):
        self.made = Cursor(rows)

    def cursor(self):
        return self.made


ROWS = {
    "SCHEMATA": [("space_velo-ecole", "utf8mb4_bin")],
    "global_priv": [(*WHO, '{"access":0,"plugin":"unix_socket","max_user_connections":20}')],
    "mysql.db": [("localhost", OWN, WHO[0], "Y", "N")],
}


def test_everything_is_read_in_six_queries_whatever_the_number_of_spaces():
    connection = Connection(ROWS)
    many = [{**WANTED, "space": str(n)} for n in range(500)]
    report, _ = _mariadb.converge(many, connection, check=False, diff=False)
    assert report.changes == {}
    assert len(connection.made.executed) == 6


def test_check_mode_reports_and_sends_nothing():
    connection = Connection({**ROWS, "mysql.db": []})
    report, _ = _mariadb.converge([WANTED], connection, check=True, diff=True)
    assert report.changes == {"velo-ecole": ["rights on space_velo-ecole"]}
    assert len(connection.made.executed) == 6
    assert len(report.diffs) == 1


class TestConnect:
    """As root by the socket, or over TLS that is looked at."""

    LOCAL: t.ClassVar = {"user": "space-amap", "password": None, "address": "localhost:/s"}
    DISTANT: t.ClassVar = {"user": "space-amap", "password": "s3cret", "address": "10.0.0.2"}

    @pytest.fixture
    @staticmethod
    def driver():
        """A driver that logs in at a server which offers what it is told to."""
        client = SimpleNamespace(SSL=1 << 11)

        class Connection:
            offers = client.SSL

            def __init__(self, **options):
                self.options, self.host, self.sent = options, options.get("host"), []
                self.server_capabilities = self.offers
                if self.host:
                    self._request_authentication()

            def _request_authentication(self):
                self.sent.append(self.options["password"])

        errors = SimpleNamespace(OperationalError=ValueError)
        return SimpleNamespace(
            connect=Connection,
            connections=SimpleNamespace(Connection=Connection),
            constants=SimpleNamespace(CLIENT=client),
            err=errors,
        )

    def test_this_machine_s_server_knows_root_by_the_socket(self, driver):
        found = _mariadb.connect(driver, self.LOCAL, "/s", "/ca")
        assert found.options == {"unix_socket": "/s", "user": "root", "autocommit": True}

    @pytest.mark.parametrize(
        ("address", "port"), [("10.0.0.2", 3306), ("db1.example.org:3307", 3307)]
    )
    def test_another_machine_must_show_a_certificate_of_the_authorities(
        self, driver, address, port
    ):
        found = _mariadb.connect(driver, {**self.DISTANT, "address": address}, "/s", "/ca")
        assert (found.host, found.options["port"]) == (address.partition(":")[0], port)
        assert found.options["ssl"] == {
            "ca": "/ca",
            "check_hostname": True,
            "verify_mode": "required",
        }
        assert found.sent == ["s3cret"]

    def test_nothing_is_sent_to_a_server_without_tls(self, driver, monkeypatch):
        monkeypatch.setattr(driver.connections.Connection, "offers", 0)
        sent = []
        monkeypatch.setattr(
            driver.connections.Connection, "_request_authentication", lambda _self: sent.append(1)
        )
        with pytest.raises(ValueError, match=r"^10\.0\.0\.2 offers no TLS.*run playbooks/platform"):
            _mariadb.connect(driver, self.DISTANT, "/s", "/ca")
        assert sent == []
