# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Certificates as they are on a node."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._web import _certificate_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a certificate with a key and what is public."""
    made = tmp_path / "tls/wildcard"
    made.mkdir(parents=True)
    command = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
    subprocess.run([*command, "-out", made / "privkey.pem"], check=True, capture_output=True)
    (made / "fullchain.pem").write_text("certificate\n")
    (made / "chain.pem").write_text("authority\n")
    for path in made.iterdir():
        path.chmod(0o640)
    return made


def test_a_folder_says_what_is_public_and_who_may_read(folder: Path):
    found = _certificate_files.read_folder(str(folder))
    assert found["certificate"] == "certificate\n"
    assert found["chain"] == "authority\n"
    assert found["public_key"].startswith("-----BEGIN PUBLIC KEY-----\n")
    assert "PRIVATE" not in str(found)
    assert found["rights"]["privkey.pem"].endswith(":0640")
    assert found["rights"]["request.csr"] == ""
    assert len(found["rights"]["."].split(":")) == 3


@pytest.mark.parametrize("content", ["", "spoilt"])
def test_a_key_that_cannot_be_read_has_no_public_half(folder: Path, content: str):
    (folder / "privkey.pem").write_text(content)
    assert _certificate_files.read_public_key(str(folder / "privkey.pem")) == ""


def test_a_key_with_a_passphrase_has_none_either(folder: Path):
    """Nobody is there to ask: no server could start with it."""
    plain, key = folder / "privkey.pem", folder / "locked.pem"
    command = ["openssl", "pkey", "-in", plain, "-out", key, "-aes256", "-passout", "pass:geheim"]
    subprocess.run(command, check=True, capture_output=True)
    assert _certificate_files.read_public_key(str(plain)) != ""
    assert _certificate_files.read_public_key(str(key)) == ""


def test_a_node_without_openssl_says_nothing_of_keys(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(folder))
    assert _certificate_files.read_public_key(str(folder / "privkey.pem")) == ""


def test_what_is_not_there_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_certificate_files, "BUNDLE", str(tmp_path / "bundle"))
    found = _certificate_files.read(str(tmp_path / "tls"), ["a"], str(tmp_path / "trusted"))
    assert found == {
        "rights": "",
        "certificates": {
            "a": {
                "public_key": "",
                "certificate": "",
                "chain": "",
                "rights": dict.fromkeys((".", *_certificate_files.NAMES), ""),
            }
        },
        "trusted": "",
        "trusted_rights": "",
        "bundled": False,
    }


def test_the_bundle_must_be_younger_than_the_authority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    bundle, trusted = tmp_path / "bundle", tmp_path / "trusted"
    monkeypatch.setattr(_certificate_files, "BUNDLE", str(bundle))
    for path, seconds in ((bundle, 2), (trusted, 1)):
        path.touch()
        os.utime(path, (seconds, seconds))
    assert _certificate_files.read(str(tmp_path), [], str(trusted))["bundled"]
    os.utime(bundle, (1, 1))
    assert not _certificate_files.read(str(tmp_path), [], str(trusted))["bundled"]
