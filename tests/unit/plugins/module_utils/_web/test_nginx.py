# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What nginx would refuse never takes the place of what it has."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _files
from ansible_collections.archipel.spaces.plugins.module_utils._web import _managed_files, _nginx


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of nginx that holds a main file; nginx is the function `decide`."""
    directory = tmp_path / "nginx"
    directory.mkdir()
    (directory / "nginx.conf").write_text("include conf.d;\n")
    monkeypatch.setattr(_nginx, "DIRECTORY", str(directory))
    monkeypatch.setattr(_nginx, "STAGES", str(tmp_path / "stages"))
    monkeypatch.setattr("shutil.which", lambda _: "/usr/sbin/nginx")
    monkeypatch.setattr(_nginx.Stage, "refusal", lambda stage: decide(stage.folder))
    return directory


def decide(folder):
    """Refuse a word that nobody defines, and one that two define."""
    text = "".join(p.read_text() for p in sorted(Path(folder).rglob("*")) if p.is_file())
    defined = re.findall(r"^define (\w+)", text, re.MULTILINE)
    used = re.findall(r"^use (\w+)", text, re.MULTILINE)
    if len(defined) != len(set(defined)):
        return "conflicting parameter"
    missing = set(used) - set(defined)
    return f"unknown {sorted(missing)}" if missing else ""


def wanted(folder, **files):
    return [
        {
            "space": name,
            "kind": "file",
            "path": str(folder / name),
            "content": text,
            "uid": os.getuid(),
            "gid": os.getgid(),
            "mode": 0o644,
        }
        for name, text in files.items()
    ]


def snapshot(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_what_nginx_takes_is_put_in_place(folder, tmp_path):
    report = _managed_files.converge(wanted(folder, a="define x\n"), check=False, diff=False)
    assert report.changes == {"a": [f"{folder}/a: created"]}
    assert (folder / "a").read_text() == "define x\n"
    assert os.listdir(tmp_path / "stages") == []


def test_what_it_refuses_is_not_and_other_files_are_not_touched_either(folder):
    (folder / "a").write_text("define x\n")
    before = snapshot(folder)
    files = wanted(folder, a="define y\n", b="use x\n")
    with pytest.raises(
        _managed_files.FilesError, match=r"would refuse .*unknown \['x'\].*keeps the one"
    ):
        _managed_files.converge(files, check=False, diff=False)
    assert snapshot(folder) == before


def test_a_configuration_that_is_refused_already_may_be_mended_in_parts(folder):
    (folder / "a").write_text("use x\nuse y\n")
    _managed_files.converge(wanted(folder, b="define x\n"), check=False, diff=False)
    assert decide(folder)
    _managed_files.converge(wanted(folder, c="define y\n"), check=False, diff=False)
    assert not decide(folder)


@pytest.mark.parametrize("step", range(4))
def test_wherever_a_run_dies_nginx_would_start(folder, monkeypatch, step):
    """Each of these files needs the one after it: as they stand, every order but one is wrong."""
    files = wanted(
        folder, a="use x\n", b="define x\nuse y\n", c="define y\nuse z\n", d="define z\n"
    )
    put = _files.put
    left = [step]

    def dying(beside, path):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        put(beside, path)

    monkeypatch.setattr(_files, "put", dying)
    with pytest.raises(KeyboardInterrupt):
        _managed_files.converge(files, check=False, diff=False)
    there = [path for path in folder.iterdir() if not path.name.startswith(_files.STAGED)]
    assert len(there) == step + 1
    assert not decide(folder)


def test_files_that_only_go_together_are_put_in_place_together(folder):
    (folder / "a").write_text("define x\n")
    (folder / "b").write_text("use x\n")
    _managed_files.converge(wanted(folder, a="define y\n", b="use y\n"), check=False, diff=False)
    assert not decide(folder)


def test_files_that_are_not_changed_keep_all_their_times(folder):
    (folder / "a").write_text("define x\n")
    before = os.stat(folder / "a").st_ctime_ns
    _managed_files.converge(wanted(folder, b="use x\n"), check=False, diff=False)
    assert os.stat(folder / "a").st_ctime_ns == before


def test_the_stage_is_never_one_with_what_nginx_reads(folder):
    (folder / "a").write_text("define x\n")
    stage = _nginx.Stage(str(folder.parent / "one"))
    stage.put(str(folder / "a"), "new")
    assert (folder / "a").read_text() == "define x\n"
    stage.take_back(str(folder / "a"))
    assert Path(stage.folder, "a").read_text() == "define x\n"


def test_what_killed_runs_left_behind_is_removed(folder, tmp_path):
    old = tmp_path / "stages/.nginx-old"
    old.mkdir(parents=True)
    os.utime(old, (0, 0))
    (tmp_path / "stages/.nginx-now").mkdir()
    _managed_files.converge(wanted(folder, a=""), check=False, diff=False)
    assert os.listdir(tmp_path / "stages") == [".nginx-now"]


def test_nothing_is_tried_where_nothing_changes_or_in_a_check(folder, monkeypatch):
    def never(_):
        raise AssertionError

    _managed_files.converge(wanted(folder, a=""), check=False, diff=False)
    monkeypatch.setattr(_nginx, "Stage", never)
    _managed_files.converge(wanted(folder, a=""), check=False, diff=False)
    _managed_files.converge(wanted(folder, a="new"), check=True, diff=False)


def test_a_machine_without_nginx_has_nothing_to_try(folder, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda _: None)
    _managed_files.converge(wanted(folder, a="use x\n"), check=False, diff=False)
    assert (folder / "a").exists()


def test_a_machine_that_makes_no_namespaces_is_named(tmp_path, monkeypatch):
    """Not taken for a word of nginx: what is there would count as refused, and be unprotected."""
    (tmp_path / "unshare").write_text("#!/bin/sh\necho 'unshare: unshare failed' >&2; exit 1\n")
    (tmp_path / "unshare").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    stage = object.__new__(_nginx.Stage)
    stage.folder = str(tmp_path)
    with pytest.raises(_nginx.NginxError, match="may make mount namespaces"):
        stage.refusal()
