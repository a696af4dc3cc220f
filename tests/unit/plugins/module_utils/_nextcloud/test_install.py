# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""An empty space gets its Nextcloud, and never one that has lost its configuration."""

from __future__ import annotations

import json
import os
import re
import shutil
import typing as t
from dataclasses import replace

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _files
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import (
    _install,
    _installation,
    _node,
    _occ,
    _seed_image,
)
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud._node import Node
from tests.unit.plugins.module_utils.new_space import ITEM, NAMES, Occ, node


def test_a_space_whose_configuration_is_lost_is_never_installed_anew(tmp_path):
    (tmp_path / "spaces" / "amap").mkdir(parents=True)
    place, connection = node(tmp_path, tables=120)
    done, why = _installation.carry_out(ITEM, dict.fromkeys(["install", "apply"], ""), place)
    assert done == []
    assert "120 tables" in why
    assert "restore config.php" in why
    assert not any("DROP" in sql for sql in connection.executed)


def test_remains_are_cleared_only_for_an_interrupted_installation(tmp_path):
    config = tmp_path / "spaces" / "amap" / "config"
    config.mkdir(parents=True)
    (config / "config.php").write_text("<?php")
    place, connection = node(tmp_path)
    _install.clear(ITEM, place)
    assert [sql.split()[0] for sql in connection.executed] == ["DROP", "CREATE"]
    assert not (config / "config.php").exists()


def test_a_failing_database_fails_the_space_not_the_run(tmp_path):
    def refuse(_):
        raise KeyError("gone")

    (tmp_path / "spaces" / "amap").mkdir(parents=True)
    place, _ = node(tmp_path)
    broken = Node(**{**place.__dict__, "connect": refuse})
    assert "gone" in _installation.carry_out(ITEM, {"install": ""}, broken)[1]


@pytest.fixture
def own(monkeypatch):
    """Files are the test's own, whoever they are to belong to."""
    write = _files.write_file

    def mine(item):
        return write({**item, "uid": os.getuid(), "gid": os.getgid()})

    monkeypatch.setattr(_files, "write_file", mine)


def test_the_installer_finds_an_instance_id_and_leaves_no_index_out(tmp_path, monkeypatch, own):
    place, _ = node(tmp_path)
    config = tmp_path / "spaces/amap/config/config.php"
    config.parent.mkdir(parents=True)
    (tmp_path / "spaces/amap/data").mkdir()
    occ = Occ()

    def run(slug, php, arguments, **options):
        path = tmp_path / f"spaces/{slug}/config/config.php"
        if arguments[0] == "maintenance:repair":
            path.write_text(path.read_text().replace(");", "  'maintenance' => false,\n);"))
        return occ(slug, php, arguments, **options)

    monkeypatch.setattr(_occ, "run", run)
    _install.install(ITEM, place)
    (found,) = re.findall(r"^  'instanceid' => '(oc[a-z0-9]{10})',$", config.read_text(), re.M)
    made = ["maintenance:install", "app:enable", *NAMES, "maintenance:repair"]
    assert [call[0] for call in occ.calls] == made
    # What the repair leaves there, copies of the template do not have.
    assert "maintenance" not in config.read_text()
    other = tmp_path / "spaces/other"
    shutil.copytree(tmp_path / "spaces/amap", other)
    (other / "config/config.php").unlink()
    _install.install({**ITEM, "space": "other"}, place)
    assert found not in (other / "config/config.php").read_text()


class TestDistant:
    """A database on another machine: the same image, with the space's own account."""

    DISTANT: t.ClassVar = {
        **ITEM,
        "database": {
            "name": "space_amap",
            "user": "space-amap",
            "password": "s3cret",
            "address": "10.0.0.2",
        },
    }

    @pytest.fixture
    @staticmethod
    def place(tmp_path, monkeypatch):
        monkeypatch.setattr(_node, "CLIENTS", str(tmp_path / "clients"))
        monkeypatch.setattr(os, "chown", lambda *_arguments: None)
        monkeypatch.setattr(os, "fchown", lambda *_arguments: None)
        return node(tmp_path)[0]

    def test_its_password_is_written_down_for_as_long_as_a_client_runs(self, place, tmp_path):
        with _node.server_of(self.DISTANT, place) as server:
            (path,) = (tmp_path / "clients").iterdir()
            assert server.command("mariadb", "x") == ["mariadb", f"--defaults-file={path}", "x"]
            text = path.read_text()
            assert path.stat().st_mode & 0o777 == 0o600
        assert list((tmp_path / "clients").iterdir()) == []
        for line in ("host=10.0.0.2", "port=3306", "ssl-ca=/ca", "ssl-verify-server-cert"):
            assert line in text.splitlines()

    def test_a_client_that_fails_leaves_no_password(self, place, tmp_path):
        with (
            pytest.raises(_seed_image.SeedImageError),
            _node.server_of(self.DISTANT, place),
        ):
            raise _seed_image.SeedImageError("gone")
        assert list((tmp_path / "clients").iterdir()) == []

    def test_it_starts_from_the_image_as_others_do(self, place, tmp_path):
        release = tmp_path / "releases/33"
        release.mkdir(parents=True)
        manifest = {"capabilities": {"install_without_admin": True}}
        (tmp_path / "releases/33.json").write_text(json.dumps(manifest))
        home = tmp_path / "spaces/amap"
        home.mkdir(parents=True)
        (home / "release").symlink_to(release)
        place = replace(place, seed_images=str(tmp_path / "seed-images"))
        found = _install.find_seed_image(self.DISTANT, place)
        assert found is not None
        assert found == _install.find_seed_image(ITEM, place)


def test_the_journal_is_on_the_disk_before_the_first_table(tmp_path, monkeypatch, own):
    """After a loss of power a half-filled database without it could never be cleared away."""
    place, _ = node(tmp_path)
    (tmp_path / "spaces/amap/config").mkdir(parents=True)
    order: list[str] = []
    sync = _files.sync_folder

    def synced(path: str) -> None:
        order.append("sync")
        sync(path)

    def refuse(*_: object, **__: object) -> _occ.Outcome:
        order.append("occ")
        return _occ.Outcome(1, "", "")

    monkeypatch.setattr(_files, "sync_folder", synced)
    monkeypatch.setattr(_occ, "run", refuse)
    with pytest.raises(_node.OccError):
        _install.install(ITEM, place)
    assert order == ["sync", "occ"]
    assert (tmp_path / "spaces/amap" / _install.JOURNAL).exists()
