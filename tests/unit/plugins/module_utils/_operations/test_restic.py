# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What restic says, and what people are told."""

from __future__ import annotations

import json
import typing as t
from datetime import UTC, datetime

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._operations import _restic
from ansible_collections.archipel.spaces.plugins.module_utils._operations._restic import Snapshot

REPOSITORY = _restic.Repository("/srv/backups", "/etc/password", "/cache", {"AWS_X": "secret"})


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        # As restic 0.14 and 0.18 say it.
        ("Fatal: wrong password or no key found", "it was made with another key"),
        (
            "unable to create lock in backend: repository is already locked by PID 7 on node2",
            "archipel-restic unlock --remove-all",
        ),
        ("Save(<data/1f>) returned error: write: no space left on device", "disk is full"),
        (
            "Fatal: unable to open config file: stat /x/config: no such file or directory\n"
            "Is there a repository at the following location?\n/x",
            "there is no repository",
        ),
        ("Fatal: repository does not exist: unable to open config file", "there is no repository"),
        ("ssh: connect to host b port 22: Connection refused", "cannot be reached"),
    ],
)
def test_known_faults_say_what_to_do(said: str, remedy: str):
    assert remedy in _restic.explain(said, 1)


def test_unknown_faults_are_shown():
    assert _restic.explain("Fatal: something else\n", 1) == "Fatal: something else"
    assert _restic.explain("", 9) == "exit code 9"


def test_nothing_secret_is_in_the_command():
    assert "secret" not in " ".join(REPOSITORY.command("backup"))
    assert REPOSITORY.variables()["AWS_X"] == "secret"
    assert REPOSITORY.variables()["RESTIC_PASSWORD_FILE"] == "/etc/password"


ROWS: list[dict[str, object]] = [
    {"id": "b" * 64, "tags": ["space:amap"], "time": "2026-05-30T12:00:00.123456789Z"},
    {"id": "a" * 64, "tags": ["space:amap", "x:y"], "time": "2026-05-29T12:00:00+02:00"},
    {"id": "c" * 64, "tags": ["space:cine"], "time": "2026-05-31T12:00:00Z"},
    {"id": "d" * 64, "tags": None, "time": "2026-05-31T12:00:00Z"},
]
FOUND = _restic.parse_snapshots(json.dumps([{**row, "hostname": "node1"} for row in ROWS]))


def test_how_large_a_backup_is_where_restic_notes_it():
    summary = {"summary": {"total_bytes_processed": 4096}}
    rows = [{**ROWS[0], "hostname": "n", **more} for more in ({}, {"summary": None}, summary)]
    sizes = [one.size for one in _restic.parse_snapshots(json.dumps(rows))]
    assert sorted(sizes, key=str) == [4096, None, None]


def test_snapshots_of_spaces_oldest_first():
    assert [(one.id[0], one.space) for one in FOUND] == [
        ("a", "amap"),
        ("b", "amap"),
        ("c", "cine"),
    ]
    assert FOUND[1] == Snapshot("b" * 64, "amap", datetime(2026, 5, 30, 12, tzinfo=UTC), "node1")
    assert _restic.parse_snapshots("null") == []


@pytest.mark.parametrize(
    ("at", "chosen"),
    [("latest", "b"), ("", "b"), ("aaaaaa", "a"), ("2026-05-29", "a"), ("2026-05-30T23:00", "b")],
)
def test_which_one_is_meant(at: str, chosen: str):
    assert _restic.choose(FOUND, "amap", at).id == chosen * 64


@pytest.mark.parametrize(
    ("slug", "at", "text"),
    [
        ("quai", "latest", "there is no backup of quai"),
        ("amap", "2026-01-01", "no backup of amap is that old. There are: aaaaaaaa (2026-05-29"),
        (
            "amap",
            "yesterday",
            "allowed: latest, the first 6 characters or more of an id, or a time",
        ),
        ("amap", "cccccc", "allowed: latest"),
    ],
)
def test_what_is_not_there_is_refused(slug: str, at: str, text: str):
    with pytest.raises(_restic.ResticError) as error:
        _restic.choose(FOUND, slug, at)
    assert text in str(error.value)


def test_the_summary_is_the_last_line():
    printed = '{"message_type":"status"}\n{"message_type":"summary","snapshot_id":"x"}\n'
    assert _restic.summary(printed)["snapshot_id"] == "x"
    assert _restic.summary("") == {}


@pytest.mark.parametrize(
    ("paths", "found"),
    [
        (("/mnt/staging/amap", "/data/amap/config"), "/data/amap/config"),
        ((), "/srv/spaces/amap/config"),
        # Who can write to the repository must not lead root out of the folder it unpacks into.
        (("/../../etc/amap/config",), "/srv/spaces/amap/config"),
        (("etc/amap/config",), "/srv/spaces/amap/config"),
        (("/data//amap/config",), "/srv/spaces/amap/config"),
    ],
)
def test_where_it_was_is_said_by_the_snapshot(paths: tuple[str, ...], found: str):
    one = _restic.parse_snapshots(json.dumps([{**ROWS[0], "hostname": "n", "paths": paths}]))[0]
    assert one.path("/amap/config", "/srv/spaces/amap/config") == found


def error(item: str, text: str) -> str:
    return json.dumps({"message_type": "error", "error": {"message": text}, "item": item})


def test_files_that_are_gone_meanwhile_are_no_failure():
    assert _restic.unread(error("/a", "lstat /a: no such file or directory")) == ""
    assert "/b" in _restic.unread(error("/b", "open /b: input/output error") + "\nnot JSON")


class TestOfACopyFromBefore:
    """A node that was lost came back, and has backed up what it still had."""

    FOUND: t.ClassVar = [
        _restic.Snapshot(f"{n}" * 64, "amap", datetime(2026, 5, day, tzinfo=UTC), host)
        for n, day, host in ((1, 1, "web1"), (2, 3, "web2"), (3, 5, "web1"))
    ]
    STALE: t.ClassVar = {"web1": "2026-05-02T00:00:00+00:00"}

    def test_it_is_not_the_latest_nor_that_of_a_day(self):
        assert _restic.choose(self.FOUND, "amap", "latest").host == "web1"
        for at in ("latest", "", "2026-05-06"):
            assert _restic.choose(self.FOUND, "amap", at, self.STALE).host == "web2"

    def test_what_was_made_before_is_as_good_as_ever(self):
        assert _restic.choose(self.FOUND, "amap", "2026-05-02", self.STALE).id[0] == "1"

    def test_who_names_it_by_its_id_means_it(self):
        assert _restic.choose(self.FOUND, "amap", "333333", self.STALE).id[0] == "3"

    def test_where_there_is_nothing_else_that_is_said(self):
        with pytest.raises(_restic.ResticError, match="but those that web1 made after it was lost"):
            _restic.choose(self.FOUND[2:], "amap", "latest", self.STALE)

    def test_others_are_not_concerned(self):
        stale = {"web3": "2026-01-01T00:00:00+00:00"}
        assert _restic.choose(self.FOUND, "amap", "latest", stale).id[0] == "3"
