# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Which release a benchmark runs."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from tests.benchmarks import choice
from tools import release


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is packed, and no archive is opened."""
    monkeypatch.setattr(release, "variables", lambda: {"nextcloud_standin_folder": "/s"})
    monkeypatch.setattr(choice, "entry", lambda version, _folder: {"version": version})


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    choice.add_options(parser)
    return parser.parse_args(arguments)


def test_without_a_release_it_is_what_the_tools_find():
    assert choice.policy(options(), None) == {"nextcloud_standin_folder": "/s"}


def test_spaces_run_the_first_of_the_releases():
    found = choice.policy(options("--archives", "/a"), "32.0.2", "33.0.3")
    assert found["archipel_release"] == "32.0.2"
    assert found["archipel_releases"] == {"32.0.2": {"version": "32.0.2"}} | {
        "33.0.3": {"version": "33.0.3"}
    }
    assert found["nextcloud_local_folders"] == ["/a"]


def test_applications_are_those_of_the_catalogue(tmp_path: Path):
    path = tmp_path / "catalogue.yml"
    path.write_text('archipel_releases: {"33.0.3": {applications: {deck: {}}}}\n')
    given = options("--catalogue", str(path))
    assert choice.policy(given, "33.0.3")["archipel_releases"]["33.0.3"] == {
        "applications": {"deck": {}}
    }
    with pytest.raises(SystemExit, match=r"has no release '32\.0\.2'; it has 33\.0\.3"):
        choice.policy(given, "32.0.2")
