# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A release is whole or absent, what the catalogue says, and never modified."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils import _files, _release
from ansible_collections.archipel.spaces.plugins.plugin_utils import _release_source
from tests.standin import build as standin

PHP = "/usr/bin/php"
DECK = _release.Application("deck", "a" * 64, version="1.2.3")
RUNNING = _release.Running("33.0.9", "8.4.21", frozenset({"core", "gd", "intl"}))
ROOT = Path(__file__).resolve().parents[4]
APPLICATION = ROOT / "roles/nextcloud/files/apps/archipel"


@pytest.fixture(autouse=True)
def own(monkeypatch: pytest.MonkeyPatch):
    """These tests may run as anybody: who runs them stands for root."""
    check, me, group = _release.modified, os.geteuid(), os.getegid()
    monkeypatch.setattr(_release, "modified", lambda tree, at: check(tree, at, me))
    monkeypatch.setattr(_files, "ROOT", me)
    monkeypatch.setattr(_files, "group_id", lambda _name: group)


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stand-in releases: they have the shape of the vendor's archives."""
    folder = tmp_path_factory.mktemp("archives")
    for version in ("29.0.6", "33.0.9", "33.0.8"):
        standin.pack(standin.contents(version), folder / f"nextcloud-{version}.tar.bz2")
    (folder / "archipel.tar.gz").write_bytes(_release_source.pack_application(APPLICATION))
    return folder


@pytest.fixture
def application(archives: Path) -> _release.Application:
    path = str(archives / "archipel.tar.gz")
    return _release.Application("archipel", _release.digest_of(path), path)


@pytest.fixture
def wanted(application: _release.Application) -> _release.Wanted:
    return _release.Wanted("33.0.9", "33.0.9", "8.2", "8.5", applications=[application])


def source_of(path: Path) -> _release.Source:
    return _release.Source(str(path), path.name, _release.digest_of(str(path)), "test", True)


@pytest.fixture
def source(archives: Path) -> _release.Source:
    return source_of(archives / "nextcloud-33.0.9.tar.bz2")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "releases"


class TestBuild:
    def test_release_and_manifest_are_there(
        self, folder: Path, wanted: _release.Wanted, source: _release.Source
    ):
        manifest = _release.build(str(folder), wanted, source, RUNNING)
        assert sorted(path.name for path in folder.iterdir()) == ["33.0.9", "33.0.9.json"]
        assert manifest == json.loads((folder / "33.0.9.json").read_text())
        assert _release.read_manifest(str(folder), "33.0.9") == manifest
        assert (manifest["version"], manifest["version_full"]) == ("33.0.9", "33.0.9.1")
        assert manifest["standin"] is True
        assert manifest["archive"]["sha256"] == source.sha256
        assert manifest["applications"]["archipel"]["version"] == "0.6.0"
        assert (folder / "33.0.9/apps-extra/archipel/appinfo/info.xml").is_file()

    def test_nobody_but_the_owner_may_write(
        self, folder: Path, wanted: _release.Wanted, source: _release.Source
    ):
        _release.build(str(folder), wanted, source, RUNNING)
        modes = {path.lstat().st_mode & 0o7777 for path in folder.rglob("*")}
        assert modes == {0o755, 0o644}

    @pytest.mark.parametrize(("version", "deep"), [("29.0.6", False), ("33.0.9", True)])
    def test_manifest_tells_what_the_release_can_do(
        self, folder: Path, archives: Path, version: str, deep: bool
    ):
        wanted = _release.Wanted("x", version, "8.2", "8.5")
        archive = source_of(archives / f"nextcloud-{version}.tar.bz2")
        able = _release.build(str(folder), wanted, archive, RUNNING)["capabilities"]
        assert able["install_without_admin"] is True
        assert able["merges_config_lists"] is deep
        assert "files" in able["always_enabled"]
        assert able["apps"]["files"] == f"{version.split('.', 1)[0]}.0.0"

    def test_other_version_than_the_catalogue_says(
        self, folder: Path, wanted: _release.Wanted, archives: Path
    ):
        other = source_of(archives / "nextcloud-33.0.8.tar.bz2")
        with pytest.raises(
            _release.ReleaseError, match=r"holds Nextcloud 33\.0\.8.*wants 33\.0\.9"
        ):
            _release.build(str(folder), wanted, other, RUNNING)
        assert list(folder.iterdir()) == []

    def test_archive_that_changed_on_its_way(
        self, folder: Path, wanted: _release.Wanted, source: _release.Source
    ):
        with pytest.raises(_release.ReleaseError, match="changed on its way"):
            _release.build(str(folder), wanted, replace(source, sha256="0" * 64), RUNNING)

    def test_application_of_another_nextcloud(
        self, folder: Path, source: _release.Source, tmp_path: Path
    ):
        old = tmp_path / "old"
        (old / "appinfo").mkdir(parents=True)
        (old / "appinfo/info.xml").write_text(
            "<info><id>old</id><version>1</version>"
            '<dependencies><nextcloud min-version="20" max-version="21"/></dependencies></info>'
        )
        packed = tmp_path / "old.tar.gz"
        packed.write_bytes(_release_source.pack_application(old))
        application = _release.Application("old", _release.digest_of(str(packed)), str(packed))
        wanted = _release.Wanted("x", "33.0.9", "8.2", "8.5", applications=[application])
        with pytest.raises(_release.ReleaseError, match="made for Nextcloud 20 to 21"):
            _release.build(str(folder), wanted, source, RUNNING)
        assert list(folder.iterdir()) == []

    def test_interrupted_build_leaves_nothing_that_counts(
        self,
        folder: Path,
        wanted: _release.Wanted,
        source: _release.Source,
        monkeypatch: pytest.MonkeyPatch,
    ):
        """Killed between writing the manifest and the rename."""

        def killed(*_: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(os, "rename", killed)
            with pytest.raises(KeyboardInterrupt):
                _release.build(str(folder), wanted, source, RUNNING)
        assert _release.read_manifest(str(folder), "33.0.9") is None
        _release.build(str(folder), wanted, source, RUNNING)
        assert _release.read_manifest(str(folder), "33.0.9") is not None

    def test_old_remains_are_swept(
        self, folder: Path, wanted: _release.Wanted, source: _release.Source
    ):
        old, recent = folder / ".building-x-1", folder / ".building-x-2"
        for path in (old, recent):
            path.mkdir(parents=True)
        os.utime(old, (0, 0))
        _release.build(str(folder), wanted, source, RUNNING)
        assert not old.exists()
        assert recent.exists()


def packed(folder: Path, name: str, major: str) -> _release.Application:
    """Return an application made for one major."""
    place = folder / name
    (place / "appinfo").mkdir(parents=True)
    (place / "appinfo/info.xml").write_text(
        f"<info><id>{name}</id><version>1</version><dependencies>"
        f'<nextcloud min-version="{major}" max-version="{major}"/></dependencies></info>'
    )
    archive = folder / f"{name}.tar.gz"
    archive.write_bytes(_release_source.pack_application(place))
    return _release.Application(name, _release.digest_of(str(archive)), str(archive), "1")


class TestRefused:
    """What cannot become a release: the entry to mend is named, and nothing is left."""

    ENTRY = "archipel_releases['33.0.9-2']"

    def refused(self, folder: Path, source: _release.Source, *applications: Any) -> str:
        wanted = _release.Wanted("33.0.9-2", "33.0.9", "8.2", "8.5", applications=[*applications])
        with pytest.raises(_release.ReleaseError) as caught:
            _release.build(str(folder), wanted, source, RUNNING)
        assert list(folder.iterdir()) == []
        return str(caught.value)

    @pytest.mark.parametrize("kind", ["truncated", "garbage", "empty", "no Nextcloud"])
    def test_a_broken_archive(
        self, folder: Path, source: _release.Source, tmp_path: Path, kind: str
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
        self, folder: Path, source: _release.Source, tmp_path: Path, kind: str
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
            folder, source, good, replace(bad, sha256=_release.digest_of(str(path)))
        )
        first, *lines = said.splitlines()
        assert first == "release 33.0.9-2 cannot be built"
        assert [line.split(": ")[0] for line in lines] == [f"{self.ENTRY}.applications.bad"]

    @pytest.mark.parametrize("major", ["32", "34"])
    def test_an_application_for_another_major(
        self, folder: Path, source: _release.Source, tmp_path: Path, major: str
    ):
        said = self.refused(folder, source, packed(tmp_path, "deck", major))
        assert f"{self.ENTRY}.applications.deck: application deck 1 is made for" in said
        assert "take another version of it" in said

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
    @pytest.mark.parametrize("place", ["unpacking", "manifest", "last"])
    def test_a_disk_that_fills_up(
        self, folder: Path, source: _release.Source, monkeypatch: pytest.MonkeyPatch,
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
        wanted = _release.Wanted("33.0.9-2", "33.0.9", "8.2", "8.5")
        assert _release.build(str(folder), wanted, source, RUNNING)["id"] == "33.0.9-2"


class TestPlan:
    def manifest(self, **other: Any) -> dict[str, Any]:
        return {"version": "33.0.9", "archive": {"sha256": "a" * 64}, "applications": {}, **other}

    def plain(self, **other: Any) -> _release.Wanted:
        return _release.Wanted("33.0.9", "33.0.9", "8.2", "8.5", **other)

    def test_absent_release_is_built(self):
        assert _release.plan(self.plain(), None).build is True

    def test_present_release_is_kept(self):
        assert _release.plan(self.plain(), self.manifest()) == _release.Plan(False, [])
        assert _release.plan(self.plain(sha256="a" * 64), self.manifest()).build is False

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [({"sha256": "b" * 64}, {}), ({}, {"version": "33.0.8"})],
    )
    def test_other_contents_under_the_same_id_are_refused(
        self, wanted: dict[str, Any], found: dict[str, Any]
    ):
        with pytest.raises(_release.ReleaseError, match=r"new release id.*33\.0\.9-2"):
            _release.plan(self.plain(**wanted), self.manifest(**found))

    def test_a_stand_in_is_kept_where_one_is_good_enough_whatever_is_pinned(self):
        built = self.manifest(standin=True)
        pinned = {"sha256": "b" * 64}
        plan = _release.plan(self.plain(**pinned, standin=True), built)
        assert plan == _release.Plan(build=False, warnings=[])
        for wanted, found in (
            (self.plain(**pinned), built),
            (self.plain(**pinned, standin=True), self.manifest(standin=False)),
        ):
            with pytest.raises(_release.ReleaseError, match="archive sha256"):
                _release.plan(wanted, found)

    def test_newer_application_is_a_warning(self):
        wanted = self.plain(applications=[_release.Application("archipel", "b" * 64, own=True)])
        built = self.manifest(applications={"archipel": {"sha256": "a" * 64}})
        plan = _release.plan(wanted, built)
        assert plan.build is False
        assert "new release id" in plan.warnings[0]

    def test_what_could_not_be_had_is_missing_only_where_that_is_good_enough(self):
        built = self.manifest(left_out={"deck": "HTTP 500"})
        plan = _release.plan(self.plain(applications=[DECK], leave_out=True), built)
        assert plan.build is False
        assert "WITHOUT deck" in plan.warnings[0]
        with pytest.raises(_release.ReleaseError, match="no application deck"):
            _release.plan(self.plain(applications=[DECK]), built)
        with pytest.raises(_release.ReleaseError, match="no application deck"):
            _release.plan(self.plain(applications=[DECK], leave_out=True), self.manifest())

    def test_a_stand_in_does_without_at_any_time(self):
        built = self.manifest(left_out={"deck": "stand-in"}, standin=True)
        plan = _release.plan(self.plain(applications=[DECK]), built)
        assert plan == _release.Plan(build=False, warnings=[])

    @pytest.mark.parametrize(
        ("applications", "built", "said"),
        [
            ([DECK], {}, r"no application deck, wanted 1\.2\.3"),
            ([], {"deck": {"sha256": "a" * 64}}, "application deck, not wanted any more"),
            ([DECK], {"deck": {"sha256": "b" * 64}}, "deck from another archive"),
        ],
    )
    def test_other_applications_under_the_same_id_are_refused(
        self, applications: list[_release.Application], built: dict[str, Any], said: str
    ):
        own = _release.Application("archipel", "c" * 64, own=True)
        found = {"archipel": {"sha256": "c" * 64}, **built}
        with pytest.raises(_release.ReleaseError, match=rf"{said}.*new release id"):
            _release.plan(
                self.plain(applications=[own, *applications]), self.manifest(applications=found)
            )


class TestObstacles:
    """Whether an application can run here: said before any space sees the release."""

    INFO: Mapping[str, Any] = {
        "id": "deck",
        "version": "1.2.3",
        "nextcloud": ("32", "33"),
        "php": ("8.2", "8.4"),
        "extensions": ["GD", "intl"],
        "databases": ["mysql", "pgsql"],
    }

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"id": "duck"}, "calls itself 'duck'"),
            ({"version": "1.2.4"}, "1.2.4 is in the archive pinned as 1.2.3"),
            ({"nextcloud": ("34", "35")}, "made for Nextcloud 34 to 35, not for 33.0.9"),
            ({"nextcloud": ("29", "32")}, "made for Nextcloud 29 to 32"),
            ({"php": ("8.5", "")}, "made for PHP 8.5 to …, not for 8.4.21"),
            ({"php": ("8.1", "8.3")}, "made for PHP 8.1 to 8.3"),
            ({"extensions": ["gd", "zip", "imagick"]}, "needs the PHP extensions zip, imagick"),
            ({"databases": ["pgsql"]}, "works with pgsql only"),
        ],
    )
    def test_each_is_named(self, change: dict[str, Any], said: str):
        found = _release.obstacles({**self.INFO, **change}, DECK, RUNNING)
        assert len(found) == 1
        assert said in found[0]

    def test_no_limits_are_none(self):
        open_to_all = {"nextcloud": ("", ""), "php": ("", ""), "extensions": [], "databases": []}
        assert _release.obstacles({**self.INFO, **open_to_all}, DECK, RUNNING) == []
        assert _release.obstacles(dict(self.INFO), DECK, RUNNING) == []

    def test_a_range_is_as_exact_as_it_is_written(self):
        assert _release.within("33.0.9", "33.0.9", "33")
        assert not _release.within("33.0.8", "33.0.9", "33")
        assert not _release.within("34.0.0", "33", "33")

    def test_everything_wrong_is_said_at_once(
        self, folder: Path, source: _release.Source, tmp_path: Path
    ):
        made = []
        for name in ("one", "two", "files"):
            place = tmp_path / name
            (place / "appinfo").mkdir(parents=True)
            (place / "appinfo/info.xml").write_text(
                f"<info><id>{name}</id><version>1</version><dependencies>"
                "<lib>no_such_extension</lib></dependencies></info>"
            )
            packed = tmp_path / f"{name}.tar.gz"
            packed.write_bytes(_release_source.pack_application(place))
            digest = _release.digest_of(str(packed))
            made.append(_release.Application(name, digest, str(packed), "1"))
        wanted = _release.Wanted("x", "33.0.9", "8.2", "8.5", applications=made)
        with pytest.raises(_release.ReleaseError) as caught:
            _release.build(str(folder), wanted, source, RUNNING)
        lines = str(caught.value).splitlines()
        assert lines[0] == "release x cannot be built"
        assert [line.split(":")[0] for line in lines[1:]] == [
            f"archipel_releases['x'].applications.{name}" for name in ("one", "two", "files")
        ]
        assert list(folder.iterdir()) == []


class TestPhp:
    def test_extensions_are_asked_for(self, tmp_path: Path):
        program = tmp_path / "php"
        program.write_text("#!/bin/sh\nprintf '[PHP Modules]\\nGD\\nZend OPcache\\n\\n'\n")
        program.chmod(0o755)
        assert {"gd", "zend opcache"} <= _release.php_extensions(str(program))
        with pytest.raises(_release.ReleaseError, match="does not name its extensions"):
            _release.php_extensions("/bin/false")

    @pytest.mark.parametrize("found", ["8.2.0", "8.4.21-1+deb13u1", "8.5.9"])
    def test_inside_the_range(self, found: str):
        _release.check_php(_release.Wanted("x", "33.0.9", "8.2", "8.5"), found)

    @pytest.mark.parametrize("found", ["8.1.29", "8.6.0", "7.4.33", "9.0.0", "8.10.1"])
    def test_outside_the_range(self, found: str):
        with pytest.raises(_release.ReleaseError, match=f"this node has PHP {found}"):
            _release.check_php(_release.Wanted("x", "33.0.9", "8.2", "8.5"), found)

    def test_absent_php_has_no_version(self):
        assert _release.php_version("/nonexistent/php") is None

    def test_php_that_fails(self):
        with pytest.raises(_release.ReleaseError, match="does not tell its version"):
            _release.php_version("/bin/false")


class TestVersionFile:
    def test_styles_of_the_vendor(self, tmp_path: Path):
        (tmp_path / "version.php").write_text(
            "<?php\n$OC_Version = array(29,0,6,1);\n$OC_VersionString = '29.0.6';\n"
            "$vendor = 'nextcloud';\n"
        )
        assert _release.read_version(str(tmp_path)) == {
            "version": "29.0.6",
            "version_full": "29.0.6.1",
            "version_string": "29.0.6",
            "vendor": "nextcloud",
        }

    @pytest.mark.parametrize("text", ["", "<?php $OC_Version = getenv('X');"])
    def test_no_version(self, tmp_path: Path, text: str):
        (tmp_path / "version.php").write_text(text)
        with pytest.raises(_release.ReleaseError, match="no Nextcloud"):
            _release.read_version(str(tmp_path))

    def test_no_file(self, tmp_path: Path):
        with pytest.raises(_release.ReleaseError, match=r"version\.php"):
            _release.read_version(str(tmp_path))


class TestManifest:
    def test_folder_of_somebody_else_is_refused(self, tmp_path: Path):
        (tmp_path / "33.0.9").mkdir()
        with pytest.raises(_release.ReleaseError, match="without its manifest"):
            _release.read_manifest(str(tmp_path), "33.0.9")

    def test_damaged_manifest_is_refused(self, tmp_path: Path):
        (tmp_path / "33.0.9").mkdir()
        (tmp_path / "33.0.9.json").write_text("{")
        with pytest.raises(_release.ReleaseError, match="is damaged"):
            _release.read_manifest(str(tmp_path), "33.0.9")

    def test_manifest_alone_counts_for_nothing(self, tmp_path: Path):
        (tmp_path / "33.0.9.json").write_text("{}")
        assert _release.read_manifest(str(tmp_path), "33.0.9") is None


class TestConverge:
    @pytest.fixture
    def order(
        self, folder: Path, wanted: _release.Wanted, source: _release.Source, fake_php: str
    ) -> dict[str, Any]:
        application = wanted.applications[0]
        return {
            "folder": str(folder),
            "php": fake_php,
            "wanted": {
                "id": "33.0.9",
                "version": "33.0.9",
                "php_min": "8.2",
                "php_max": "8.5",
                "applications": [vars(application)],
            },
            "source": vars(source),
        }

    @pytest.fixture
    def fake_php(self, tmp_path: Path) -> str:
        path = tmp_path / "php"
        path.write_text("#!/bin/sh\necho 8.4.21\n")
        path.chmod(0o755)
        return str(path)

    def test_check_mode_foretells_and_changes_nothing(self, order: dict[str, Any], folder: Path):
        foretold = _release.converge(**{**order, "source": None}, check=True)
        assert foretold == {"changed": True, "manifest": {}, "warnings": []}
        assert not folder.exists()

    def test_second_run_changes_nothing(self, order: dict[str, Any]):
        assert _release.converge(**order, check=False)["changed"] is True
        again = _release.converge(**{**order, "source": None}, check=False)
        assert again["changed"] is False
        assert again["manifest"]["id"] == "33.0.9"

    def test_absent_php_is_an_error_but_for_check_mode(self, order: dict[str, Any]):
        order["php"] = "/nonexistent/php"
        assert _release.converge(**order, check=True)["changed"] is True
        with pytest.raises(_release.ReleaseError, match="install PHP first"):
            _release.converge(**order, check=False)

    def test_modified_release_is_named(self, order: dict[str, Any], folder: Path):
        _release.converge(**order, check=False)
        changed = folder / "33.0.9/core/shipped.json"
        os.utime(changed, (4_000_000_000, 4_000_000_000))
        with pytest.raises(_release.ReleaseError, match=r"modified after.*core/shipped\.json"):
            _release.converge(**order, check=False)

    def test_release_that_others_may_write_is_named(self, order: dict[str, Any], folder: Path):
        _release.converge(**order, check=False)
        (folder / "33.0.9/core").chmod(0o775)
        with pytest.raises(_release.ReleaseError, match=r"33\.0\.9/core"):
            _release.converge(**order, check=False)


def test_the_folder_is_readable_by_all_whatever_the_umask(tmp_path: Path):
    before = os.umask(0o077)
    try:
        assert _release.make_folder(f"{tmp_path}/nextcloud/releases", check=False)
    finally:
        os.umask(before)
    modes = [
        (tmp_path / part).stat().st_mode & 0o777 for part in ("nextcloud", "nextcloud/releases")
    ]
    assert modes == [0o755, 0o755]


def test_a_folder_that_somebody_closed_is_opened_again(tmp_path: Path):
    folder = tmp_path / "releases"
    folder.mkdir(mode=0o700)
    assert _release.make_folder(str(folder), check=True)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert _release.make_folder(str(folder), check=False)
    assert not _release.make_folder(str(folder), check=False)
    assert folder.stat().st_mode & 0o777 == 0o755
