# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What the demo makes of the archives that lie in artifacts/."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils import _code_signature as code
from tests.unit.plugins.plugin_utils import signing
from tools import artifacts
from tools.lab import LabError

PINNED = {"version": "1.0.0", "url": "https://apps.example/x.tar.gz", "sha256": "a" * 64}
LIKE: dict[str, Any] = {
    "version": "33.0.9",
    "php": {"min": "8.2", "max": "8.5"},
    "archive": {"sha256": "b" * 64},
    "applications": {"deck": PINNED, "polls": PINNED},
}
KNOWN = {"34.0.4": {"version": "34.0.4"}, "33.0.9": LIKE, "35.0.1": {"version": "35.0.1"}}


def lay(
    folder: Path, name: str, version: str, major: str = "33", more: dict[str, bytes] | None = None
) -> Path:
    """Put an application's archive there."""
    info = (
        f"<info><id>{name}</id><version>{version}</version><dependencies>"
        f'<nextcloud min-version="{major}" max-version="{major}"/></dependencies></info>'
    )
    path = folder / f"{name}-{version}.tar.gz"
    return signing.pack(path, name, {"appinfo/info.xml": info.encode(), **(more or {})})


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
    assert artifacts.choose(found, KNOWN, "34.0.4", wanted) == chosen


@pytest.mark.parametrize("wanted", ["33.0.4", "32.0.2", "x"])
def test_one_that_is_nowhere_is_refused_with_those_that_are(wanted: str):
    with pytest.raises(
        LabError, match=r"found .*; allowed: 34\.0\.4, 33\.0\.9, 35\.0\.1, 33\.0\.3"
    ):
        artifacts.choose(["32.0.2", "33.0.3"], KNOWN, "34.0.4", wanted)


def test_versions_are_compared_as_numbers(tmp_path: Path):
    for name in ("33.0.9.zip", "33.0.10.tar.gz", "9.0.1.tar.bz2", "33.0.11.tar.bz2.asc", "x.zip"):
        (tmp_path / f"nextcloud-{name}").touch()
    assert artifacts.releases(tmp_path) == ["9.0.1", "33.0.9", "33.0.10"]


def test_an_application_that_lies_there_takes_the_place_of_the_pinned_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "nextcloud-33.0.3.tar.bz2").write_bytes(b"")
    lay(tmp_path, "deck", "1.9.0")
    newest = lay(tmp_path, "deck", "1.10.0")
    lay(tmp_path, "deck", "2.0.0", major="34")
    lay(tmp_path, "whiteboard", "1.0.0")
    entry = artifacts.described("33.0.3", LIKE, tmp_path)
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
    found = artifacts.described("33.0.3", LIKE, tmp_path)["applications"]
    assert "unsigned" not in found["deck"]
    assert found["polls"]["unsigned"] is True


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the archive cannot be read"),
        (b"<html>Sign in to this network</html>", "the archive cannot be read"),
        ("truncated", "the archive cannot be read"),
        ("another", r"it holds deck 1\.2\.3\. Call it deck-1\.2\.3\.tar\.gz"),
        ("nothing", "Fetch it again, or remove it"),
    ],
)
def test_a_broken_archive_is_named_with_what_to_do(tmp_path: Path, data: Any, said: str):
    path = lay(tmp_path, "deck", "1.2.3", more={"lib/x.php": bytes(range(256)) * 40})
    if data == "truncated":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif data == "another":
        path.rename(tmp_path / "deck-1.2.4.tar.gz")
    elif data == "nothing":
        signing.pack(path, "deck", {"README": b""})
    else:
        path.write_bytes(data)
    with pytest.raises(LabError, match=said) as refusal:
        artifacts.applications({"deck"}, tmp_path)
    assert str(tmp_path / "deck-1.2.") in str(refusal.value)


def test_an_empty_folder_leaves_the_catalogue_as_it_is(tmp_path: Path):
    assert artifacts.variables(folder=tmp_path / "absent") == {}
    assert artifacts.variables("35.0.1", tmp_path) == {"archipel_release": "35.0.1"}


def test_what_lies_there_becomes_the_release_of_new_spaces(tmp_path: Path):
    (tmp_path / "nextcloud-33.0.3.tar.bz2").write_bytes(b"")
    found = artifacts.variables(folder=tmp_path)
    assert found["archipel_release"] == "33.0.3"
    assert {"33.0.3", "33.0.9", "34.0.4", "35.0.1"} == set(found["archipel_releases"])
