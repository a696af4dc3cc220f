# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What a release is to be is compared with what it was built from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _release_manifest

DECK = _release_manifest.Application("deck", "a" * 64, version="1.2.3")


class TestPlan:
    def manifest(self, **other: Any) -> dict[str, Any]:
        return {"version": "33.0.9", "archive": {"sha256": "a" * 64}, "applications": {}, **other}

    def plain(self, **other: Any) -> _release_manifest.Wanted:
        return _release_manifest.Wanted("33.0.9", "33.0.9", "8.2", "8.5", **other)

    def test_absent_release_is_built(self):
        assert _release_manifest.plan(self.plain(), None).build is True

    def test_present_release_is_kept(self):
        assert _release_manifest.plan(self.plain(), self.manifest()) == _release_manifest.Plan(
            False, []
        )
        assert _release_manifest.plan(self.plain(sha256="a" * 64), self.manifest()).build is False

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [({"sha256": "b" * 64}, {}), ({}, {"version": "33.0.8"})],
    )
    def test_other_contents_under_the_same_id_are_refused(
        self, wanted: dict[str, Any], found: dict[str, Any]
    ):
        with pytest.raises(_release_manifest.ReleaseError, match=r"new release id.*33\.0\.9-2"):
            _release_manifest.plan(self.plain(**wanted), self.manifest(**found))

    def test_a_stand_in_is_kept_where_one_is_good_enough_whatever_is_pinned(self):
        built = self.manifest(standin=True)
        pinned = {"sha256": "b" * 64}
        plan = _release_manifest.plan(self.plain(**pinned, standin=True), built)
        assert plan == _release_manifest.Plan(build=False, warnings=[])
        for wanted, found in (
            (self.plain(**pinned), built),
            (self.plain(**pinned, standin=True), self.manifest(standin=False)),
        ):
            with pytest.raises(_release_manifest.ReleaseError, match="archive sha256"):
                _release_manifest.plan(wanted, found)

    def test_newer_application_is_a_warning(self):
        wanted = self.plain(
            applications=[_release_manifest.Application("archipel", "b" * 64, own=True)]
        )
        built = self.manifest(applications={"archipel": {"sha256": "a" * 64}})
        plan = _release_manifest.plan(wanted, built)
        assert plan.build is False
        assert "new release id" in plan.warnings[0]

    def test_what_could_not_be_had_is_missing_only_where_that_is_good_enough(self):
        built = self.manifest(left_out={"deck": "HTTP 500"})
        plan = _release_manifest.plan(self.plain(applications=[DECK], leave_out=True), built)
        assert plan.build is False
        assert "WITHOUT deck" in plan.warnings[0]
        with pytest.raises(_release_manifest.ReleaseError, match="no application deck"):
            _release_manifest.plan(self.plain(applications=[DECK]), built)
        with pytest.raises(_release_manifest.ReleaseError, match="no application deck"):
            _release_manifest.plan(self.plain(applications=[DECK], leave_out=True), self.manifest())

    def test_a_stand_in_does_without_at_any_time(self):
        built = self.manifest(left_out={"deck": "stand-in"}, standin=True)
        plan = _release_manifest.plan(self.plain(applications=[DECK]), built)
        assert plan == _release_manifest.Plan(build=False, warnings=[])

    @pytest.mark.parametrize(
        ("applications", "built", "said"),
        [
            ([DECK], {}, r"no application deck, wanted 1\.2\.3"),
            ([], {"deck": {"sha256": "a" * 64}}, "application deck, not wanted any more"),
            ([DECK], {"deck": {"sha256": "b" * 64}}, "deck from another archive"),
        ],
    )
    def test_other_applications_under_the_same_id_are_refused(
        self, applications: list[_release_manifest.Application], built: dict[str, Any], said: str
    ):
        own = _release_manifest.Application("archipel", "c" * 64, own=True)
        found = {"archipel": {"sha256": "c" * 64}, **built}
        with pytest.raises(_release_manifest.ReleaseError, match=rf"{said}.*new release id"):
            _release_manifest.plan(
                self.plain(applications=[own, *applications]), self.manifest(applications=found)
            )


class TestManifest:
    def test_folder_of_somebody_else_is_refused(self, tmp_path: Path):
        (tmp_path / "33.0.9").mkdir()
        with pytest.raises(_release_manifest.ReleaseError, match="without its manifest"):
            _release_manifest.read_manifest(str(tmp_path), "33.0.9")

    def test_damaged_manifest_is_refused(self, tmp_path: Path):
        (tmp_path / "33.0.9").mkdir()
        (tmp_path / "33.0.9.json").write_text("{")
        with pytest.raises(_release_manifest.ReleaseError, match="is damaged"):
            _release_manifest.read_manifest(str(tmp_path), "33.0.9")

    def test_manifest_alone_counts_for_nothing(self, tmp_path: Path):
        (tmp_path / "33.0.9.json").write_text("{}")
        assert _release_manifest.read_manifest(str(tmp_path), "33.0.9") is None
