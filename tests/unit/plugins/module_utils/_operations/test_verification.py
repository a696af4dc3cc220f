# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A backup verifies itself, or says what is wrong with it."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._operations import _verification
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database


def seen(**changes: object) -> _verification.Seen:
    loaded = _database.Counted({"oc_a": 2})
    meta = {"dump": {"sha256": loaded.digest.hexdigest()}, "tables": {"oc_a": 2}}
    return _verification.Seen(**{"files": 5, "equal": 3, "loaded": loaded, "meta": meta, **changes})


def test_a_good_backup():
    assert _verification.judge(seen(), {"oc_a": 2}, 5) == []
    assert _verification.judge(seen(), {"oc_a": 2}, None) == []


@pytest.mark.parametrize(
    ("what", "rows", "files", "text"),
    [
        (seen(), {"oc_a": 1}, 5, "table oc_a: 1 rows instead of 2"),
        (seen(), {}, 5, "table oc_a: no rows instead of 2"),
        (seen(), {"oc_a": 2, "oc_b": 1}, 5, "table oc_b: 1 rows instead of none"),
        (seen(), {"oc_a": 2}, 6, "5 files instead of 6"),
        (seen(loaded=None), {}, 5, "it holds no database"),
        (seen(meta={}), {}, 5, "it holds no database"),
        (seen(damaged=["/x"]), {"oc_a": 2}, 5, "/x differs from the live file of the same age"),
        (
            seen(loaded=_database.Counted({}, 0, hashlib.sha256(b"x"))),
            {"oc_a": 2},
            5,
            "the checksum of its database is another one",
        ),
    ],
)
def test_what_is_wrong(what: _verification.Seen, rows: dict[str, int], files: int, text: str):
    assert _verification.judge(what, rows, files) == [text]


class TestFile:
    """Each file of a backup against the live one."""

    @staticmethod
    def compare(path: Path, content: bytes, age: float) -> bool | None:
        member = tarfile.TarInfo(str(path).lstrip("/"))
        member.size, member.mtime = len(content), age
        return _verification.same_as_live(member, io.BytesIO(content), str(path))

    @pytest.fixture
    @staticmethod
    def live(tmp_path: Path) -> Path:
        path = tmp_path / "f"
        path.write_bytes(b"content")
        os.utime(path, (1000.4, 1000.4))
        return path

    def test_equal(self, live: Path):
        assert self.compare(live, b"content", 1000) is True

    def test_damaged(self, live: Path):
        assert self.compare(live, b"CONTENT", 1000) is False

    def test_changed_since(self, live: Path):
        assert self.compare(live, b"content", 900) is None
        assert self.compare(live, b"longer content", 1000) is None

    def test_gone_since(self, live: Path):
        live.unlink()
        assert self.compare(live, b"content", 1000) is None

    def test_a_link_in_its_place_is_not_followed(self, live: Path, tmp_path: Path):
        (tmp_path / "link").symlink_to(live)
        assert self.compare(tmp_path / "link", b"content", 1000) is None


class TestDistant:
    """A database on another node: its account has room for nothing beside the live one."""

    DUMP = b"CREATE TABLE `oc_a` (\n);\nINSERT INTO `oc_a` VALUES\n(1),\n(2);\n"

    @pytest.fixture
    @staticmethod
    def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
        """No server is asked for anything."""
        for name in ("load", "counts", "drop", "run"):
            monkeypatch.setattr(_database, name, lambda *_arguments: pytest.fail("asked"))

    @pytest.mark.usefixtures("nobody")
    @pytest.mark.parametrize(
        ("dump", "wrong"),
        [
            (DUMP, []),
            (
                DUMP.replace(b"(1),\n", b""),
                [
                    "the checksum of its database is another one",
                    "table oc_a: 1 rows instead of 2",
                ],
            ),
        ],
    )
    def test_its_dump_is_read_and_counted(self, dump: bytes, wrong: list[str]):
        into = _verification.Target(None, "archipel_verification_amap", "/staging", "amap")
        meta = {"dump": {"sha256": hashlib.sha256(self.DUMP).hexdigest()}, "tables": {"oc_a": 2}}
        found = seen(loaded=into.take(io.BytesIO(dump)), meta=meta)
        assert _verification.judge(found, into.rows(found), 5) == wrong
        into.drop()

    @pytest.mark.usefixtures("nobody")
    def test_where_no_server_is_none_is_swept(self, tmp_path: Path):
        settings = SimpleNamespace(socket=str(tmp_path / "none"))
        _verification.sweep(settings)


def test_files_of_another_folder_are_compared_with_the_live_ones():
    into = _verification.Target(None, "x", "/staging", "amap", "/data/amap", "/srv/spaces/amap")
    assert into.live("/data/amap/data/a.txt") == "/srv/spaces/amap/data/a.txt"
    assert into.live("/data/amap-2/a.txt") == "/data/amap-2/a.txt"
    assert _verification.Target(None, "x", "/s", "amap").live("/a") == "/a"
