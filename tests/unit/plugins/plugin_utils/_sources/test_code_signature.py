# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Code is accepted as its author signed it, and only from authors that are vouched for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _archive
from ansible_collections.archipel.spaces.plugins.plugin_utils._sources import (
    _code_signature as code,
)
from tests.unit.plugins.plugin_utils import signing
from tests.unit.plugins.plugin_utils.signing import Signer

FILES = {
    "appinfo/info.xml": signing.info("deck", "1.2.3"),
    "lib/é ü.php": b"<?php",
    "404": b"x",
}


@pytest.fixture(scope="module")
def root() -> Signer:
    return signing.make("Authority")


@pytest.fixture(scope="module")
def author(root: Signer) -> Signer:
    return root.vouch("deck")


@pytest.fixture(scope="module")
def trusted(root: Signer) -> code.Authority:
    return code.authority(root.pem)


@pytest.fixture
def archive(tmp_path: Path, author: Signer) -> Path:
    return signed(tmp_path, author)


def signed(folder: Path, by: Signer, files: dict[str, bytes] = FILES) -> Path:
    whole = {**files, code.SIGNATURE: by.sign(FILES)}
    return signing.pack(folder / "deck.tar.gz", "deck", whole)


def test_what_its_author_signed_is_accepted(archive: Path, trusted: code.Authority):
    code.verify(str(archive), "deck", trusted)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({**FILES, "lib/x.php": b"<?php evil();"}, "added lib/x.php"),
        ({**FILES, "404": b"y"}, "changed 404"),
        ({"appinfo/info.xml": FILES["appinfo/info.xml"]}, "missing 404, lib/é ü.php"),
    ],
)
def test_files_added_changed_or_gone_are_named(
    tmp_path: Path, author: Signer, trusted: code.Authority, files: dict[str, bytes], said: str
):
    with pytest.raises(code.SignatureError, match=said):
        code.verify(str(signed(tmp_path, author, files)), "deck", trusted)


def test_a_list_that_was_changed_after_signing(tmp_path: Path, author: Signer, trusted):
    document = json.loads(author.sign(FILES))
    document["hashes"]["404"] = "0" * 128
    files = {**FILES, code.SIGNATURE: json.dumps(document).encode()}
    path = signing.pack(tmp_path / "deck.tar.gz", "deck", files)
    with pytest.raises(code.SignatureError, match="not what its author signed"):
        code.verify(str(path), "deck", trusted)


def test_nobody_signed_it(tmp_path: Path, trusted: code.Authority):
    path = signing.pack(tmp_path / "deck.tar.gz", "deck", FILES)
    with pytest.raises(code.SignatureError, match="nobody signed it"):
        code.verify(str(path), "deck", trusted)


@pytest.mark.parametrize(
    "document",
    [b"{", b"[]", b"{}", b'{"hashes": [], "signature": "", "certificate": ""}'],
)
def test_a_damaged_signature_file(tmp_path: Path, trusted: code.Authority, document: bytes):
    path = signing.pack(tmp_path / "deck.tar.gz", "deck", {**FILES, code.SIGNATURE: document})
    with pytest.raises(code.SignatureError):
        code.verify(str(path), "deck", trusted)


def test_an_author_nobody_vouches_for(tmp_path: Path, trusted: code.Authority):
    with pytest.raises(code.SignatureError, match="not from Nextcloud's authority"):
        code.verify(str(signed(tmp_path, signing.make("deck"))), "deck", trusted)


def test_the_author_of_another_application(tmp_path: Path, root: Signer, trusted):
    with pytest.raises(code.SignatureError, match="is for calendar, not for deck"):
        code.verify(str(signed(tmp_path, root.vouch("calendar"))), "deck", trusted)


def test_nextcloud_itself_may_sign(tmp_path: Path, root: Signer, trusted: code.Authority):
    code.verify(str(signed(tmp_path, root.vouch("core"))), "deck", trusted)


def test_a_revoked_author(root: Signer, author: Signer, archive: Path):
    trusted = code.authority(root.pem, root.revoke(author))
    with pytest.raises(code.SignatureError, match="was revoked"):
        code.verify(str(archive), "deck", trusted)
    code.verify(str(archive), "deck", code.authority(root.pem, root.revoke()))


def test_a_list_of_revoked_authors_by_a_stranger(root: Signer, author: Signer):
    with pytest.raises(code.SignatureError, match="not the authority's"):
        code.authority(root.pem, signing.make("Authority").revoke(author))


def test_a_path_outside_its_folder(tmp_path: Path, author: Signer, trusted: code.Authority):
    files = {**{f"deck/{path}": data for path, data in FILES.items()}, "deck/../../etc/x": b""}
    path = signing.pack(tmp_path / "deck.tar.gz", "", files)
    with pytest.raises(_archive.ArchiveError, match="not plain"):
        code.verify(str(path), "deck", trusted)


def test_the_authority_comes_with_nextcloud(tmp_path: Path, root: Signer, author: Signer):
    files = {code.AUTHORITY: root.pem, code.REVOKED: root.revoke(author), "version.php": b""}
    archive = str(signing.pack(tmp_path / "nextcloud.tar.gz", "nextcloud", files))
    found = code.authority_of(archive)
    assert found.certificates == (root.certificate,)
    assert found.revoked == {author.certificate.serial_number}


def test_a_nextcloud_without_an_authority(tmp_path: Path):
    archive = signing.pack(tmp_path / "nextcloud.tar.gz", "nextcloud", {"version.php": b""})
    with pytest.raises(code.SignatureError, match="no application can be checked"):
        code.authority_of(str(archive))


def test_what_the_store_says_of_an_archive(author: Signer):
    signature, pem = author.sign_archive(b"archive"), author.pem.decode()
    code.verify_download(b"archive", signature, pem, "deck")
    with pytest.raises(code.SignatureError, match="not what the store's signature is for"):
        code.verify_download(b"other", signature, pem, "deck")
