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

    def servers(**versions: str) -> str:
        """A place like the vendor's, with archives of these versions and what they hold."""
        place = folder / "releases"
        place.mkdir(exist_ok=True)
        for version, content in versions.items():
            name = f"nextcloud-{version.strip('_').replace('_', '.')}.tar.bz2"
            (place / name).write_text(content)
            digest = hashlib.sha256(content.encode()).hexdigest()
            (place / f"{name}.sha256").write_text(f"{digest}  {name}\n")
        return f"{url}/releases/"

    feed.release, feed.servers = release, servers  # type: ignore[attr-defined]
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
        listing = file.parent / "listing"
        listing.write_text("nextcloud-33.0.9.tar.bz2")
        told = ["--feed", feed, "--servers", str(listing), "--catalogue", str(file)]
        code = catalogue.main([*told, *arguments])
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
    assert "the newest applications there are" in " ".join(proposed(feed)["said"].split())
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


def test_a_newer_patch_level_is_a_release_of_its_own(store, proposed):
    make = store.release
    there = store.servers(_33_0_9="old", _33_0_11="new", _34_0_9="major")
    first = proposed(store(make("1.9.0")))["33.0.9"]
    after = proposed(store(make("1.9.0")), "--servers", there)
    assert after["33.0.9"] == first
    new = after["33.0.11"]
    assert (new["version"], new["applications"]) == ("33.0.11", first["applications"])
    assert new["archive"] == {
        "url": f"{there}nextcloud-33.0.11.tar.bz2",
        "sha256": hashlib.sha256(b"new").hexdigest(),
    }
    assert new["php"] == first["php"]


def test_a_patch_level_that_an_application_does_not_fit_is_refused(store, proposed, file, capsys):
    make = store.release
    proposed(store(make("1.9.0")))
    before = file.read_text()
    feed = store(make("1.9.0", "<=33.0.10"))
    there = store.servers(_33_0_11="new")
    asked = ["--feed", feed, "--servers", there, "--catalogue", str(file)]
    assert catalogue.main(asked) == 1
    printed = capsys.readouterr()
    assert "no build for it of deck" in printed.err
    assert (printed.out, file.read_text()) == ("", before)


def test_a_list_of_archives_that_does_not_answer_hides_no_application(store, proposed):
    releases = proposed(store(store.release("1.9.0")), "--servers", "http://127.0.0.1:9/")
    assert releases["33.0.9"]["applications"]["deck"]["version"] == "1.9.0"
    assert "server: http://127.0.0.1:9/ cannot be read" in releases["said"]


def test_a_checksum_that_is_none_is_no_proposal_of_a_server(store, proposed, file):
    there = store.servers(_33_0_11="new")
    (file.parent / "store/releases/nextcloud-33.0.11.tar.bz2.sha256").write_text("<html>")
    releases = proposed(store(store.release("1.9.0")), "--servers", there)
    assert "33.0.11" not in releases
    assert "name no SHA-256" in releases["said"]


def test_majors_past_their_end_of_life_are_marked(store, proposed, file):
    text = file.read_text().replace(
        "    applications: {}\n    # Not",
        '    end_of_life: "2020-02-17"\n    applications: {}\n    # Not',
    )
    file.write_text(text)
    said = proposed(store(store.release("1.9.0")))["said"]
    assert "Support of release 33.0.9 ended on 2020-02-17. Next in the catalogue: 34.0.1" in said


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
