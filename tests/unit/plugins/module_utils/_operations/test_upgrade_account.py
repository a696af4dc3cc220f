# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The account that an upgrade's check borrows: what it needs, and that nothing is left of it."""

from __future__ import annotations

import hashlib
import sqlite3

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._operations import _upgrade_account

NOW = 1_700_000_000.5
SECRET = "a/b+c"
SCHEMA = """
CREATE TABLE oc_users (uid TEXT);
CREATE TABLE oc_preferences (userid TEXT, appid TEXT, configkey TEXT, configvalue TEXT,
  PRIMARY KEY (userid, appid, configkey));
CREATE TABLE oc_authtoken (id INTEGER PRIMARY KEY, uid TEXT, login_name TEXT, name TEXT,
  token TEXT UNIQUE, type INT, remember INT, last_activity INT, last_check INT, expires INT,
  version INT, password_invalid INT);
CREATE TABLE oc_activity (activity_id INTEGER PRIMARY KEY, subject TEXT);
CREATE TABLE oc_notifications (notification_id INTEGER PRIMARY KEY, subject TEXT);
INSERT INTO oc_users VALUES ('anna'), ('camille'), ('zoe');
INSERT INTO oc_preferences VALUES ('anna', 'login', 'lastLogin', '0'),
  ('camille', 'login', 'lastLogin', '1600000000'), ('camille', 'core', 'lang', 'fr'),
  ('zoe', 'login', 'lastLogin', '1600000001');
INSERT INTO oc_activity (subject) VALUES ('file_created'), ('card_moved');
INSERT INTO oc_notifications (subject) VALUES ('invitation');
"""


class Database:
    """A space's database, in SQLite: its words for parameters and for tables are other ones."""

    def __init__(self):
        self.connection = sqlite3.connect(":memory:")
        self.connection.executescript(SCHEMA)

    def __call__(self, *statements):
        rows = []
        for sql, values in statements:
            if sql is _upgrade_account.TABLES:
                assert values == ("space_amap", tuple(_upgrade_account.NOTICES))
                found = self.connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
                rows = [row for row in found if row[0] in values[1]]
                continue
            text = sql.format("`space_amap`").replace("`space_amap`.", "").replace("%s", "?")
            rows = self.connection.execute(text, tuple(values)).fetchall()
        return rows

    def all(self):
        """Return every row of every table."""
        tables = self.connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
        return {
            name: sorted(self.connection.execute(f"SELECT * FROM {name}"), key=str)
            for (name,) in tables.fetchall()
        }


@pytest.fixture
def database():
    return Database()


def use(database):
    """Do to the account what logging in and opening pages does."""
    for sql in (
        "UPDATE oc_preferences SET configvalue = '1700000001' WHERE userid = 'camille' "
        "AND configkey = 'lastLogin'",
        "INSERT INTO oc_preferences VALUES ('camille', 'deck', 'firstRun', 'no')",
        "INSERT INTO oc_activity (subject) VALUES ('file_created')",
        "INSERT INTO oc_notifications (subject) VALUES ('token')",
    ):
        database.connection.execute(sql)


def test_an_account_is_borrowed_that_somebody_has_logged_in_to(database):
    assert _upgrade_account.choose(database) == ["camille", "1600000000"]
    disabled = "INSERT INTO oc_preferences VALUES ('camille', 'core', 'enabled', 'false')"
    database.connection.execute(disabled)
    assert _upgrade_account.choose(database) == ["zoe", "1600000001"]
    database.connection.execute("DELETE FROM oc_users WHERE uid = 'zoe'")
    assert _upgrade_account.choose(database) is None


def test_the_password_is_a_row_as_nextcloud_writes_it(database):
    first = _upgrade_account.lend(database, "camille", SECRET, NOW)
    password = _upgrade_account.lend(database, "camille", SECRET, NOW)
    # Nextcloud takes nothing shorter than 22 characters for a token.
    assert first != password
    assert len(password) == 72
    ((_id, uid, login, name, token, kind, _remember, *_times, expires, version, invalid),) = (
        database.all()["oc_authtoken"]
    )
    assert (uid, login, name) == ("camille", "camille", "archipel-upgrade")
    assert token == hashlib.sha512(f"{password}{SECRET}".encode()).hexdigest()
    assert (kind, version, invalid) == (1, 2, 0)
    # Should it ever be left behind, it is worth nothing soon.
    assert expires == int(NOW) + 3600


def test_nothing_is_left_of_what_a_closed_space_was_asked(database):
    before, account = database.all(), _upgrade_account.choose(database)
    remembered = _upgrade_account.remember(database, "space_amap", "camille")
    # A space without the application for activities by mail has no such table.
    assert remembered["notices"] == {"oc_activity": 2, "oc_notifications": 1}
    _upgrade_account.lend(database, "camille", SECRET, NOW)
    use(database)
    assert database.all() != before
    for _again in range(2):
        _upgrade_account.forget(database, account, remembered)
        assert database.all() == before


def test_what_people_do_in_an_open_space_stays(database):
    account = _upgrade_account.choose(database)
    _upgrade_account.lend(database, "camille", SECRET, NOW)
    use(database)
    after = database.all()
    _upgrade_account.forget(database, account, None)
    found = database.all()
    assert found["oc_authtoken"] == []
    assert ("camille", "login", "lastLogin", "1600000000") in found["oc_preferences"]
    for table in ("oc_activity", "oc_notifications"):
        assert found[table] == after[table]


def test_without_an_account_a_password_that_was_left_goes(database):
    _upgrade_account.lend(database, "camille", SECRET, NOW)
    _upgrade_account.forget(database, None, None)
    assert database.all()["oc_authtoken"] == []


def test_settings_that_did_not_change_are_not_written():
    rows = [("core", "lang", "fr"), ("login", "lastLogin", None)]
    assert _upgrade_account.as_before("camille", rows, rows) == []


def test_a_first_visit_is_not_taken_for_one_and_can_come_later(database):
    visits = {"deck": {"firstRun": "no"}, "core": {"lang": "de"}}
    before = database.all()
    known = _upgrade_account.preferences(database, "camille")
    marks = _upgrade_account.not_visited(known, visits)
    # What the account has set is its own.
    assert marks == [["deck", "firstRun", "no"]]
    _upgrade_account.mark_visited(database, "camille", marks)
    assert ("camille", "deck", "firstRun", "no") in database.all()["oc_preferences"]
    _upgrade_account.forget(database, _upgrade_account.choose(database), None, marks)
    assert database.all() == before


def test_without_marks_nothing_is_asked(database):
    assert _upgrade_account.not_visited([], {}) == []
    _upgrade_account.mark_visited(database, "camille", [])
