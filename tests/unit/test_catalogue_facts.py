# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The catalogue that the project ships is whole: what the policy promises is pinned in it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ansible_collections.archipel.spaces.plugins.plugin_utils._render import _applications
from ansible_collections.archipel.spaces.plugins.plugin_utils._sources import _application_source
from tests.standin import build
from tests.unit.environment import ROOT


def read(name: str) -> dict[str, Any]:
    text = (ROOT / "group_vars/all" / name).read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    return document


CATALOGUE = read("releases.yml")
RELEASES: dict[str, dict[str, Any]] = CATALOGUE["archipel_releases"]
POLICY = read("applications.yml")
SUITES = POLICY["archipel_office_suites"]
PROMISED = set(_applications.required(POLICY["archipel_applications"], SUITES, list(SUITES))) - {
    *build.ALWAYS_ENABLED,
    *build.DEFAULT_ENABLED,
    *build.ON_REQUEST,
}


@pytest.mark.parametrize("release", RELEASES)
class TestEachRelease:
    def test_pins_every_application_that_nextcloud_does_not_bring(self, release: str):
        entry = RELEASES[release]
        assert set(entry["applications"]) >= PROMISED
        assert "without" not in entry
        assert _application_source.check(release, entry["applications"]) == []

    def test_pins_its_own_archive_of_that_version(self, release: str):
        entry = RELEASES[release]
        assert release == entry["version"]
        assert entry["archive"]["url"].endswith(f"/nextcloud-{release}.tar.bz2")
        assert len(entry["archive"]["sha256"]) == 64

    def test_names_the_version_in_the_address(self, release: str):
        for name, pinned in RELEASES[release]["applications"].items():
            assert f"/v{pinned['version']}/" in pinned["url"], name

    def test_runs_on_the_php_that_its_stand_in_says(self, release: str):
        low, below = build.PHP_RANGES[int(release.split(".", maxsplit=1)[0])]
        php = RELEASES[release]["php"]
        assert [php["min"], php["max"]] == [
            f"{low // 10000}.{low // 100 % 100}",
            f"{below // 10000}.{below // 100 % 100 - 1}",
        ]


def test_no_two_releases_pin_the_same_archive_for_different_versions():
    seen: dict[str, str] = {}
    for entry in RELEASES.values():
        for name, pinned in entry["applications"].items():
            assert seen.setdefault(pinned["sha256"], f"{name} {pinned['version']}") == (
                f"{name} {pinned['version']}"
            )


def test_visitors_can_ask_for_an_account_only_where_the_settings_are_understood():
    """Versions before 3 have other settings: nobody would have to approve."""
    name = POLICY["archipel_registration"]["application"]
    for release, entry in RELEASES.items():
        version = entry["applications"].get(name, {"version": "3"})["version"]
        assert int(version.split(".")[0]) >= 3, release
    assert name in RELEASES[CATALOGUE["archipel_release"]]["applications"]


def test_the_default_runs_on_both_debians():
    php = RELEASES[CATALOGUE["archipel_release"]]["php"]
    assert float(php["min"]) <= 8.2
    assert float(php["max"]) >= 8.4
