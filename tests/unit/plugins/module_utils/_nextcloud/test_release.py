# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A release is what the catalogue says, and never modified."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import (
    _release,
    _release_manifest,
)
from tests.unit.plugins.module_utils.releases import (
    application,
    archives,
    folder,
    own,
    source,
    wanted,
)

__all__ = ["application", "archives", "folder", "own", "source", "wanted"]


class TestConverge:
    @pytest.fixture
    def order(
        self,
        folder: Path,
        wanted: _release_manifest.Wanted,
        source: _release_manifest.Source,
        fake_php: str,
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
        with pytest.raises(_release_manifest.ReleaseError, match="install PHP first"):
            _release.converge(**order, check=False)

    def test_modified_release_is_named(self, order: dict[str, Any], folder: Path):
        _release.converge(**order, check=False)
        changed = folder / "33.0.9/core/shipped.json"
        os.utime(changed, (4_000_000_000, 4_000_000_000))
        with pytest.raises(
            _release_manifest.ReleaseError, match=r"modified after.*core/shipped\.json"
        ):
            _release.converge(**order, check=False)

    def test_a_file_that_was_taken_away_is_noticed(self, order: dict[str, Any], folder: Path):
        _release.converge(**order, check=False)
        (folder / "33.0.9/version.php").unlink()
        os.utime(folder / "33.0.9", (4_000_000_000, 4_000_000_000))
        with pytest.raises(_release_manifest.ReleaseError, match=r"modified after.*/33\.0\.9\."):
            _release.converge(**order, check=False)

    def test_a_link_in_the_place_of_a_folder_is_noticed(
        self, order: dict[str, Any], folder: Path, tmp_path: Path
    ):
        _release.converge(**order, check=False)
        link = folder / "33.0.9/core"
        link.rename(tmp_path / "core")
        link.symlink_to(tmp_path / "core")
        os.utime(link, (4_000_000_000, 4_000_000_000), follow_symlinks=False)
        with pytest.raises(_release_manifest.ReleaseError, match=r"33\.0\.9/core\."):
            _release.converge(**order, check=False)

    def test_release_that_others_may_write_is_named(self, order: dict[str, Any], folder: Path):
        _release.converge(**order, check=False)
        (folder / "33.0.9/core").chmod(0o775)
        with pytest.raises(_release_manifest.ReleaseError, match=r"33\.0\.9/core"):
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
