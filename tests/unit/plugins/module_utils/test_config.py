# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""config.php: what is taken out, and that all else stays to the letter."""

from __future__ import annotations

import subprocess

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils import (
    _config,
    _database,
    _files,
    _golden,
)

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


def test_a_text_is_read_as_nextcloud_wrote_it():
    assert _config.text_of(WRITTEN, "passwordsalt") == "it's"
    assert _config.text_of(WRITTEN, "version") == "33.0.9.1"
    # Not of the first level; no text; not there.
    assert {_config.text_of(WRITTEN, key) for key in ("host", "installed", "secret")} == {""}


def test_the_keys_of_the_first_level_are_found():
    assert _config.keys(WRITTEN) == {
        "passwordsalt",
        "trusted_domains",
        "redis",
        "version",
        "maintenance",
        "installed",
        "dbname",
    }


def test_managed_keys_go_and_state_stays_to_the_letter():
    text = _config.without(WRITTEN, {"trusted_domains", "dbname", "redis"})
    assert text == (
        "<?php\n$CONFIG = array (\n  'passwordsalt' => 'it\\'s',\n  'version' => '33.0.9.1',\n"
        "  'maintenance' => true,\n  'installed' => true,\n);\n"
    )


def test_nothing_to_take_out_changes_nothing():
    assert _config.without(WRITTEN, {"unknown"}) == WRITTEN


@pytest.mark.parametrize("text", ["", "<?php\n", "<?php\n$CONFIG = array (\n  'dbname' => 'cut of"])
def test_a_file_that_is_not_whole_is_left_alone(text):
    assert _config.without(text, {"dbname"}) == text


def test_a_copy_has_an_identity_of_its_own():
    first, second = (_golden.config_of({"version": "33.0.9.1"}) for _ in range(2))
    assert _config.is_installed(first)
    for key in ("instanceid", "passwordsalt", "secret"):
        values = {_golden.state_of(text)[key] for text in (first, second)}
        assert len(values) == 2
    assert _golden.state_of(first)["version"] == "33.0.9.1"
    assert len(_golden.state_of(first)["instanceid"]) == 12


def test_a_template_of_another_build_is_not_used(tmp_path):
    golden = _golden.Golden(tmp_path, build="new")
    assert not golden.ready
    (tmp_path / "manifest.json").write_text('{"build": "old", "state": {}}')
    assert not golden.ready
    (tmp_path / "manifest.json").write_text('{"build": "new", "state": {}}')
    assert golden.ready


def test_a_template_holds_nobody(tmp_path, monkeypatch):
    called = []

    def run(command, **options):
        called.append(command)
        options["stdout"].write(b"CREATE TABLE x;\n")
        return type("Done", (), {"returncode": 0, "stderr": b""})

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(_files, "write_file", lambda item: None)
    _golden.save(_golden.Golden(tmp_path, "b"), _database.local("/s"), "space_x", WRITTEN)
    for table in ("storages", "filecache", "preferences", "authtoken"):
        assert f"--ignore-table-data=space_x.oc_{table}" in called[0]
    assert called[0][-1] == "space_x"
    assert not (tmp_path / "dump.sql.new").exists()
    assert (tmp_path / "dump.sql").read_text().endswith("COMMIT;\n")


def test_a_dump_that_fails_leaves_no_template(tmp_path, monkeypatch):
    def run(command, **options):
        return type("Done", (), {"returncode": 2, "stderr": b"gone"})

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(_golden.GoldenError, match="gone"):
        _golden.save(_golden.Golden(tmp_path, "b"), _database.local("/s"), "space_x", WRITTEN)
    assert list(tmp_path.iterdir()) == []
