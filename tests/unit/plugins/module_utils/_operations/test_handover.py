# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Exports that associations start: one at a time, there for a week, and nobody's to change."""

from __future__ import annotations

import json
import os
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _export,
    _handover,
)

NOW = 1_780_000_000.0


@pytest.fixture
def node(tmp_path: Path) -> _backup.Node:
    for slug in ("amap", "velo-ecole"):
        (tmp_path / f"spaces/{slug}/tmp").mkdir(parents=True)
    return _backup.Node(str(tmp_path / "spaces"), "/vhosts", str(tmp_path / "work"), "/s", "/ca")


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let an export be a small file; return whose there were."""
    made: list[str] = []

    def export(node: _backup.Node, slug: str, name: str, folder: str) -> dict[str, t.Any]:
        assert (slug, folder) == (name, f"{node.root}/.exports")
        made.append(slug)
        path = Path(folder, f"{slug}.tar.gz")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"archive")
        return {"path": str(path), "size": 7, "made": int(NOW)}

    monkeypatch.setattr(_export, "export", export)
    return made


def ask(node: _backup.Node, slug: str = "amap", at: float = NOW) -> Path:
    path = Path(node.root, slug, "tmp/export-wanted")
    path.touch()
    os.utime(path, (at, at))
    return path


def state(node: _backup.Node, slug: str = "amap") -> dict[str, t.Any]:
    text = Path(node.root, slug, "export/state.json").read_text(encoding="utf-8")
    found: dict[str, t.Any] = json.loads(text)
    return found


def archive(node: _backup.Node, slug: str = "amap") -> Path:
    return Path(node.root, slug, "export/export.tar.gz")


def test_nobody_asks_and_nothing_is_made(node: _backup.Node, exported: list[str]):
    assert _handover.look(node, NOW) == []
    assert exported == []
    assert not Path(node.root, "amap/export").exists()


def test_a_space_finds_its_archive(node: _backup.Node, exported: list[str]):
    request = ask(node)
    (line,) = _handover.look(node, NOW)
    assert line.startswith("amap: export of 7 bytes, kept until ")
    assert archive(node).read_bytes() == b"archive"
    found = state(node)
    assert (found["state"], found["size"]) == ("ready", 7)
    assert abs(found["until"] - time.time() - 7 * 24 * 3600) < 60
    assert not request.exists()
    # It reads them, and no other space does.
    folder = archive(node).parent
    assert folder.stat().st_mode & 0o777 == 0o750
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o640}
    assert list(Path(node.root, ".exports").iterdir()) == []


def test_one_is_made_in_a_look_whoever_waited_longest(node: _backup.Node, exported: list[str]):
    ask(node, at=NOW - 10)
    ask(node, "velo-ecole", at=NOW - 20)
    for expected in (["velo-ecole"], ["velo-ecole", "amap"], ["velo-ecole", "amap"]):
        _handover.look(node, NOW)
        assert exported == expected


def test_a_second_one_is_made_after_a_day(node: _backup.Node, exported: list[str]):
    ask(node)
    _handover.look(node, NOW)
    made = archive(node).stat().st_mtime
    request = ask(node)
    assert _handover.look(node, made + 24 * 3600 - 1) == []
    assert not request.exists()
    ask(node)
    _handover.look(node, made + 24 * 3600)
    assert exported == ["amap", "amap"]


def test_it_is_gone_after_a_week(node: _backup.Node, exported: list[str]):
    ask(node)
    _handover.look(node, NOW)
    made = archive(node).stat().st_mtime
    assert _handover.look(node, made + 7 * 24 * 3600 - 1) == []
    assert _handover.look(node, made + 7 * 24 * 3600) == [
        "amap: its export was there for a week and is gone"
    ]
    assert list(archive(node).parent.iterdir()) == []


@pytest.mark.parametrize("error", [_export.ExportError("no room"), OSError(28, "No space left")])
def test_what_fails_is_said_to_the_space_and_to_the_journal(
    node: _backup.Node, monkeypatch: pytest.MonkeyPatch, error: Exception
):
    def export(*_: t.Any) -> t.NoReturn:
        raise error

    monkeypatch.setattr(_export, "export", export)
    request = ask(node)
    (line,) = _handover.look(node, NOW)
    assert line == f"<4>amap: no export: {error}"
    assert state(node) == {"state": "failed", "at": int(NOW)}
    assert not request.exists()
    assert not archive(node).exists()


def test_an_archive_of_before_stays_where_a_new_one_fails(
    node: _backup.Node, exported: list[str], monkeypatch: pytest.MonkeyPatch
):
    ask(node)
    _handover.look(node, NOW)
    made = archive(node).stat().st_mtime

    def export(*_: t.Any) -> t.NoReturn:
        raise _export.ExportError("no room")

    monkeypatch.setattr(_export, "export", export)
    ask(node)
    _handover.look(node, made + 2 * 24 * 3600)
    assert archive(node).read_bytes() == b"archive"


def test_killed_in_between_the_request_is_still_there(
    node: _backup.Node, monkeypatch: pytest.MonkeyPatch
):
    class Killed(BaseException):
        pass

    def export(*_: t.Any) -> t.NoReturn:
        raise Killed

    removed: list[str] = []
    monkeypatch.setattr(_export, "export", export)
    monkeypatch.setattr(_export, "remove", lambda _folder, slug: removed.append(slug))
    request = ask(node)
    with pytest.raises(Killed):
        _handover.look(node, NOW)
    assert request.exists()
    assert state(node)["state"] == "running"


@pytest.mark.parametrize("kind", ["link", "folder", "pipe", "dangling"])
def test_a_request_is_there_or_not_whatever_it_is(
    node: _backup.Node, exported: list[str], tmp_path: Path, kind: str
):
    secret = tmp_path / "secret"
    secret.write_text("x", encoding="utf-8")
    path = Path(node.root, "amap/tmp/export-wanted")
    if kind == "folder":
        (path / "inside").mkdir(parents=True)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(secret if kind == "link" else tmp_path / "nowhere")
    _handover.look(node, NOW)
    assert exported == ["amap"]
    assert not os.path.lexists(path)
    assert secret.read_text(encoding="utf-8") == "x"
    _handover.look(node, NOW)
    assert exported == ["amap"]


def test_a_folder_that_a_space_could_exchange_gets_nothing(
    node: _backup.Node, exported: list[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    ask(node)
    (line,) = _handover.look(node, NOW)
    assert line == "<4>amap: no export: its folder is not root's: nothing is put into it"
    assert exported == []


def test_no_link_in_the_place_of_the_folder_is_followed(
    node: _backup.Node, exported: list[str], tmp_path: Path
):
    (tmp_path / "elsewhere").mkdir()
    Path(node.root, "amap/export").symlink_to(tmp_path / "elsewhere")
    ask(node)
    ask(node, "velo-ecole", at=NOW + 1)
    (line,) = _handover.look(node, NOW)
    assert line.startswith("<4>amap: no export: [Errno ")
    assert exported == []
    _handover.look(node, NOW)
    assert exported == ["velo-ecole"]
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_folders_that_are_no_spaces_are_passed_over(node: _backup.Node, exported: list[str]):
    for name in (".previous-amap", "UPPER"):
        Path(node.root, name, "tmp").mkdir(parents=True)
        Path(node.root, name, "tmp/export-wanted").touch()
    assert _handover.look(node, NOW) == []
    assert exported == []


def test_a_purge_takes_what_lies_there_with_it(node: _backup.Node):
    layout = node.layout("amap")
    assert f"{node.root}/.exports/amap.tar.gz.part" in layout.owned
    assert f"{node.root}/.exports/amap.json" in layout.owned
