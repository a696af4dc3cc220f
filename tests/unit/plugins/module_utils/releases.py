# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Stand-in archives to build releases from, and who builds them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _files
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import (
    _release,
    _release_build,
    _release_manifest,
)
from ansible_collections.archipel.spaces.plugins.module_utils._web import _managed_files
from ansible_collections.archipel.spaces.plugins.plugin_utils._sources import _release_source
from tests.standin import build as standin

ROOT = Path(__file__).resolve().parents[4]
APPLICATION = ROOT / "roles/nextcloud/files/apps/archipel"


@pytest.fixture(autouse=True)
def own(monkeypatch: pytest.MonkeyPatch):
    """These tests may run as anybody: who runs them stands for root."""
    check, me, group = _release.modified, os.geteuid(), os.getegid()
    monkeypatch.setattr(_release, "modified", lambda tree, at: check(tree, at, me))
    monkeypatch.setattr(_files, "ROOT", me)
    monkeypatch.setattr(_managed_files, "find_owner", lambda _item: (me, group))


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stand-in releases: they have the shape of the vendor's archives."""
    folder = tmp_path_factory.mktemp("archives")
    for version in ("29.0.6", "33.0.9", "33.0.8"):
        standin.pack(standin.contents(version), folder / f"nextcloud-{version}.tar.bz2")
    (folder / "archipel.tar.gz").write_bytes(_release_source.pack_application(APPLICATION))
    return folder


@pytest.fixture
def application(archives: Path) -> _release_manifest.Application:
    path = str(archives / "archipel.tar.gz")
    return _release_manifest.Application("archipel", _release_build.digest_of(path), path)


@pytest.fixture
def wanted(application: _release_manifest.Application) -> _release_manifest.Wanted:
    return _release_manifest.Wanted("33.0.9", "33.0.9", "8.2", "8.5", applications=[application])


def source_of(path: Path) -> _release_manifest.Source:
    return _release_manifest.Source(
        str(path), path.name, _release_build.digest_of(str(path)), "test", True
    )


@pytest.fixture
def source(archives: Path) -> _release_manifest.Source:
    return source_of(archives / "nextcloud-33.0.9.tar.bz2")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "releases"
