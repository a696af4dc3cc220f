# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Long uploads, which reach Nextcloud while they arrive: see test_full.py."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from tests.support.association import Association, member
from tests.support.browser import Browser
from tests.support.scenario import Scenario

BLOCK = b"0123456789abcdef" * 65536
# Shorter and longer than what is kept first: spaces_upload_buffered_mb.
LENGTHS = (150, 210)


@pytest.fixture(scope="module")
def velo(scenario: Scenario) -> Association:
    return member(scenario, "velo-ecole")


def blocks(number: int) -> Iterator[bytes]:
    for _ in range(number):
        yield BLOCK


@pytest.mark.parametrize("length", LENGTHS)
def test_what_was_sent_in_one_piece_is_what_is_stored(
    browser: Browser, velo: Association, length: int
):
    path, account = velo.path(0), velo.account
    size = {"Content-Length": str(length * len(BLOCK))}
    sent = browser.request(
        "PUT", velo.host, path, account=account, headers=size, body=blocks(length)
    )
    assert sent.status in {201, 204}
    got = browser.request("GET", velo.host, path, account=account)
    wanted = hashlib.sha256()
    for block in blocks(length):
        wanted.update(block)
    assert hashlib.sha256(got.body).hexdigest() == wanted.hexdigest()


def test_a_body_of_unknown_length_is_stored_too(browser: Browser, velo: Association):
    """PHP reads nothing of a body whose length it is not told: nginx counts it first."""
    path, account = velo.path(1), velo.account
    assert browser.request("PUT", velo.host, path, account=account, body=blocks(12)).status in {
        201,
        204,
    }
    got = browser.request("GET", velo.host, path, account=account)
    assert len(got.body) == 12 * len(BLOCK)
