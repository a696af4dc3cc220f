# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Many small files in one pass: what is found, what is written, what is shown."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _files
from ansible_collections.archipel.spaces.plugins.module_utils._web import _managed_files


@pytest.fixture
def wanted(tmp_path):
    """Return one wanted file, owned by whoever runs the tests."""
    return {
        "space": "velo-ecole",
        "kind": "vhost",
        "path": str(tmp_path / "velo-ecole.conf"),
        "content": "é\n",
        "uid": os.getuid(),
        "gid": os.getgid(),
        "mode": 0o640,
    }


def converge(wanted, **options):
    return _managed_files.converge([wanted], **{"check": False, "diff": False, **options})


def test_a_missing_file_is_written_and_the_second_run_finds_nothing(wanted):
    first = converge(wanted)
    assert first.changes == {"velo-ecole": [f"{wanted['path']}: created"]}
    assert first.facts["kinds"] == {"vhost": ["velo-ecole"]}
    assert stat.S_IMODE(os.stat(wanted["path"]).st_mode) == 0o640
    assert converge(wanted).changes == {}


def test_check_mode_previews_and_writes_nothing(wanted):
    previewed = converge(wanted, check=True)
    assert not os.path.exists(wanted["path"])
    assert previewed.changes == converge(wanted).changes


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda path: Path(path).write_text("by hand\n"), "content"),
        (lambda path: os.chmod(path, 0o666), "mode 0666 → 0640"),
    ],
)
def test_a_change_made_by_hand_is_found_and_mended(wanted, spoil, word):
    converge(wanted)
    spoil(wanted["path"])
    assert converge(wanted).changes == {"velo-ecole": [f"{wanted['path']}: {word}"]}
    assert converge(wanted).changes == {}


def test_a_planted_link_is_replaced_and_its_target_left_alone(wanted, tmp_path):
    target = tmp_path / "passwd"
    target.write_text("root\n")
    os.symlink(target, wanted["path"])
    assert converge(wanted).changes
    assert target.read_text() == "root\n"
    assert not os.path.islink(wanted["path"])


def test_one_space_that_fails_does_not_stop_the_others(wanted, tmp_path):
    broken = {**wanted, "space": "amap", "path": str(tmp_path / "missing" / "amap.conf")}
    report = _managed_files.converge([broken, wanted], check=False, diff=False)
    assert set(report.failures) == {"amap"}
    assert set(report.changes) == {"velo-ecole"}
    assert not list(tmp_path.glob(".archipel-*")), "a half-written file was left behind"


def test_secrets_never_show_in_a_difference(wanted):
    wanted["content"] = "  'dbpassword' => 'hunter2',\n  'dbname' => 'space_x',\n"
    shown = converge(wanted, diff=True).diffs[0]["after"]
    assert "hunter2" not in shown
    assert "'dbname' => 'space_x'" in shown


def test_directories_of_the_node_are_made_once(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "chown", lambda *_: None)
    path = str(tmp_path / "a" / "b")
    wanted = [{"path": path, "mode": 0o700, "owner": "root", "group": "root"}]
    assert _managed_files.converge_directories(wanted, check=True) == {path: ["created"]}
    assert not os.path.exists(path)
    _managed_files.converge_directories(wanted, check=False)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o700


def test_a_group_that_is_not_there_yet(tmp_path):
    """In check mode the run before would have made it; in a real run it is a mistake."""
    path = str(tmp_path / "sockets")
    wanted = [{"path": path, "mode": 0o750, "owner": "root", "group": "no-such-group"}]
    assert _managed_files.converge_directories(wanted, check=True) == {path: ["created"]}
    with pytest.raises(_managed_files.FilesError, match="there is no group no-such-group"):
        _managed_files.converge_directories(wanted, check=False)
    assert not os.path.exists(path)


def test_an_owner_that_is_not_there_yet(tmp_path):
    wanted = [
        {"path": str(tmp_path / "a"), "mode": 0o700, "owner": "no-such-user", "group": "root"}
    ]
    assert len(_managed_files.converge_directories(wanted, check=True)) == 1
    with pytest.raises(_managed_files.FilesError, match="there is no user no-such-user"):
        _managed_files.converge_directories(wanted, check=False)


def test_no_difference_is_shown_of_a_secret_file(wanted):
    report = converge({**wanted, "kind": "secret"}, diff=True)
    assert report.changes
    assert report.diffs == []


def test_a_file_in_the_place_of_a_directory_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "chown", lambda *_: None)
    (tmp_path / "php").touch()
    wanted = [{"path": str(tmp_path / "php"), "mode": 0o711, "owner": "root", "group": "root"}]
    with pytest.raises(_managed_files.FilesError, match="php is not a directory: move it away"):
        _managed_files.converge_directories(wanted, check=False)


def test_all_are_on_the_disk_before_the_first_gets_its_place(wanted, tmp_path, monkeypatch):
    """A node that loses power must not be left with a file that is there and empty."""
    other = {**wanted, "space": "amap", "path": str(tmp_path / "amap.conf")}
    seen = []

    def sync():
        names = [path.name for path in tmp_path.iterdir()]
        seen.append([name.startswith(_files.STAGED) for name in names])

    monkeypatch.setattr("os.sync", sync)
    _managed_files.converge([wanted, other], check=False, diff=False)
    assert seen == [[True, True]]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["amap.conf", "velo-ecole.conf"]
    assert converge(wanted).changes == {}
    assert len(seen) == 1


def test_what_somebody_else_calls_so_stops_nothing(wanted, tmp_path):
    """In the folder of its configuration a space's own user may make what it likes."""
    for act in ("mkdir", "symlink"):
        path = tmp_path / f"{_files.STAGED}{act}"
        path.mkdir() if act == "mkdir" else path.symlink_to("/etc/passwd")
        os.utime(path, (0, 0), follow_symlinks=False)
    assert converge(wanted).failures == {}
    assert {path.name for path in tmp_path.glob(f"{_files.STAGED}*")} == {
        f"{_files.STAGED}mkdir",
        f"{_files.STAGED}symlink",
    }


def test_what_a_killed_run_has_staged_goes_and_what_another_stages_now_stays(wanted, tmp_path):
    for name in ("old", "new"):
        (tmp_path / f"{_files.STAGED}{name}").touch()
    os.utime(tmp_path / f"{_files.STAGED}old", (0, 0))
    converge(wanted)
    left = [path.name for path in tmp_path.glob(f"{_files.STAGED}*")]
    assert left == [f"{_files.STAGED}new"]
