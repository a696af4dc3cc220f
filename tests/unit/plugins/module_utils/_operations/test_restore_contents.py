# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A backup that whoever holds the repository has changed: refused before a space is touched."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _restore_contents as contents,
)


@pytest.fixture
def stage(tmp_path) -> Path:
    """Return a backup as restic unpacks it."""
    home = tmp_path / "stage/srv/spaces/amap"
    (home / "config").mkdir(parents=True)
    (home / "config/config.php").write_text("<?php")
    (home / "data/camille").mkdir(parents=True)
    (home / "data/camille/a.txt").write_text("a")
    (home / "release").symlink_to("../../nextcloud/releases/33.0.3")
    (home / ".applied").write_text("{}")
    dump = tmp_path / "stage/var/staging/amap/database.sql"
    dump.parent.mkdir(parents=True)
    dump.write_text("-- dump")
    return tmp_path / "stage"


def home(stage: Path) -> Path:
    return stage / "srv/spaces/amap"


def check(stage: Path) -> None:
    contents.check(str(stage), str(home(stage)), str(stage / "var/staging/amap/database.sql"))


def test_a_backup_of_a_space_is_taken(stage: Path):
    check(stage)


def test_what_a_space_can_make_itself_is_taken(stage: Path):
    """Links that lead nowhere, pipes, names of any bytes, programs: its own, below its folders."""
    data = home(stage) / "data"
    (data / "out").symlink_to("/etc")
    (data / "nowhere").symlink_to("/nowhere/at/all")
    os.mkfifo(data / "pipe")
    Path(os.fsdecode(os.fsencode(data) + b"/\xff\xfe name\n")).write_text("")
    (data / "program").write_text("")
    (data / "program").chmod(0o755)
    check(stage)


@pytest.mark.parametrize("part", [".applied", "release"])
def test_a_space_need_not_have_everything(stage: Path, part: str):
    (home(stage) / part).unlink()
    check(stage)
    shutil.rmtree(home(stage) / "data")
    check(stage)


@pytest.mark.parametrize("part", ["config", "data", "release", ".applied", "config/config.php"])
@pytest.mark.parametrize("kind", ["folder", "link", "file", "pipe"])
def test_each_part_is_of_its_kind(stage: Path, part: str, kind: str):
    own = {"config": "folder", "data": "folder", "release": "link"}.get(part, "file")
    path = home(stage) / part
    if kind == own:
        check(stage)
        return
    shutil.rmtree(path) if own == "folder" else path.unlink()
    {
        "folder": path.mkdir,
        "link": lambda: path.symlink_to(stage.parent),
        "file": lambda: path.write_text(""),
        "pipe": lambda: os.mkfifo(path),
    }[kind]()
    with pytest.raises(contents.ContentsError, match=f"{part} in it is not a"):
        check(stage)


@pytest.mark.parametrize("way", ["srv", "srv/spaces", "srv/spaces/amap", "var", "var/staging"])
def test_no_link_leads_out_on_the_way(stage: Path, tmp_path: Path, way: str):
    """Else what is taken for the backup would be a living space, and be moved over itself."""
    elsewhere = tmp_path / "elsewhere"
    (stage / way).rename(elsewhere)
    (stage / way).symlink_to(elsewhere)
    with pytest.raises(contents.ContentsError, match=f"^{way} in it is not a folder"):
        check(stage)


def test_a_backup_of_nothing(stage: Path):
    shutil.rmtree(stage / "srv")
    with pytest.raises(contents.ContentsError, match="srv in it is not a folder"):
        check(stage)


def test_a_backup_without_an_installation(stage: Path):
    (home(stage) / "config/config.php").unlink()
    with pytest.raises(contents.ContentsError, match=r"it holds no config/config\.php"):
        check(stage)


@pytest.mark.parametrize("kind", ["missing", "link", "folder"])
def test_a_database_that_is_none(stage: Path, kind: str):
    dump = stage / "var/staging/amap/database.sql"
    dump.unlink()
    if kind == "link":
        dump.symlink_to("/etc/shadow")
    if kind == "folder":
        dump.mkdir()
    with pytest.raises(contents.ContentsError, match="it holds no database"):
        check(stage)


@pytest.mark.parametrize(
    ("mode", "user", "why"),
    [
        (stat.S_IFBLK | 0o660, 70001, "a device"),
        (stat.S_IFCHR | 0o666, 0, "a device"),
        (stat.S_IFREG | 0o4755, 0, "a program that runs as root"),
        (stat.S_IFREG | 0o2755, 0, "a program that runs as root"),
        # A space's own: its bits go when it gets its user's number of today.
        (stat.S_IFREG | 0o4755, 70001, ""),
        (stat.S_IFREG | 0o644, 0, ""),
        (stat.S_IFDIR | 0o2770, 0, ""),
        (stat.S_IFLNK | 0o777, 0, ""),
        (stat.S_IFIFO | 0o600, 70001, ""),
        (stat.S_IFSOCK | 0o600, 70001, ""),
    ],
)
def test_what_only_root_can_have_made(mode: int, user: int, why: str):
    assert contents.problem(mode, user) == why


@pytest.mark.parametrize("folder", ["config", "data/camille"])
def test_it_is_found_however_deep(stage: Path, monkeypatch, folder: str):
    path = home(stage) / folder / "deep/er"
    path.mkdir(parents=True)
    (path / "sda").write_text("")
    # A device cannot be made everywhere: this file's mode stands for one.
    (path / "sda").chmod(0o751)
    odd, seen = (path / "sda").stat().st_mode, contents.problem
    monkeypatch.setattr(
        contents, "problem", lambda mode, user: "a device" if mode == odd else seen(mode, user)
    )
    with pytest.raises(contents.ContentsError, match=f"^{folder}/deep/er/sda in it is a device"):
        check(stage)


def test_a_folder_that_cannot_be_read_is_an_error(stage: Path, monkeypatch):
    def scandir(base: str):
        raise PermissionError(13, "Permission denied", base)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(PermissionError):
        check(stage)


def test_a_description_that_is_a_link_is_none(tmp_path: Path):
    (tmp_path / "space.json").symlink_to("/etc/hostname")
    with pytest.raises(contents.ContentsError, match="it is not one of ours"):
        contents.description(str(tmp_path / "space.json"), "amap")
