# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Submissions of a folder that strangers' words reach."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._system import _submissions

NAMES = [f"{number:032x}.json" for number in range(5)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / name).write_bytes(b"\xff" * 10)
    return tmp_path


def test_all_are_read_a_few_at_a_time(folder: Path):
    found: dict[str, str] = {}
    last, rounds = "", 0
    while rounds == 0 or last:
        some = _submissions.read(str(folder), last, most=15)
        found |= some.texts()
        last, rounds = some.last, rounds + 1
    assert (sorted(found), rounds) == (NAMES, 3)
    assert set(found.values()) == {"\xff" * 10}


@pytest.mark.parametrize("most", [10, 50, 60])
def test_the_last_one_is_never_left_behind(folder: Path, most: int):
    found, last = set(), ""
    while True:
        some = _submissions.read(str(folder), last, most=most)
        found |= set(some.files)
        if not some.last:
            break
        last = some.last
    assert found == set(NAMES)


def test_what_is_no_submission_is_not_read(folder: Path):
    secret = folder / "secret"
    secret.write_text("x")
    for name in ("x.json", f".{NAMES[0]}.part", f"{NAMES[0]}.json", "a" * 32):
        (folder / name).write_text("x")
    link, pipe, inside, large = (f"{number:032x}.json" for number in range(10, 14))
    (folder / link).symlink_to(secret)
    os.mkfifo(folder / pipe)
    (folder / inside).mkdir()
    (folder / large).write_bytes(b"x" * (_submissions.LARGEST + 1))
    found = _submissions.read(str(folder))
    assert sorted(found.files) == NAMES
    assert "a link is never followed" in found.refused.pop(link)
    assert found.refused.pop(pipe) == found.refused.pop(inside) == "is no plain file"
    assert found.refused == {large: "has more than 262144 bytes"}


def test_a_folder_that_is_a_link_is_none(folder: Path, tmp_path_factory: pytest.TempPathFactory):
    link = tmp_path_factory.mktemp("other") / "requests"
    link.symlink_to(folder)
    for refused in (
        lambda: _submissions.read(str(link)),
        lambda: _submissions.remove(str(link), NAMES, check=False),
    ):
        with pytest.raises(OSError, match="requests"):
            refused()
    assert len(list(folder.iterdir())) == len(NAMES)


def test_a_folder_that_is_not_there_has_none(tmp_path: Path):
    assert _submissions.read(str(tmp_path / "x")) == _submissions.NONE
    assert _submissions.remove(str(tmp_path / "x"), NAMES, check=False) == []


def test_what_is_named_goes_and_nothing_else(folder: Path):
    wanted = [NAMES[1], NAMES[3], "f" * 32 + ".json"]
    assert _submissions.remove(str(folder), wanted, check=True) == [NAMES[1], NAMES[3]]
    assert len(list(folder.iterdir())) == 5
    assert _submissions.remove(str(folder), wanted, check=False) == [NAMES[1], NAMES[3]]
    assert sorted(path.name for path in folder.iterdir()) == [NAMES[0], NAMES[2], NAMES[4]]
    assert _submissions.remove(str(folder), wanted, check=False) == []


@pytest.mark.parametrize("name", ["../x.json", "/etc/passwd", "x.json", ""])
def test_a_name_that_leads_elsewhere_removes_nothing(folder: Path, name: str):
    with pytest.raises(ValueError, match="is no name of a submission"):
        _submissions.remove(str(folder), [NAMES[0], name], check=False)
    assert (folder / NAMES[0]).exists()
