# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Applications of the catalogue: what is refused, and where archives come from."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._sources import (
    _application_source as applications,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._sources import (
    _code_signature as code,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._sources import _download
from ansible_collections.archipel.spaces.plugins.plugin_utils._sources import (
    _release_source as source,
)
from tests.unit.plugins.plugin_utils import signing

STANDIN = source.Archive(Path("/nowhere"), "", "stand-in", signed=False, standin=True)
FILES = {"appinfo/info.xml": signing.info("deck", "1.2.3"), "lib/x.php": b"<?php"}
ENTRY = {"version": "1.2.3", "url": "https://apps.example/deck.tar.gz", "sha256": "a" * 64}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Tests speak for themselves."""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_download, "PAUSE", 0)


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


class TestAllOfARelease:
    """What one run says of them all: see also what is refused above."""

    @pytest.fixture
    def archive(self, tmp_path: Path, root: signing.Signer) -> source.Archive:
        """A Nextcloud that brings its authority."""
        files = {f"nextcloud/{code.AUTHORITY}": root.pem, f"nextcloud/{code.REVOKED}": b""}
        path = signing.pack(tmp_path / "nextcloud.tar.gz", "", files)
        return source.Archive(path, "", "local file", signed=True)

    @pytest.fixture(autouse=True)
    def _trusting(self, monkeypatch: pytest.MonkeyPatch, trusted: code.Authority) -> None:
        monkeypatch.setattr(code, "authority_of", lambda _path: trusted)

    @pytest.fixture
    def wanted(self, entry: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """One that can be had, one that is another than pinned, one that nobody has."""
        gone = {**entry, "url": entry["url"].replace("deck", "gone")}
        return {"deck": entry, "notes": {**entry, "sha256": "a" * 64}, "polls": gone}

    def test_in_production_everything_wrong_is_said_at_once_with_the_entry_to_mend(
        self, archive: source.Archive, sources: source.Sources, wanted: dict[str, Any]
    ):
        with pytest.raises(source.SourceError) as refusal:
            applications.gather("34.0.4", wanted, archive, sources)
        first, *lines = str(refusal.value).splitlines()
        assert first == "cannot be built"
        where = "archipel_releases['34.0.4'].applications"
        assert [line.split(": ")[0] for line in lines] == [f"{where}.notes", f"{where}.polls"]
        assert "expected aaaa" in lines[0]
        assert "there is no such file" in lines[1]

    def test_for_a_demonstration_they_are_left_out(
        self, archive: source.Archive, sources: source.Sources, wanted: dict[str, Any]
    ):
        lenient = replace(sources, leave_out_unavailable=True)
        gathered = applications.gather("34.0.4", wanted, archive, lenient)
        assert set(gathered.found) == {"deck"}
        assert set(gathered.left_out) == {"notes", "polls"}
        assert "there is no such file" in gathered.left_out["polls"]

    @pytest.mark.parametrize("lenient", [True, False])
    def test_a_stand_in_has_what_lies_here_and_asks_nobody(
        self, sources: source.Sources, entry: dict[str, Any], lenient: bool
    ):
        local = Path(sources.local_folders[0])
        local.mkdir()
        path = signing.pack(local / "office-1.2.3.tar.gz", "office", FILES)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        wanted = {"deck": entry, "office": {**entry, "sha256": digest, "unsigned": True}}
        given = replace(sources, leave_out_unavailable=lenient)
        gathered = applications.gather("x", wanted, STANDIN, given)
        assert set(gathered.found) == {"office"}
        assert gathered.left_out == {"deck": applications.ON_STANDIN}
        assert not Path(sources.cache_folder).exists()

    def test_one_checksum_is_fetched_once_for_all_releases(
        self, archive: source.Archive, sources: source.Sources, entry: dict[str, Any], site: Any
    ):
        applications.gather("34.0.4", {"deck": entry}, archive, sources)
        site[1].unlink()
        again = applications.gather("34.0.4-2", {"deck": entry}, archive, sources)
        assert again.found["deck"].path.parent.name == entry["sha256"]

    @pytest.mark.parametrize(
        ("kind", "said"),
        [
            ("pin", "expected aaaa"),
            ("truncated", "its SHA-256 is"),
            ("truncated and pinned", "the archive cannot be read"),
            ("garbage", "its SHA-256 is"),
            ("garbage and pinned", "the archive cannot be read"),
            ("error", "HTTP 500"),
            ("another application", "entry 'notes/appinfo/info.xml' is not in the folder deck/"),
            ("revoked", "its author's certificate was revoked"),
            ("broken local file", "the catalogue pins"),
        ],
    )
    @pytest.mark.parametrize("lenient", [False, True])
    def test_what_is_wrong_is_said_with_the_entry_and_nothing_is_kept(
        self, archive: source.Archive, sources: source.Sources, entry: dict[str, Any],
        site: tuple[str, Path], root: signing.Signer, monkeypatch: pytest.MonkeyPatch,
        kind: str, said: str, lenient: bool,
    ):  # fmt: skip
        wanted = Wrong(site[1], entry, Path(sources.local_folders[0])).made(kind)
        if kind == "error":
            monkeypatch.setattr(Quiet, "do_GET", lambda handler: handler.send_error(500))
        if kind == "revoked":
            author = root.vouch("deck")
            revoked = code.authority(root.pem, root.revoke(author))
            monkeypatch.setattr(code, "authority_of", lambda _path: revoked)
            files = {**FILES, code.SIGNATURE: author.sign(FILES)}
            wanted = pinned(entry, signing.pack(site[1], "deck", files))
        if lenient:
            given = replace(sources, leave_out_unavailable=True)
            gathered = applications.gather("34.0.4", {"deck": wanted}, archive, given)
            assert gathered.found == {}
            assert said in gathered.left_out["deck"]
        else:
            with pytest.raises(source.SourceError) as refusal:
                applications.gather("34.0.4", {"deck": wanted}, archive, sources)
            assert "archipel_releases['34.0.4'].applications.deck: " in str(refusal.value)
            assert said in str(refusal.value)
        kept = [p for p in Path(sources.cache_folder).rglob("*.tar.gz*") if p.suffix != ".lock"]
        if "pinned" not in kind and kind not in {"another application", "revoked"}:
            assert kept == []

    @pytest.mark.parametrize("lenient", [False, True])
    @pytest.mark.parametrize("kind", ["truncated", "garbage", "without an authority"])
    def test_a_broken_nextcloud_is_not_blamed_on_the_applications(
        self, archive: source.Archive, sources: source.Sources, entry: dict[str, Any],
        monkeypatch: pytest.MonkeyPatch, kind: str, lenient: bool,
    ):  # fmt: skip
        monkeypatch.undo()
        data = {"truncated": archive.path.read_bytes()[:50], "garbage": b"<html>"}.get(kind)
        if data is None:
            signing.pack(archive.path, "", {"nextcloud/version.php": b"<?php"})
        else:
            archive.path.write_bytes(data)
        given = replace(sources, leave_out_unavailable=lenient)
        with pytest.raises(source.SourceError) as refusal:
            applications.gather("34.0.4", {"deck": entry, "x": entry}, archive, given)
        assert str(refusal.value).startswith(f"{archive.path}: ")
        assert "archipel_releases['34.0.4'].archive says" in str(refusal.value)
        assert "applications" not in str(refusal.value).removeprefix(str(archive.path)).replace(
            "no application can be checked", ""
        )


def pinned(entry: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return an entry that pins what lies at a path."""
    return {**entry, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


@dataclass(frozen=True)
class Wrong:
    """An archive in the store, its entry in the catalogue, and ways in which one is at fault."""

    archive: Path
    entry: dict[str, Any]
    local: Path

    def made(self, kind: str) -> dict[str, Any]:
        """Do one wrong thing, and return the entry."""
        whole = self.archive.read_bytes()
        if kind == "pin":
            return {**self.entry, "sha256": "a" * 64}
        if kind == "another application":
            signing.pack(self.archive, "notes", FILES)
            return pinned(self.entry, self.archive)
        if kind == "broken local file":
            self.local.mkdir()
            (self.local / "deck-1.2.3.tar.gz").write_bytes(whole[: len(whole) // 2])
        if kind.startswith("truncated"):
            self.archive.write_bytes(whole[: len(whole) // 2])
        if kind.startswith("garbage"):
            self.archive.write_bytes(b"<html>Sign in to this network</html>")
        return pinned(self.entry, self.archive) if kind.endswith("pinned") else self.entry
