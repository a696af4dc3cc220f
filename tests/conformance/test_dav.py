# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Files over WebDAV, as sync clients use it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import pytest

from tests.conformance.client import Answer, Client
from tests.conformance.conftest import Occ

NAME = "Été à Montreuil – 🚲.txt"
PROPERTIES = b"""<?xml version="1.0"?>
<d:propfind xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns" xmlns:x="urn:x"><d:prop>
<d:getetag/><d:getcontentlength/><d:resourcetype/><d:getlastmodified/><oc:fileid/><oc:id/>
<oc:permissions/><oc:size/><d:quota-available-bytes/><x:unknown/></d:prop></d:propfind>"""
Properties = dict[str, Any]
D, OC = "{DAV:}", "{http://owncloud.org/ns}"


@pytest.fixture(scope="module")
def files(shared_account: Client):
    return shared_account


@pytest.fixture
def stored(files: Client):
    """A file with a difficult name."""
    created = files.dav("PUT", NAME, b"one")
    assert created.status == 201
    yield created
    files.dav("DELETE", NAME)


def found(client: Client, path: str = "", depth: str = "0") -> dict[str, Properties]:
    """Properties by path, as far as the server found them."""
    answer = client.dav("PROPFIND", path, PROPERTIES, Depth=depth, Content_Type="application/xml")
    assert answer.status == 207
    result: dict[str, Properties] = {}
    for response in answer.xml.iter(f"{D}response"):
        for part in response.iter(f"{D}propstat"):
            if " 200 " in part.findtext(f"{D}status", ""):
                nodes = part.iterfind(f"{D}prop/*")
                result[unquote(response.findtext(f"{D}href", ""))] = {n.tag: n for n in nodes}
    return result


def etag(client: Client, path: str = ""):
    return next(iter(found(client, path).values()))[f"{D}getetag"].text


def test_options_tell_what_it_speaks(files: Client):
    answer = files.dav("OPTIONS")
    assert answer.status == 200
    assert "1" in answer.headers["DAV"]


class TestLogin:
    def test_nobody_is_asked_to_log_in(self, anonymous: Client):
        answer = anonymous.request("PROPFIND", "/remote.php/dav/files/x/", Depth="0")
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")

    def test_wrong_password(self, files: Client):
        assert replace(files, password="wrong").dav("PROPFIND", Depth="0").status == 401

    def test_password_and_mail_address(self, new_account: Callable[..., Client]):
        client = new_account("--email=lou@association.example")
        assert client.dav("PROPFIND", Depth="0").status == 207
        by_mail = replace(client, account="lou@association.example")
        assert by_mail.request("PROPFIND", client.address(""), Depth="0").status == 207

    def test_somebody_elses_files_are_not_there(
        self, files: Client, new_account: Callable[..., Client]
    ):
        other = new_account()
        other.dav("PUT", "secret.txt", b"s")
        assert files.request("GET", other.address("secret.txt")).status in (403, 404)
        assert files.request("PUT", other.address("x.txt"), b"x").status in (403, 404)


class TestFiles:
    def test_write_then_read(self, files: Client, stored: Answer):
        read = files.dav("GET", NAME)
        assert (read.status, read.body) == (200, b"one")
        assert read.etag == stored.etag
        assert stored.headers["OC-FileId"]

    def test_overwriting_gives_a_new_etag_also_to_the_folder(self, files: Client, stored: Answer):
        folder = etag(files)
        # Nextcloud itself sees no difference within one second.
        time.sleep(1.1)
        changed = files.dav("PUT", NAME, b"two")
        assert changed.status == 204
        assert changed.etag != stored.etag
        assert etag(files) != folder
        assert files.dav("GET", NAME).body == b"two"

    def test_unchanged_means_the_same_etag(self, files: Client, stored: Answer):
        assert etag(files, NAME) == etag(files, NAME) == stored.etag

    def test_properties(self, files: Client, stored: Answer):
        properties = found(files, NAME)[unquote(files.address(NAME))]
        assert properties[f"{D}getcontentlength"].text == "3"
        assert properties[f"{OC}size"].text == "3"
        assert list(properties[f"{D}resourcetype"]) == []
        assert "W" in properties[f"{OC}permissions"].text
        assert properties[f"{OC}fileid"].text.isdigit()
        assert "{urn:x}unknown" not in properties

    def test_folder_lists_its_members(self, files: Client, stored: Answer):
        listed = found(files, depth="1")
        assert set(listed) == {unquote(files.address("")), unquote(files.address(NAME))}
        assert (
            listed[unquote(files.address(""))][f"{D}resourcetype"].find(f"{D}collection")
            is not None
        )

    def test_delete(self, files: Client):
        files.dav("PUT", "gone.txt", b"x")
        assert files.dav("DELETE", "gone.txt").status == 204
        assert files.dav("GET", "gone.txt").status == 404
        assert files.dav("DELETE", "gone.txt").status == 404


class TestFolders:
    @pytest.fixture
    def folder(self, files: Client):
        assert files.dav("MKCOL", "folder").status == 201
        yield "folder"
        files.dav("DELETE", "folder")

    def test_make(self, files: Client, folder: str):
        assert files.dav("MKCOL", folder).status == 405
        assert files.dav("PUT", f"{folder}/a.txt", b"a").status == 201

    def test_nothing_grows_without_a_parent(self, files: Client):
        assert files.dav("MKCOL", "no/where").status == 409
        assert files.dav("PUT", "no/where.txt", b"x").status in (404, 409)

    def test_move_and_copy(self, files: Client, folder: str):
        files.dav("PUT", f"{folder}/a.txt", b"a")
        to = files.url + files.address(f"{folder}/b.txt")
        assert files.dav("MOVE", f"{folder}/a.txt", Destination=to).status == 201
        assert files.dav("GET", f"{folder}/a.txt").status == 404
        assert files.dav("GET", f"{folder}/b.txt").body == b"a"
        back = files.url + files.address(f"{folder}/c.txt")
        assert files.dav("COPY", f"{folder}/b.txt", Destination=back).status == 201
        assert files.dav("MOVE", f"{folder}/b.txt", Destination=back, Overwrite="F").status == 412
        assert files.dav("MOVE", f"{folder}/b.txt", Destination=back).status == 204

    def test_paths_do_not_climb(self, files: Client, folder: str):
        climbing = files.address(f"{folder}/../../../../config/config.php")
        answer = files.request("GET", climbing)
        assert answer.status >= 400
        assert b"passwordsalt" not in answer.body


class TestSpace:
    def test_without_quota_it_says_unlimited(self, files: Client):
        available = next(iter(found(files).values()))[f"{D}quota-available-bytes"].text
        assert available == "-3"

    def test_more_than_the_quota_is_refused_before_it_is_written(self, occ: Occ, account: Client):
        assert occ("user:setting", account.account, "files", "quota", "1 MB").code == 0
        available = next(iter(found(account).values()))[f"{D}quota-available-bytes"].text
        assert 0 < int(available) <= 1024 * 1024
        refused = account.dav("PUT", "big.bin", b"x" * (2 * 1024 * 1024))
        assert refused.status == 507
        assert "InsufficientStorage" in refused.text
        assert account.dav("GET", "big.bin").status == 404
        assert account.dav("PUT", "small.bin", b"x" * 1024).status == 201
