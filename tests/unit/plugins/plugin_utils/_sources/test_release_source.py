# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""No archive is used that was not verified, but where somebody said so in words.

The keys of the fixtures are worthless; the file they signed stands for an archive.
"""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._sources import _download
from ansible_collections.archipel.spaces.plugins.plugin_utils._sources import (
    _release_source as source,
)

FIXTURES = Path(__file__).parent / "fixtures/release"
VENDOR = "C72BD58E4DA276685B37BC744054C7F2F1A77FCB"
ARCHIVE = "nextcloud-1.2.3.tar.bz2"
DIGEST = hashlib.sha256((FIXTURES / ARCHIVE).read_bytes()).hexdigest()


class Vendor(SimpleHTTPRequestHandler):
    """Serves a folder and remembers what was asked."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path.startswith("/closed/"):
            self.send_error(503)
        else:
            super().do_GET()

    def log_message(self, *_: object) -> None:
        """Tests speak for themselves."""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_download, "PAUSE", 0)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, Path, list[str]]]:
    """A vendor with an archive, its signature and its checksum."""
    folder = tmp_path / "site"
    folder.mkdir()
    shutil.copy(FIXTURES / ARCHIVE, folder)
    shutil.copy(FIXTURES / "vendor.asc", folder / f"{ARCHIVE}.asc")
    shutil.copy(FIXTURES / "vendor-key.asc", folder / "key.asc")
    (folder / f"{ARCHIVE}.sha256").write_text(f"{DIGEST}  {ARCHIVE}\n")
    asked: list[str] = []
    handler = type("Handler", (Vendor,), {"asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", folder, asked
    server.shutdown()
    server.server_close()


@pytest.fixture
def sources(tmp_path: Path) -> source.Sources:
    return source.Sources(
        cache_folder=str(tmp_path / "cache"),
        key_fingerprint=VENDOR,
        keyring=str(FIXTURES / "vendor-key.asc"),
    )


@pytest.fixture
def local(tmp_path: Path, sources: source.Sources) -> Callable[..., tuple[Path, source.Sources]]:
    """A folder of the operator's with an archive, and a signature if named."""

    def make(signature: str = "") -> tuple[Path, source.Sources]:
        folder = tmp_path / "artifacts"
        folder.mkdir()
        shutil.copy(FIXTURES / ARCHIVE, folder)
        if signature:
            shutil.copy(FIXTURES / signature, folder / f"{ARCHIVE}.asc")
        return folder / ARCHIVE, replace(sources, local_folders=[str(folder)])

    return make


Local = Callable[..., tuple[Path, source.Sources]]


class TestLocalFile:
    def test_signed(self, local: Local):
        path, sources = local("vendor.asc")
        found = source.obtain("1.2.3", {}, sources)
        assert (found.path, found.sha256, found.signed, found.warning) == (path, DIGEST, True, "")

    def test_signed_by_a_stranger(self, local: Local):
        _path, sources = local("stranger.asc")
        with pytest.raises(source.SourceError, match="is not one of the key"):
            source.obtain("1.2.3", {}, sources)

    def test_signed_by_a_stranger_whose_key_is_in_the_keyring(self, local: Local):
        """The fingerprint decides, not who is in the ring."""
        _path, sources = local("stranger.asc")
        both = replace(sources, keyring=str(FIXTURES / "both-keys.asc"))
        with pytest.raises(source.SourceError, match="is not one of the key"):
            source.obtain("1.2.3", {}, both)

    def test_changed_after_signing(self, local: Local):
        path, sources = local("vendor.asc")
        path.write_bytes(path.read_bytes() + b"x")
        with pytest.raises(source.SourceError, match="is not one of the key"):
            source.obtain("1.2.3", {}, replace(sources, allow_unsigned_local=True))

    def test_key_with_another_fingerprint(self, local: Local):
        _path, sources = local("vendor.asc")
        with pytest.raises(source.SourceError, match="is not one of the key"):
            source.obtain("1.2.3", {}, replace(sources, key_fingerprint="0" * 40))

    def test_unsigned_is_refused_with_the_ways_out(self, local: Local):
        _path, sources = local()
        with pytest.raises(source.SourceError) as refusal:
            source.obtain("1.2.3", {}, sources)
        for way in (f"{ARCHIVE}.asc", "archive.sha256", "nextcloud_allow_unsigned_local"):
            assert way in str(refusal.value)

    def test_unsigned_but_allowed_is_a_warning(self, local: Local):
        path, sources = local()
        found = source.obtain("1.2.3", {}, replace(sources, allow_unsigned_local=True))
        assert found.signed is False
        assert str(path) in found.warning

    def test_pinned_checksum_replaces_the_signature(self, local: Local):
        _path, sources = local()
        found = source.obtain("1.2.3", {"sha256": DIGEST.upper()}, sources)
        assert (found.signed, found.warning) == (False, "")

    def test_other_than_the_pinned_checksum(self, local: Local):
        _path, sources = local("vendor.asc")
        with pytest.raises(source.SourceError, match="the catalogue pins"):
            source.obtain("1.2.3", {"sha256": "0" * 64}, sources)

    def test_missing_keyring_is_named(self, local: Local):
        _path, sources = local("vendor.asc")
        with pytest.raises(source.SourceError, match="nextcloud_keyring: there is no file /none"):
            source.obtain("1.2.3", {}, replace(sources, keyring="/none"))

    def test_missing_gpgv_is_named(self, local: Local, monkeypatch: pytest.MonkeyPatch):
        _path, sources = local("vendor.asc")
        monkeypatch.setenv("PATH", "/nonexistent")
        with pytest.raises(source.SourceError, match="install the package gpgv"):
            source.obtain("1.2.3", {}, sources)


Site = tuple[str, Path, list[str]]


class TestDownload:
    def entry(self, site: Site) -> dict[str, str]:
        return {"url": f"{site[0]}/{ARCHIVE}"}

    def test_verified_and_fetched_once(self, site: Site, sources: source.Sources):
        found = source.obtain("1.2.3", self.entry(site), sources)
        assert (found.sha256, found.signed, found.origin) == (DIGEST, True, f"{site[0]}/{ARCHIVE}")
        first = len(site[2])
        source.obtain("1.2.3", self.entry(site), sources)
        assert len(site[2]) == first == 3

    def test_key_is_fetched_when_none_is_given(self, site: Site, sources: source.Sources):
        fetched = replace(sources, keyring="", key_url=f"{site[0]}/key.asc")
        assert source.obtain("1.2.3", self.entry(site), fetched).signed is True

    def test_fetched_key_of_a_stranger_is_worth_nothing(self, site: Site, sources: source.Sources):
        shutil.copy(FIXTURES / "stranger-key.asc", site[1] / "key.asc")
        shutil.copy(FIXTURES / "stranger.asc", site[1] / f"{ARCHIVE}.asc")
        fetched = replace(sources, keyring="", key_url=f"{site[0]}/key.asc")
        with pytest.raises(source.SourceError, match="is not one of the key"):
            source.obtain("1.2.3", self.entry(site), fetched)

    def test_mirror_has_the_same_names(self, site: Site, sources: source.Sources):
        mirrored = replace(sources, mirror_url=f"{site[0]}/")
        entry = {"url": f"https://download.example/far/{ARCHIVE}"}
        assert source.obtain("1.2.3", entry, mirrored).signed is True

    def test_wrong_checksum(self, site: Site, sources: source.Sources):
        (site[1] / ARCHIVE).write_bytes(b"other")
        with pytest.raises(source.SourceError, match=f"expected {DIGEST}"):
            source.obtain("1.2.3", self.entry(site), sources)
        assert not (Path(sources.cache_folder) / ARCHIVE).exists()

    def test_wrong_signature_is_not_kept_and_never_falls_back(
        self, site: Site, sources: source.Sources, tmp_path: Path
    ):
        shutil.copy(FIXTURES / "stranger.asc", site[1] / f"{ARCHIVE}.asc")
        standin = tmp_path / "standin"
        standin.mkdir()
        shutil.copy(FIXTURES / ARCHIVE, standin)
        with pytest.raises(source.SourceError, match="is not one of the key"):
            source.obtain("1.2.3", self.entry(site), replace(sources, standin_folder=str(standin)))
        assert not (Path(sources.cache_folder) / ARCHIVE).exists()

    def test_what_could_not_be_checked_is_not_thrown_away(
        self, site: Site, sources: source.Sources, monkeypatch: pytest.MonkeyPatch
    ):
        """A wrong name of the key, or a missing program, says nothing of 200 MB."""
        path = Path(sources.cache_folder) / ARCHIVE
        with pytest.raises(source.SourceError, match="there is no file"):
            source.obtain("1.2.3", self.entry(site), replace(sources, keyring="/none"))
        assert path.is_file()
        with monkeypatch.context() as poor:
            poor.setenv("PATH", "/nowhere")
            with pytest.raises(source.SourceError, match="install the package gpgv"):
                source.obtain("1.2.3", self.entry(site), sources)
        assert path.is_file()
        assert source.obtain("1.2.3", self.entry(site), sources).signed

    def test_a_fetched_key_that_is_none_is_fetched_anew(self, site: Site, sources: source.Sources):
        fetched = replace(sources, keyring="", key_url=f"{site[0]}/key.asc")
        key = site[1] / "key.asc"
        right = key.read_bytes()
        key.write_bytes(b"<html>Sign in to this network</html>")
        with pytest.raises(source.SourceError, match="is not one of the key"):
            source.obtain("1.2.3", self.entry(site), fetched)
        key.write_bytes(right)
        assert source.obtain("1.2.3", self.entry(site), fetched).signed

    def test_damaged_cache_is_noticed(self, site: Site, sources: source.Sources):
        source.obtain("1.2.3", self.entry(site), sources)
        (Path(sources.cache_folder) / ARCHIVE).write_bytes(b"rotten")
        with pytest.raises(source.SourceError, match="is not one of the key"):
            source.obtain("1.2.3", self.entry(site), sources)
        assert source.obtain("1.2.3", self.entry(site), sources).sha256 == DIGEST

    def test_no_such_version(self, site: Site, sources: source.Sources, tmp_path: Path):
        entry = {"url": f"{site[0]}/nextcloud-9.9.9.tar.bz2"}
        with pytest.raises(source.SourceError, match=r"no such file.*archipel_releases"):
            source.obtain("9.9.9", entry, replace(sources, standin_folder=str(tmp_path)))

    @pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "{site}/closed/"])
    def test_unreachable(self, site: Site, sources: source.Sources, url: str):
        entry = {"url": url.format(site=site[0]) + ARCHIVE}
        with pytest.raises(source.SourceError, match="nextcloud_mirror_url"):
            source.obtain("1.2.3", entry, sources)

    def test_unreachable_with_a_stand_in(self, sources: source.Sources, tmp_path: Path):
        shutil.copy(FIXTURES / ARCHIVE, tmp_path)
        entry = {"url": f"http://127.0.0.1:1/{ARCHIVE}"}
        found = source.obtain("1.2.3", entry, replace(sources, standin_folder=str(tmp_path)))
        assert (found.origin, found.signed, found.standin) == ("stand-in", False, True)
        assert "STAND-IN" in found.warning


class TestPureParts:
    def test_addresses_follow_from_the_version(self):
        found = source.addresses("33.0.9", {}, "")
        base = "https://download.nextcloud.com/server/releases/nextcloud-33.0.9.tar.bz2"
        assert found == {"archive": base, "signature": f"{base}.asc", "checksum": f"{base}.sha256"}

    @pytest.mark.parametrize(
        "text",
        [f"{DIGEST}  {ARCHIVE}\n", f"{DIGEST} *{ARCHIVE}\r\n", f"{DIGEST.upper()}\n"],
    )
    def test_checksum_is_found(self, text: str):
        assert source.checksum_in(text.encode(), ARCHIVE) == DIGEST

    @pytest.mark.parametrize("text", ["", "<html>", f"{DIGEST}  other.tar.bz2", DIGEST[:-1]])
    def test_checksum_is_not_there(self, text: str):
        with pytest.raises(source.SourceError, match="no SHA-256"):
            source.checksum_in(text.encode(), ARCHIVE)

    def test_binary_key_is_left_as_it_is(self):
        binary = source.dearmor((FIXTURES / "vendor-key.asc").read_bytes())
        assert binary[0] & 0x80
        assert source.dearmor(binary) == binary

    def test_application_is_packed_the_same_each_time(self, tmp_path: Path):
        for name in ("one", "two"):
            (tmp_path / name / "app/appinfo").mkdir(parents=True)
            (tmp_path / name / "app/appinfo/info.xml").write_text("<info/>")
            (tmp_path / name / "app/.hidden").write_text(name)
        one, two = (source.pack_application(tmp_path / name / "app") for name in ("one", "two"))
        assert one == two
