# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Applications of the catalogue: what is refused, and where archives come from."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils import (
    _application_source as applications,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils import _code_signature as code
from ansible_collections.archipel.spaces.plugins.plugin_utils import _release_source as source
from tests.unit.plugins.plugin_utils import signing

FILES = {"appinfo/info.xml": signing.info("deck", "1.2.3"), "lib/x.php": b"<?php"}
ENTRY = {"version": "1.2.3", "url": "https://apps.example/deck.tar.gz", "sha256": "a" * 64}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Tests speak for themselves."""


@pytest.fixture(scope="module")
def root() -> signing.Signer:
    return signing.make("Authority")


@pytest.fixture
def trusted(root: signing.Signer) -> code.Authority:
    return code.authority(root.pem)


@pytest.fixture
def site(tmp_path: Path, root: signing.Signer) -> Iterator[tuple[str, Path]]:
    """A place on the web with a signed archive, under its author's name for it."""
    folder = tmp_path / "site"
    folder.mkdir()
    files = {**FILES, code.SIGNATURE: root.vouch("deck").sign(FILES)}
    archive = signing.pack(folder / "deck.tar.gz", "deck", files)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", archive
    server.shutdown()
    server.server_close()


@pytest.fixture
def sources(tmp_path: Path) -> source.Sources:
    return source.Sources(str(tmp_path / "cache"), "", local_folders=[str(tmp_path / "local")])


@pytest.fixture
def entry(site: tuple[str, Path]) -> dict[str, Any]:
    url, archive = site
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    return {"version": "1.2.3", "url": f"{url}/deck.tar.gz", "sha256": digest}


def test_a_right_entry_is_not_complained_about():
    assert applications.check("33", {"deck": ENTRY, "notes": {**ENTRY, "unsigned": True}}) == []


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([], "allowed: application ->"),
        ({"../x": ENTRY}, "allowed: an id such as calendar"),
        ({"archipel": ENTRY}, "it comes with this collection"),
        ({"deck": "1.2.3"}, "allowed: version, url, sha256"),
        ({"deck": {**ENTRY, "sha512": ""}}, "deck.sha512: unknown key"),
        ({"deck": {**ENTRY, "sha": ""}}, 'Did you mean "sha256"?'),
        ({"deck": {**ENTRY, "version": 1.2}}, "the exact version, in quotes"),
        ({"deck": {**ENTRY, "version": "../../x"}}, "the exact version, in quotes"),
        ({"deck": {**ENTRY, "sha256": "abc"}}, "64 hexadecimal digits"),
        ({"deck": {"version": "1"}}, "deck.sha256: found"),
        ({"deck": {**ENTRY, "url": "file:///etc/passwd"}}, "the address of its archive"),
        ({"deck": {**ENTRY, "unsigned": "yes"}}, "allowed: true or false"),
    ],
)
def test_a_wrong_entry_is_refused_with_the_reason(entries: object, said: str):
    problems = applications.check("33", entries)
    assert any(said in problem for problem in problems), problems
    assert all(problem.startswith("archipel_releases['33'].applications") for problem in problems)


def test_it_is_fetched_once_and_verified_each_time(
    entry: dict[str, Any], sources: source.Sources, trusted: code.Authority, site: tuple[str, Path]
):
    found = applications.obtain("deck", entry, sources, lambda: trusted)
    assert (found.signed, found.origin, found.path.name) == (
        True,
        entry["url"],
        "deck-1.2.3.tar.gz",
    )
    site[1].unlink()
    assert applications.obtain("deck", entry, sources, lambda: trusted).path == found.path
    found.path.write_bytes(b"something else")
    with pytest.raises(source.SourceError, match="no such file"):
        applications.obtain("deck", entry, sources, lambda: trusted)


def test_a_mirror_is_asked_under_a_name_that_says_what_it_is(
    entry: dict[str, Any], sources: source.Sources, trusted: code.Authority, site: tuple[str, Path]
):
    url, archive = site
    archive.rename(archive.with_name("deck-1.2.3.tar.gz"))
    found = applications.obtain("deck", entry, replace(sources, mirror_url=url), lambda: trusted)
    assert found.origin == f"{url}/deck-1.2.3.tar.gz"


def test_a_local_file_comes_first(
    entry: dict[str, Any], sources: source.Sources, trusted: code.Authority, site: tuple[str, Path]
):
    local = Path(sources.local_folders[0])
    local.mkdir()
    site[1].rename(local / "deck-1.2.3.tar.gz")
    found = applications.obtain("deck", {**entry, "url": None}, sources, lambda: trusted)
    assert found.origin == "local file"


def test_neither_a_file_nor_an_address(sources: source.Sources, trusted: code.Authority):
    nowhere = {"version": "1.2.3", "sha256": "a" * 64}
    with pytest.raises(source.SourceError, match="put it there, or name one"):
        applications.obtain("deck", nowhere, sources, lambda: trusted)


def test_a_wrong_checksum_is_refused_wherever_it_comes_from(
    entry: dict[str, Any], sources: source.Sources, trusted: code.Authority
):
    wrong = {**entry, "sha256": "a" * 64}
    with pytest.raises(source.SourceError, match="expected aaaa"):
        applications.obtain("deck", wrong, sources, lambda: trusted)
    local = Path(sources.local_folders[0])
    local.mkdir()
    (local / "deck-1.2.3.tar.gz").write_bytes(b"x")
    with pytest.raises(source.SourceError, match="the catalogue pins aaaa"):
        applications.obtain("deck", wrong, sources, lambda: trusted)


def test_an_unsigned_archive_is_taken_only_where_the_catalogue_says_so(
    sources: source.Sources, trusted: code.Authority
):
    local = Path(sources.local_folders[0])
    local.mkdir()
    path = signing.pack(local / "deck-1.2.3.tar.gz", "deck", FILES)
    entry = {"version": "1.2.3", "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    with pytest.raises(source.SourceError, match="nobody signed it"):
        applications.obtain("deck", entry, sources, lambda: trusted)
    found = applications.obtain("deck", {**entry, "unsigned": True}, sources, lambda: trusted)
    assert found.signed is False
    assert "without its author's signature" in found.warning


def test_an_archive_with_paths_outside_its_folder_is_refused(
    sources: source.Sources, trusted: code.Authority
):
    local = Path(sources.local_folders[0])
    local.mkdir()
    files = {"deck/appinfo/info.xml": b"", "deck/../../../etc/cron.d/x": b"* * * * *"}
    path = signing.pack(local / "deck-1.2.3.tar.gz", "", files)
    entry = {"version": "1.2.3", "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    with pytest.raises(source.SourceError, match="not plain; refused"):
        applications.obtain("deck", entry, sources, lambda: trusted)
