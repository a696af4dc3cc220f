# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The program that takes what spaces ask for: whatever they leave, it is a request and no more."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from types import ModuleType

import pytest

NOW = 1_780_000_000.0
WANTED = {"account": "nadia", "what": "storage", "value": 80, "text": "We grow."}


@pytest.fixture
def changes(load) -> ModuleType:
    return load("roles/spaces/files/changes.py")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for slug in ("amap", "velo-ecole"):
        (tmp_path / f"spaces/{slug}/tmp").mkdir(parents=True)
    return tmp_path / "spaces"


@pytest.fixture
def collect(changes, root):
    def collect(now: float = NOW, daily: int = 5, most: int = 100) -> list[str]:
        bounds = changes.Bounds(daily, most)
        return changes.collect(str(root), str(root.parent / "spool"), bounds, now)

    return collect


def ask(root: Path, slug: str = "amap", **values: object) -> Path:
    path = root / slug / "tmp/change-wanted"
    path.write_text(json.dumps({**WANTED, **values}), encoding="utf-8")
    return path


def taken(root: Path) -> list[dict[str, object]]:
    files = sorted((root.parent / "spool").glob("[0-9a-f]*.json"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in files]


def test_a_request_is_taken_once_and_says_who_asked(collect, root):
    path = ask(root, space="velo-ecole", kind="space", id="0" * 32, via="form", extra="x")
    assert collect() == ["amap asks for something"]
    (found,) = taken(root)
    # Which space it was is where it lay; nothing else of what it says of itself is believed.
    assert found == {
        **WANTED,
        "format": 1,
        "kind": "change",
        "id": found["id"],
        "received": "2026-05-28T20:26:40Z",
        "via": "space",
        "space": "amap",
    }
    assert re.fullmatch("[0-9a-f]{32}", str(found["id"]))
    assert found["id"] != "0" * 32
    assert not path.exists()
    assert collect() == []
    spool = root.parent / "spool"
    assert spool.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in spool.iterdir()} == {0o600}


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (b"", "is no JSON"),
        (b"\xff\xfe", "is no JSON"),
        (b"[" * 5000, "is no JSON"),
        (b"[]", "is no object"),
        (b'"x"', "is no object"),
        (b"{}", "account or what is missing"),
        (b'{"what": "storage"}', "account or what is missing"),
        (b'{"account": "a", "what": ["storage"]}', "what is no text of at most 20 characters"),
        (b'{"account": "a", "what": "' + b"x" * 21 + b'"}', "what is no text of at most 20"),
        (b'{"account": "a", "what": "w", "text": "' + b"x" * 2001 + b'"}', "text is no text of at"),
        (b'{"account": "a", "what": "w", "value": true}', "value is neither"),
        (b'{"account": "a", "what": "w", "value": -1}', "value is neither"),
        (b'{"account": "a", "what": "w", "value": 1e9}', "value is neither"),
        (b'{"account": "a", "what": "w", "value": 99999999999}', "value is neither"),
        (b'{"account": "a", "what": "w", "value": {"a": 1}}', "value is neither"),
        (b'{"account": "a", "what": "w", "value": "' + b"x" * 254 + b'"}', "value is neither"),
        (b'{"account": "a"' + b" " * 20_000 + b"}", "has more than 16384 bytes"),
    ],
)
def test_what_is_no_request_goes_and_is_told(collect, root, content: bytes, wrong: str):
    path = root / "amap/tmp/change-wanted"
    path.write_bytes(content)
    (line,) = collect()
    assert line.startswith(f"<4>amap: no request: {wrong}")
    assert not path.exists()
    assert taken(root) == []


def test_no_link_is_followed(collect, root, tmp_path):
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps(WANTED), encoding="utf-8")
    (root / "amap/tmp/change-wanted").symlink_to(secret)
    (line,) = collect()
    assert "no request: cannot be read (Too many levels of symbolic links)" in line
    assert secret.exists()
    assert taken(root) == []


@pytest.mark.parametrize("place", ["amap", "amap/tmp"])
def test_no_folder_on_the_way_is_a_link(collect, root, tmp_path, place: str):
    """A space that exchanges its folder for a link to another one's asks in nobody's name."""
    ask(root, "velo-ecole")
    there = root / "velo-ecole" / ("tmp" if place.endswith("tmp") else "")
    path = root / place
    if place == "amap":
        (path / "tmp").rmdir()
    path.rmdir()
    path.symlink_to(there)
    said = collect()
    assert any(line.startswith("<4>amap: its request cannot be taken") for line in said)
    assert [one["space"] for one in taken(root)] == ["velo-ecole"]


def test_a_folder_and_a_pipe_keep_nobody_waiting(collect, root):
    (root / "amap/tmp/change-wanted").mkdir()
    os.mkfifo(root / "velo-ecole/tmp/change-wanted")
    said = collect()
    assert "<4>amap: its request cannot be taken: Is a directory" in said
    assert "<4>velo-ecole: no request: is no plain file of the space" in said
    assert taken(root) == []


def test_somebody_elses_file_is_no_request_of_the_space(changes, root):
    """A hard link to a file of another's."""
    ask(root)
    with changes.opened(str(root / "amap/tmp"), changes.FOLDER) as tmp:
        with pytest.raises(changes.RequestError, match="no plain file of the space"):
            changes.read(tmp, os.getuid() + 1)
        assert changes.read(tmp, os.getuid())


def test_who_asks_too_often_waits_until_a_day_is_over(collect, root):
    for number in range(5):
        ask(root)
        assert collect(NOW + number) == ["amap asks for something"]
    path = ask(root)
    ask(root, "velo-ecole")
    assert collect(NOW + 10) == ["velo-ecole asks for something"]
    assert path.exists()
    # What is no request counts too, else it could be tried without end.
    assert len(taken(root)) == 6
    assert collect(NOW + 24 * 3600) == ["amap asks for something"]


def test_a_full_spool_lets_them_wait(collect, root):
    ask(root)
    path = ask(root, "velo-ecole")
    assert collect(most=1) == ["amap asks for something"]
    assert path.exists()


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"amap": 5}', b"\xff"])
def test_a_damaged_count_stops_nobody(collect, root, content: bytes):
    spool = root.parent / "spool"
    spool.mkdir()
    (spool / ".counts").write_bytes(content)
    ask(root)
    assert collect() == ["amap asks for something"]


def test_killed_before_the_request_went_it_is_there_twice_and_never_lost(
    changes, collect, root, monkeypatch
):
    path = ask(root)
    unlink = changes.os.unlink
    monkeypatch.setattr(
        changes.os, "unlink", lambda *_, **__: (_ for _ in ()).throw(OSError(5, "x"))
    )
    collect()
    assert path.exists()
    monkeypatch.setattr(changes.os, "unlink", unlink)
    collect()
    assert len(taken(root)) == 2


def test_a_strange_folder_is_no_space(collect, root):
    for name in ("UPPER", ".previous-amap", "a b", "-x"):
        (root / name / "tmp").mkdir(parents=True)
        ask(root, name)
    assert collect() == []
