# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Which release the demo runs of those that lie in artifacts/."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._sources import (
    _code_signature as code,
)
from tests.unit.plugins.plugin_utils import signing
from tests.unit.tools.test_artifacts import lay
from tools import ROOT, demo_release
from tools.lab import LabError

PINNED = {"version": "1.0.0", "url": "https://apps.example/x.tar.gz", "sha256": "a" * 64}
LIKE: dict[str, Any] = {
    "version": "33.0.9",
    "php": {"min": "8.2", "max": "8.5"},
    "archive": {"sha256": "b" * 64},
    "applications": {"deck": PINNED, "polls": PINNED},
}
KNOWN = {"34.0.4": {"version": "34.0.4"}, "33.0.9": LIKE, "35.0.1": {"version": "35.0.1"}}


@pytest.mark.parametrize(
    ("found", "wanted", "chosen"),
    [
        ([], "", ("34.0.4", "34.0.4")),
        # What lies there is used, the newest of it.
        (["32.0.2", "33.0.3"], "", ("33.0.3", "33.0.9")),
        (["33.0.3", "34.0.4"], "", ("34.0.4", "34.0.4")),
        (["33.0.3", "33.0.9"], "", ("33.0.9", "33.0.9")),
        (["34.0.1", "35.0.0"], "", ("35.0.0", "35.0.1")),
        # The catalogue knows nothing of this major.
        (["32.0.2"], "", ("34.0.4", "34.0.4")),
        (["33.0.3"], "34.0.4", ("34.0.4", "34.0.4")),
        (["33.0.3", "35.0.0"], "33.0.3", ("33.0.3", "33.0.9")),
    ],
)
def test_which_release_is_used(found: list[str], wanted: str, chosen: tuple[str, str]):
    assert demo_release.choose(found, KNOWN, "34.0.4", wanted) == chosen


@pytest.mark.parametrize("wanted", ["33.0.4", "32.0.2", "x"])
def test_one_that_is_nowhere_is_refused_with_those_that_are(wanted: str):
    with pytest.raises(
        LabError, match=r"found .*; allowed: 34\.0\.4, 33\.0\.9, 35\.0\.1, 33\.0\.3"
    ):
        demo_release.choose(["32.0.2", "33.0.3"], KNOWN, "34.0.4", wanted)


def test_an_application_that_lies_there_takes_the_place_of_the_pinned_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "nextcloud-33.0.3.tar.bz2").write_bytes(b"")
    lay(tmp_path, "deck", "1.9.0")
    newest = lay(tmp_path, "deck", "1.10.0")
    lay(tmp_path, "deck", "2.0.0", major="34")
    lay(tmp_path, "whiteboard", "1.0.0")
    entry = demo_release.described("33.0.3", LIKE, tmp_path)
    digest = hashlib.sha256(newest.read_bytes()).hexdigest()
    assert entry["applications"] == {
        "deck": {"version": "1.10.0", "sha256": digest, "unsigned": True},
        # What is not there may still be had from the store.
        "polls": PINNED,
    }
    assert (entry["version"], entry["archive"], entry["php"]) == ("33.0.3", {}, LIKE["php"])
    assert "deck-1.10.0.tar.gz: " in capsys.readouterr().out


def test_the_signature_of_one_that_is_signed_is_checked(tmp_path: Path):
    authority = signing.make("Authority")
    files = {code.AUTHORITY: authority.pem}
    signing.pack(tmp_path / "nextcloud-33.0.3.tar.gz", "nextcloud", files)
    lay(tmp_path, "polls", "9.0.0")
    content = {"appinfo/info.xml": signing.info("deck", "1.2.3")}
    signature = authority.vouch("deck").sign(content)
    signing.pack(tmp_path / "deck-1.2.3.tar.gz", "deck", {**content, code.SIGNATURE: signature})
    found = demo_release.described("33.0.3", LIKE, tmp_path)["applications"]
    assert "unsigned" not in found["deck"]
    assert found["polls"]["unsigned"] is True


def test_an_empty_folder_leaves_the_catalogue_as_it_is(tmp_path: Path):
    assert demo_release.variables(folder=tmp_path / "absent") == {}
    assert demo_release.variables("35.0.1", tmp_path) == {"archipel_release": "35.0.1"}


def test_what_lies_there_becomes_the_release_of_new_spaces(tmp_path: Path):
    (tmp_path / "nextcloud-33.0.3.tar.bz2").write_bytes(b"")
    found = demo_release.variables(folder=tmp_path)
    assert found["archipel_release"] == "33.0.3"
    assert {"33.0.3", "33.0.9", "34.0.4", "35.0.1"} == set(found["archipel_releases"])


def test_it_finds_the_collection_by_itself():
    """The demo is called without what makes the collection importable for tests."""
    done = subprocess.run(
        [sys.executable, "-c", "from tools import demo_release; print(demo_release.FOLDER.name)"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "artifacts\n"), done.stderr
