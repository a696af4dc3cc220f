# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What MariaDB's own programs are asked, and what becomes of their failures."""

from __future__ import annotations

import io
import stat
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database

SERVER = _database.local("/run/mysqld/mysqld.sock")
# Writes down how it was called and what it received; answers with files of a test's.
PROGRAM = """\
#!/bin/sh
lab=$(dirname "$0")
echo "$(basename "$0") $*" >>"$lab/calls"
if [ -e "$lab/deaf" ]; then exec <&-; cat "$lab/says" >&2; exit 1; fi
if [ "$(basename "$0")" = mariadb ]; then cat >>"$lab/received"; echo >>"$lab/received"; fi
if [ -e "$lab/answers" ]; then head -n 1 "$lab/answers"; sed -i 1d "$lab/answers"; fi
if [ -e "$lab/dump" ]; then cat "$lab/dump"; fi
if [ -e "$lab/says" ]; then cat "$lab/says" >&2; exit 1; fi
"""


@pytest.fixture
def lab(tmp_path, monkeypatch) -> Path:
    """Return the folder of two programs that come first in PATH."""
    folder = tmp_path / "lab"
    folder.mkdir()
    for name in ("mariadb", "mariadb-dump"):
        (folder / name).write_text(PROGRAM)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return folder


def answer(lab: Path, *lines: str) -> None:
    (lab / "answers").write_text("".join(f"{line}\n" for line in lines))


def received(lab: Path) -> list[str]:
    return [line for line in (lab / "received").read_text().splitlines() if line]


def test_root_comes_through_the_socket_and_no_file_of_options_is_read(lab: Path):
    answer(lab, "1\tcamille")
    assert _database.run(SERVER, "SELECT 1", "space_amap") == [["1", "camille"]]
    (call,) = (lab / "calls").read_text().splitlines()
    assert call.startswith("mariadb --no-defaults --socket=/run/mysqld/mysqld.sock --user=root ")
    assert call.endswith(" space_amap")
    assert received(lab) == ["SELECT 1"]


def test_a_server_that_says_no_is_an_error_with_its_words(lab: Path):
    (lab / "says").write_text("ERROR 1045: Access denied\n")
    for act in (
        lambda: _database.run(SERVER, "SELECT 1"),
        lambda: _database.exists(SERVER, "a"),
        lambda: _database.drop(SERVER, "a"),
        lambda: _database.tables(SERVER, "a"),
    ):
        with pytest.raises(_database.DatabaseError, match="Access denied"):
            act()


@pytest.mark.parametrize(("line", "there"), [("1", True), ("", False)])
def test_whether_there_is_a_database(lab: Path, line: str, there: bool):
    if line:
        answer(lab, line)
    assert _database.exists(SERVER, "space_velo'; DROP") is there
    assert received(lab)[0].endswith("= 'space_velo''; DROP'")


def test_sizes_and_counts(lab: Path):
    answer(lab, "1234.0")
    assert _database.size(SERVER, "space_amap") == 1234
    answer(lab, "oc_a", "oc_a\t3")
    assert _database.counts(SERVER, "space_amap") == {"oc_a": 3}
    assert received(lab)[-1] == "SELECT 'oc_a', COUNT(*) FROM `space_amap`.`oc_a`"


def test_a_database_without_tables_has_no_counts(lab: Path):
    assert _database.counts(SERVER, "space_amap") == {}


def test_tables_change_their_names_in_one_statement(lab: Path):
    answer(lab, "oc_a", "1")
    _database.move(SERVER, "space_amap", "archipel_previous_amap")
    assert (
        received(lab)[-1] == "RENAME TABLE `space_amap`.`oc_a` TO `archipel_previous_amap`.`oc_a`"
    )
    assert not [line for line in received(lab) if line.startswith("CREATE")]


def test_where_they_go_is_made_first_and_nothing_is_moved_twice(lab: Path):
    answer(lab, "oc_a")
    _database.move(SERVER, "space_amap", "archipel_previous_amap")
    verbs = [line.split(" ")[0] for line in received(lab)]
    assert verbs == ["SELECT", "SELECT", "CREATE", "RENAME"]
    (lab / "received").write_text("")
    _database.move(SERVER, "space_amap", "archipel_previous_amap")
    assert [line.split(" ")[0] for line in received(lab)] == ["SELECT"]


def test_a_dump_is_root_s_alone_and_counted(lab: Path, tmp_path: Path):
    (lab / "dump").write_bytes(b"CREATE TABLE `oc_a` (\nINSERT INTO `oc_a` VALUES\n(1),\n(2);\n")
    path = tmp_path / "dump.sql"
    counted = _database.dump(SERVER, "space_amap", str(path))
    assert counted.tables == {"oc_a": 2}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes() == (lab / "dump").read_bytes()
    assert "--single-transaction" in (lab / "calls").read_text()


def test_a_dump_that_breaks_off_is_an_error_although_it_wrote_rows(lab: Path, tmp_path: Path):
    (lab / "dump").write_bytes(b"CREATE TABLE `oc_a` (\n")
    (lab / "says").write_text("mariadb-dump: Error 2013: Lost connection\n")
    with pytest.raises(_database.DatabaseError, match="Lost connection"):
        _database.dump(SERVER, "space_amap", str(tmp_path / "dump.sql"))


def test_a_dump_follows_no_link(lab: Path, tmp_path: Path):
    target = tmp_path / "somebody-s"
    target.write_text("theirs")
    (tmp_path / "dump.sql").symlink_to(target)
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        _database.dump(SERVER, "space_amap", str(tmp_path / "dump.sql"))
    assert target.read_text() == "theirs"


def test_a_full_disk_ends_the_dump(lab: Path):
    (lab / "dump").write_bytes(b"x" * 100_000)
    with pytest.raises(OSError, match="No space left on device"):
        _database.dump(SERVER, "space_amap", "/dev/full")


def test_a_database_is_made_anew_and_filled(lab: Path):
    source = io.BytesIO(b"CREATE TABLE `oc_a` (\nINSERT INTO `oc_a` VALUES\n(1);\n")
    assert _database.load(SERVER, "space_amap", source).tables == {"oc_a": 1}
    first, *rest = received(lab)
    assert first.startswith("DROP DATABASE IF EXISTS `space_amap`; CREATE DATABASE")
    assert rest[-1] == "COMMIT;"


def test_a_client_that_ends_in_the_middle_says_why(lab: Path):
    """More than a pipe holds, so that writing to the client that is gone fails."""
    answer(lab, "")
    (lab / "says").write_text("ERROR 1273 at line 7: Unknown collation\n")
    run = _database.run
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_database, "run", lambda *_: [])
        (lab / "deaf").touch()
        with pytest.raises(_database.DatabaseError, match="Unknown collation"):
            _database.load(SERVER, "space_amap", io.BytesIO(b"(1),\n" * 500_000))
    assert run is _database.run


def test_another_machine_is_reached_by_a_file_that_root_alone_reads(tmp_path: Path):
    path = tmp_path / "clients/amap.cnf"
    values = {"host": "10.0.0.2", "port": 3306, "user": "space-amap", "password": 'se"cret'}
    server = _database.distant(str(path), values, "/etc/ssl/ca.pem")
    assert server == _database.Server((f"--defaults-file={path}",), values["host"])
    assert server.distant
    assert server == _database.known(str(path), values["host"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert "cret" in path.read_text()
    assert "cret" not in " ".join(server.command("mariadb", "--batch"))
