# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What is proposed for the catalogue, from a feed like the application store's."""

from __future__ import annotations

import hashlib
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.plugins.plugin_utils import signing
from tools import catalogue

FILE = """---
# The release catalogue.
archipel_releases:
  "33.0.9":
    version: "33.0.9"
    # As the vendor says.
    php: {min: "8.2", max: "8.5"}
    archive:
      url: https://download.example/nextcloud-33.0.9.tar.bz2
    applications: {}
    # Not there yet.
    without:
      - deck
      - notes

  "34.0.1":
    version: "34.0.1"
    php: {min: "8.2", max: "8.5"}
    applications: {}

# Given to new spaces.
archipel_release: "33.0.9"
"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Tests speak for themselves."""


@pytest.fixture(scope="module")
def author() -> signing.Signer:
    return signing.make("deck")


@pytest.fixture
def store(tmp_path: Path, author: signing.Signer) -> Iterator[Callable[..., str]]:
    """A store; returns the address of its feed, with the deck's versions that are asked for."""
    folder = tmp_path / "store"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"

    def release(version: str, platform: str = ">=32 <=33", **others: Any) -> dict[str, Any]:
        files = {"appinfo/info.xml": signing.info("deck", version)}
        path = signing.pack(folder / f"deck-{version}.tar.gz", "deck", files)
        return {
            "version": version,
            "rawPlatformVersionSpec": platform,
            "rawPhpVersionSpec": "*",
            "isNightly": False,
            "download": f"{url}/{path.name}",
            "signature": author.sign_archive(path.read_bytes()),
            **others,
        }

    def feed(*releases: dict[str, Any]) -> str:
        entry = {"id": "deck", "certificate": author.pem.decode(), "releases": releases}
        (folder / "apps.json").write_text(json.dumps([entry]))
        return f"{url}/apps.json"

    feed.release = release  # type: ignore[attr-defined]
    yield feed
    server.shutdown()
    server.server_close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "releases.yml"
    path.write_text(FILE)
    return path


@pytest.fixture
def proposed(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    """Ask for a proposal, apply it as a human would, and return the catalogue then."""
    monkeypatch.setattr(catalogue, "ROOT", file.parent)

    def ask(feed: str, *arguments: str) -> dict[str, Any]:
        code = catalogue.main(["--feed", feed, "--catalogue", str(file), *arguments])
        assert code == 0
        printed = capsys.readouterr()
        if printed.out:
            subprocess.run(
                ["patch", "-s", "-p1", "-d", str(file.parent)],
                input=printed.out,
                text=True,
                check=True,
            )
        document: dict[str, Any] = yaml.safe_load(file.read_text())
        return {**document["archipel_releases"], "said": printed.err}

    return ask


def test_the_newest_finished_build_for_the_release_is_pinned(store, proposed, file: Path):
    make = store.release
    releases = proposed(
        store(
            make("1.9.0"),
            make("1.10.0"),
            make("1.11.0-beta1"),
            make("1.12.0", isNightly=True),
            make("2.0.0", ">=34 <=35"),
            make("1.13.0", rawPhpVersionSpec=">=8.6"),
        )
    )
    deck = releases["33.0.9"]["applications"]["deck"]
    archive = file.parent / "store/deck-1.10.0.tar.gz"
    assert deck["version"] == "1.10.0"
    assert deck["sha256"] == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert deck["url"].endswith("/deck-1.10.0.tar.gz")
    assert releases["33.0.9"]["without"] == ["notes"]
    assert "notes: the store does not know it" in releases["said"]


def test_everything_else_stays_as_it_was(store, proposed, file: Path):
    proposed(store(store.release("1.9.0")))
    kept = [line for line in FILE.splitlines() if "applications" not in line and "deck" not in line]
    now = file.read_text().splitlines()
    assert [line for line in kept if line not in now] == []


def test_a_release_that_has_applications_is_never_changed(store, proposed):
    make = store.release
    first = proposed(store(make("1.9.0")))["33.0.9"]
    after = proposed(store(make("1.9.0"), make("1.9.1")))
    assert after["33.0.9"] == first
    assert after["33.0.9-2"]["applications"]["deck"]["version"] == "1.9.1"
    assert after["33.0.9-2"]["archive"] == first["archive"]
    assert "Make it archipel_release" in after["said"]


def test_nothing_newer_is_no_proposal(store, proposed, file: Path):
    feed = store(store.release("1.9.0"))
    proposed(feed)
    before = file.read_text()
    assert "the newest applications there are" in proposed(feed)["said"]
    assert file.read_text() == before


def test_an_archive_that_its_author_did_not_sign_is_not_proposed(store, proposed):
    stranger = store.release("1.9.0", signature="AAAA")
    releases = proposed(store(stranger))
    assert releases["33.0.9"]["applications"] == {}
    assert "not what the store's signature is for" in releases["said"]


def test_no_build_for_the_release(store, proposed):
    releases = proposed(store(store.release("2.0.0", ">=34 <=35")))
    assert releases["33.0.9"]["without"] == ["deck", "notes"]
    assert "deck: the store has no build of it for this release" in releases["said"]


@pytest.mark.parametrize("feed", ["{", '{"id": "deck"}', "[1]", '[{"name": "deck"}]'])
def test_a_damaged_feed_is_refused(tmp_path: Path, file: Path, capsys, feed: str):
    path = tmp_path / "feed.json"
    path.write_text(feed)
    assert catalogue.main(["--feed", str(path), "--catalogue", str(file)]) == 1
    assert "is no feed of the application store" in capsys.readouterr().err


def test_an_unreachable_feed_and_an_unknown_release_are_named(file: Path, capsys):
    gone = ["--feed", "http://127.0.0.1:9/apps.json", "--catalogue", str(file)]
    assert catalogue.main(gone) == 1
    assert "http://127.0.0.1:9/apps.json cannot be read" in capsys.readouterr().err
    assert catalogue.main([*gone, "--release", "99"]) == 1
    assert "unknown release '99'; known: 33.0.9, 34.0.1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("spec", "version", "yes"),
    [
        ("*", "33.0.9", True),
        (">=32 <=33", "33.0.9", True),
        (">=32 <=33", "34.0.0", False),
        (">=33.0.10", "33.0.9", False),
        (">=9.0.0 <12.0.0", "11.5.1", True),
        (">=9.0.0 <12.0.0", "12.0.0", False),
        ("=33", "33.0.9", True),
        ("~33", "33.0.9", False),
    ],
)
def test_ranges_of_versions(spec: str, version: str, yes: bool):
    assert catalogue.admits(spec, version) is yes
