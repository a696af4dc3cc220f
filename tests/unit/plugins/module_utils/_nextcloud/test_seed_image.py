# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The seed image: whole or not there, of this very build, and without anybody in it."""

from __future__ import annotations

import subprocess

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _config, _files
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _seed_image
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database

WRITTEN = """\
<?php
$CONFIG = array (
  'passwordsalt' => 'it\\'s',
  'trusted_domains' =>|
  array (
    0 => 'a.example',
    1 => 'b.example',
  ),
  'redis' =>|
  array (
    'host' => '/run/x',
    'dbname' => 'not of the first level',
  ),
  'version' => '33.0.9.1',
  'maintenance' => true,
  'installed' => true,
  'dbname' => 'space_x',
);
""".replace("=>|", "=> ")


def test_a_copy_has_an_identity_of_its_own():
    first, second = (_seed_image.config_of({"version": "33.0.9.1"}) for _ in range(2))
    assert _config.is_installed(first)
    for key in ("instanceid", "passwordsalt", "secret"):
        values = {_seed_image.state_of(text)[key] for text in (first, second)}
        assert len(values) == 2
    assert _seed_image.state_of(first)["version"] == "33.0.9.1"
    assert len(_seed_image.state_of(first)["instanceid"]) == 12


def test_the_image_of_another_build_is_not_used(tmp_path):
    image = _seed_image.SeedImage(tmp_path, build="new")
    assert not image.ready
    (tmp_path / "manifest.json").write_text('{"build": "old", "state": {}}')
    assert not image.ready
    (tmp_path / "manifest.json").write_text('{"build": "new", "state": {}}')
    assert image.ready


def test_an_image_holds_nobody(tmp_path, monkeypatch):
    called = []

    def run(command, **options):
        called.append(command)
        options["stdout"].write(b"CREATE TABLE x;\n")
        return type("Done", (), {"returncode": 0, "stderr": b""})

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(_files, "write_file", lambda item: None)
    _seed_image.save(
        _seed_image.SeedImage(tmp_path, "b"), _database.local("/s"), "space_x", WRITTEN
    )
    for table in ("storages", "filecache", "preferences", "authtoken"):
        assert f"--ignore-table-data=space_x.oc_{table}" in called[0]
    assert called[0][-1] == "space_x"
    assert not (tmp_path / "dump.sql.new").exists()
    assert (tmp_path / "dump.sql").read_text().endswith("COMMIT;\n")


def test_a_dump_that_fails_leaves_no_image(tmp_path, monkeypatch):
    def run(command, **options):
        return type("Done", (), {"returncode": 2, "stderr": b"gone"})

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(_seed_image.SeedImageError, match="gone"):
        _seed_image.save(
            _seed_image.SeedImage(tmp_path, "b"), _database.local("/s"), "space_x", WRITTEN
        )
    assert list(tmp_path.iterdir()) == []


def test_no_manifest_says_that_the_dump_of_another_build_is_whole(tmp_path, monkeypatch):
    """A run that dies between the two leaves a dump that nobody takes for the earlier one."""
    (tmp_path / "manifest.json").write_text('{"build": "old", "state": {}}')
    (tmp_path / "dump.sql").write_text("CREATE TABLE old;\n")

    def run(command, **options):
        options["stdout"].write(b"CREATE TABLE new;\n")
        return type("Done", (), {"returncode": 0, "stderr": b""})

    def die(_item):
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(_files, "write_file", die)
    image = _seed_image.SeedImage(tmp_path, "new")
    with pytest.raises(KeyboardInterrupt):
        _seed_image.save(image, _database.local("/s"), "space_x", WRITTEN)
    assert "new" in (tmp_path / "dump.sql").read_text()
    assert not _seed_image.SeedImage(tmp_path, "old").ready
    assert not image.ready


def test_an_image_that_was_replaced_meanwhile_is_not_loaded(tmp_path):
    (tmp_path / "dump.sql").write_text("CREATE TABLE new;\n")
    (tmp_path / "manifest.json").write_text('{"build": "new", "state": {}}')
    with pytest.raises(_seed_image.SeedImageError, match="run again"):
        _seed_image.load(_seed_image.SeedImage(tmp_path, "old"), _database.local("/s"), "space_x")


def test_images_under_the_former_name_are_taken_over_once(tmp_path):
    folder = tmp_path / "seed-images"
    _seed_image.adopt("")
    _seed_image.adopt(str(folder))
    assert not folder.exists()
    (tmp_path / "golden/33.0.9").mkdir(parents=True)
    _seed_image.adopt(str(folder))
    assert (folder / "33.0.9").is_dir()
    (tmp_path / "golden/34.0.4").mkdir(parents=True)
    _seed_image.adopt(str(folder))
    assert not (folder / "34.0.4").exists()
