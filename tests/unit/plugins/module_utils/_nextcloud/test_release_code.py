# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What code says of itself, and whether it runs here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import (
    _release_build,
    _release_code,
    _release_manifest,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._sources import _release_source
from tests.unit.plugins.module_utils.releases import archives, folder, source

__all__ = ["archives", "folder", "source"]

PHP = "/usr/bin/php"
DECK = _release_manifest.Application("deck", "a" * 64, version="1.2.3")
RUNNING = _release_code.Running("33.0.9", "8.4.21", frozenset({"core", "gd", "intl"}))


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
        found = _release_code.obstacles({**self.INFO, **change}, DECK, RUNNING)
        assert len(found) == 1
        assert said in found[0]

    def test_no_limits_are_none(self):
        open_to_all = {"nextcloud": ("", ""), "php": ("", ""), "extensions": [], "databases": []}
        assert _release_code.obstacles({**self.INFO, **open_to_all}, DECK, RUNNING) == []
        assert _release_code.obstacles(dict(self.INFO), DECK, RUNNING) == []

    def test_a_range_is_as_exact_as_it_is_written(self):
        assert _release_code.within("33.0.9", "33.0.9", "33")
        assert not _release_code.within("33.0.8", "33.0.9", "33")
        assert not _release_code.within("34.0.0", "33", "33")

    def test_everything_wrong_is_said_at_once(
        self, folder: Path, source: _release_manifest.Source, tmp_path: Path
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
            digest = _release_build.digest_of(str(packed))
            made.append(_release_manifest.Application(name, digest, str(packed), "1"))
        wanted = _release_manifest.Wanted("x", "33.0.9", "8.2", "8.5", applications=made)
        with pytest.raises(_release_manifest.ReleaseError) as caught:
            _release_build.build(str(folder), wanted, source, RUNNING)
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
        assert {"gd", "zend opcache"} <= _release_code.php_extensions(str(program))
        with pytest.raises(_release_manifest.ReleaseError, match="does not name its extensions"):
            _release_code.php_extensions("/bin/false")

    @pytest.mark.parametrize("found", ["8.2.0", "8.4.21-1+deb13u1", "8.5.9"])
    def test_inside_the_range(self, found: str):
        _release_code.check_php(_release_manifest.Wanted("x", "33.0.9", "8.2", "8.5"), found)

    @pytest.mark.parametrize("found", ["8.1.29", "8.6.0", "7.4.33", "9.0.0", "8.10.1"])
    def test_outside_the_range(self, found: str):
        with pytest.raises(_release_manifest.ReleaseError, match=f"this node has PHP {found}"):
            _release_code.check_php(_release_manifest.Wanted("x", "33.0.9", "8.2", "8.5"), found)

    def test_absent_php_has_no_version(self):
        assert _release_code.php_version("/nonexistent/php") is None

    def test_php_that_fails(self):
        with pytest.raises(_release_manifest.ReleaseError, match="does not say its version"):
            _release_code.php_version("/bin/false")


class TestVersionFile:
    def test_styles_of_the_vendor(self, tmp_path: Path):
        (tmp_path / "version.php").write_text(
            "<?php\n$OC_Version = array(29,0,6,1);\n$OC_VersionString = '29.0.6';\n"
            "$vendor = 'nextcloud';\n"
        )
        assert _release_code.read_version(str(tmp_path)) == {
            "version": "29.0.6",
            "version_full": "29.0.6.1",
            "version_string": "29.0.6",
            "vendor": "nextcloud",
        }

    @pytest.mark.parametrize("text", ["", "<?php $OC_Version = getenv('X');"])
    def test_no_version(self, tmp_path: Path, text: str):
        (tmp_path / "version.php").write_text(text)
        with pytest.raises(_release_manifest.ReleaseError, match="no Nextcloud"):
            _release_code.read_version(str(tmp_path))

    def test_no_file(self, tmp_path: Path):
        with pytest.raises(_release_manifest.ReleaseError, match=r"version\.php"):
            _release_code.read_version(str(tmp_path))
