# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A release is whole or absent, and nothing half-built is left."""

from __future__ import annotations

import errno
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import (
    _release_build,
    _release_code,
    _release_manifest,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._sources import _release_source
from tests.unit.plugins.module_utils.releases import (
    application,
    archives,
    folder,
    source,
    source_of,
    wanted,
)

__all__ = ["application", "archives", "folder", "source", "wanted"]

RUNNING = _release_code.Running("33.0.9", "8.4.21", frozenset({"core", "gd", "intl"}))


class TestBuild:
    def test_release_and_manifest_are_there(
        self, folder: Path, wanted: _release_manifest.Wanted, source: _release_manifest.Source
    ):
        manifest = _release_build.build(str(folder), wanted, source, RUNNING)
        assert sorted(path.name for path in folder.iterdir()) == ["33.0.9", "33.0.9.json"]
        assert manifest == json.loads((folder / "33.0.9.json").read_text())
        assert _release_manifest.read_manifest(str(folder), "33.0.9") == manifest
        assert (manifest["version"], manifest["version_full"]) == ("33.0.9", "33.0.9.1")
        assert manifest["standin"] is True
        assert manifest["archive"]["sha256"] == source.sha256
        assert manifest["applications"]["archipel"]["version"] == "0.7.0"
        assert (folder / "33.0.9/apps-extra/archipel/appinfo/info.xml").is_file()

    def test_nobody_but_the_owner_may_write(
        self, folder: Path, wanted: _release_manifest.Wanted, source: _release_manifest.Source
    ):
        _release_build.build(str(folder), wanted, source, RUNNING)
        modes = {path.lstat().st_mode & 0o7777 for path in folder.rglob("*")}
        assert modes == {0o755, 0o644}

    @pytest.mark.parametrize(("version", "deep"), [("29.0.6", False), ("33.0.9", True)])
    def test_manifest_tells_what_the_release_can_do(
        self, folder: Path, archives: Path, version: str, deep: bool
    ):
        wanted = _release_manifest.Wanted("x", version, "8.2", "8.5")
        archive = source_of(archives / f"nextcloud-{version}.tar.bz2")
        able = _release_build.build(str(folder), wanted, archive, RUNNING)["capabilities"]
        assert able["install_without_admin"] is True
        assert able["merges_config_lists"] is deep
        assert "files" in able["always_enabled"]
        assert able["apps"]["files"] == f"{version.split('.', 1)[0]}.0.0"

    def test_other_version_than_the_catalogue_says(
        self, folder: Path, wanted: _release_manifest.Wanted, archives: Path
    ):
        other = source_of(archives / "nextcloud-33.0.8.tar.bz2")
        with pytest.raises(
            _release_manifest.ReleaseError, match=r"holds Nextcloud 33\.0\.8.*wants 33\.0\.9"
        ):
            _release_build.build(str(folder), wanted, other, RUNNING)
        assert list(folder.iterdir()) == []

    def test_archive_that_changed_on_its_way(
        self, folder: Path, wanted: _release_manifest.Wanted, source: _release_manifest.Source
    ):
        with pytest.raises(_release_manifest.ReleaseError, match="changed on its way"):
            _release_build.build(str(folder), wanted, replace(source, sha256="0" * 64), RUNNING)

    def test_application_of_another_nextcloud(
        self, folder: Path, source: _release_manifest.Source, tmp_path: Path
    ):
        old = tmp_path / "old"
        (old / "appinfo").mkdir(parents=True)
        (old / "appinfo/info.xml").write_text(
            "<info><id>old</id><version>1</version>"
            '<dependencies><nextcloud min-version="20" max-version="21"/></dependencies></info>'
        )
        packed = tmp_path / "old.tar.gz"
        packed.write_bytes(_release_source.pack_application(old))
        application = _release_manifest.Application(
            "old", _release_build.digest_of(str(packed)), str(packed)
        )
        wanted = _release_manifest.Wanted("x", "33.0.9", "8.2", "8.5", applications=[application])
        with pytest.raises(_release_manifest.ReleaseError, match="made for Nextcloud 20 to 21"):
            _release_build.build(str(folder), wanted, source, RUNNING)
        assert list(folder.iterdir()) == []

    def test_interrupted_build_leaves_nothing_that_counts(
        self,
        folder: Path,
        wanted: _release_manifest.Wanted,
        source: _release_manifest.Source,
        monkeypatch: pytest.MonkeyPatch,
    ):
        """Killed between writing the manifest and the rename."""

        def killed(*_: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(os, "rename", killed)
            with pytest.raises(KeyboardInterrupt):
                _release_build.build(str(folder), wanted, source, RUNNING)
        assert _release_manifest.read_manifest(str(folder), "33.0.9") is None
        _release_build.build(str(folder), wanted, source, RUNNING)
        assert _release_manifest.read_manifest(str(folder), "33.0.9") is not None

    def test_what_a_killed_build_left_goes_before_the_next_one(
        self, folder: Path, wanted: _release_manifest.Wanted, source: _release_manifest.Source
    ):
        """A second gigabyte may be more than there is room for."""
        left = folder / f"{_release_build.LOCK}-x-1"
        left.mkdir(parents=True)
        _release_build.build_once(str(folder), wanted, source, RUNNING)
        assert not left.exists()

    def test_a_release_that_another_run_has_built_meanwhile_is_left_whole(
        self, folder: Path, wanted: _release_manifest.Wanted, source: _release_manifest.Source
    ):
        built = _release_build.build_once(str(folder), wanted, source, RUNNING)
        assert _release_build.build_once(str(folder), wanted, source, RUNNING) == built
        assert _release_manifest.read_manifest(str(folder), "33.0.9") == built
        other = replace(wanted, sha256="0" * 64)
        with pytest.raises(_release_manifest.ReleaseError, match="archive sha256"):
            _release_build.build_once(str(folder), other, source, RUNNING)
        assert _release_manifest.read_manifest(str(folder), "33.0.9") == built

    def test_nobody_builds_while_somebody_else_does(
        self,
        folder: Path,
        wanted: _release_manifest.Wanted,
        source: _release_manifest.Source,
        monkeypatch: pytest.MonkeyPatch,
    ):
        monkeypatch.setattr(_release_build, "PATIENCE", 0)
        folder.mkdir()
        held = _journal.exclusive(_release_build.LOCK, str(folder))
        with held, pytest.raises(_release_manifest.ReleaseError, match="another run holds"):
            _release_build.build_once(str(folder), wanted, source, RUNNING)
        assert not (folder / "33.0.9").exists()


def packed(folder: Path, name: str, major: str) -> _release_manifest.Application:
    """Return an application made for one major."""
    place = folder / name
    (place / "appinfo").mkdir(parents=True)
    (place / "appinfo/info.xml").write_text(
        f"<info><id>{name}</id><version>1</version><dependencies>"
        f'<nextcloud min-version="{major}" max-version="{major}"/></dependencies></info>'
    )
    archive = folder / f"{name}.tar.gz"
    archive.write_bytes(_release_source.pack_application(place))
    return _release_manifest.Application(
        name, _release_build.digest_of(str(archive)), str(archive), "1"
    )


class TestRefused:
    """What cannot become a release: the entry to mend is named, and nothing is left."""

    ENTRY = "archipel_releases['33.0.9-2']"

    def refused(self, folder: Path, source: _release_manifest.Source, *applications: Any) -> str:
        wanted = _release_manifest.Wanted(
            "33.0.9-2", "33.0.9", "8.2", "8.5", applications=[*applications]
        )
        with pytest.raises(_release_manifest.ReleaseError) as caught:
            _release_build.build(str(folder), wanted, source, RUNNING)
        assert list(folder.iterdir()) == []
        return str(caught.value)

    @pytest.mark.parametrize("kind", ["truncated", "garbage", "empty", "no Nextcloud"])
    def test_a_broken_archive(
        self, folder: Path, source: _release_manifest.Source, tmp_path: Path, kind: str
    ):
        whole = Path(source.path).read_bytes()
        other = packed(tmp_path, "other", "33")
        data = {
            "truncated": whole[: len(whole) // 2],
            "garbage": b"<html>Sign in to this network</html>",
            "empty": b"",
            "no Nextcloud": Path(other.archive).read_bytes(),
        }[kind]
        broken = tmp_path / "nextcloud-33.0.9.tar.bz2"
        broken.write_bytes(data)
        said = self.refused(folder, source_of(broken))
        assert said.startswith(f"{self.ENTRY}.archive: nextcloud-33.0.9.tar.bz2 (test): ")
        assert said.endswith("put the right one there")

    @pytest.mark.parametrize("kind", ["truncated", "garbage", "of another name"])
    def test_a_broken_archive_of_an_application(
        self, folder: Path, source: _release_manifest.Source, tmp_path: Path, kind: str
    ):
        good, bad = packed(tmp_path, "good", "33"), packed(tmp_path, "bad", "33")
        path = Path(bad.archive)
        data = {
            "truncated": path.read_bytes()[: len(path.read_bytes()) // 2],
            "garbage": b"<html>",
            "of another name": Path(good.archive).read_bytes(),
        }[kind]
        path.write_bytes(data)
        said = self.refused(
            folder, source, good, replace(bad, sha256=_release_build.digest_of(str(path)))
        )
        first, *lines = said.splitlines()
        assert first == "release 33.0.9-2 cannot be built"
        assert [line.split(": ")[0] for line in lines] == [f"{self.ENTRY}.applications.bad"]

    @pytest.mark.parametrize("major", ["32", "34"])
    def test_an_application_for_another_major(
        self, folder: Path, source: _release_manifest.Source, tmp_path: Path, major: str
    ):
        said = self.refused(folder, source, packed(tmp_path, "deck", major))
        assert f"{self.ENTRY}.applications.deck: application deck 1 is made for" in said
        assert "take another version of it" in said

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
    @pytest.mark.parametrize("place", ["unpacking", "manifest", "last"])
    def test_a_disk_that_fills_up(
        self, folder: Path, source: _release_manifest.Source, monkeypatch: pytest.MonkeyPatch,
        place: str, number: int,
    ):  # fmt: skip
        def full(*_: Any, **__: Any) -> None:
            raise OSError(number, os.strerror(number), "/srv/nextcloud/releases")

        module, name = {
            "unpacking": (shutil, "copyfileobj"),
            "manifest": (json, "dump"),
            "last": (os, "rename"),
        }[place]
        with monkeypatch.context() as patch:
            patch.setattr(module, name, full)
            said = self.refused(folder, source)
        assert "make room in" in said
        assert str(folder) in said
        wanted = _release_manifest.Wanted("33.0.9-2", "33.0.9", "8.2", "8.5")
        assert _release_build.build(str(folder), wanted, source, RUNNING)["id"] == "33.0.9-2"
