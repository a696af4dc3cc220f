# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What only Nextcloud itself can show of a full space: its trash, and uploads in chunks.

Not part of a scenario, whose Nextcloud may be the stand-in. On a scenario that was converged
with a real release: ``ARCHIPEL_SCENARIO=… pytest molecule/shared/tests/real``.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.full import MEMBER, MIB, Full, small
from tests.support.scenario import Scenario

SLUG = "amap-du-val"
UPLOADS = f"/remote.php/dav/uploads/{MEMBER}"
TRASH = f"/remote.php/dav/trashbin/{MEMBER}/trash"


@pytest.fixture(scope="module")
def full(scenario: Scenario) -> Iterator[Full]:
    """The space, with room for a few files."""
    with small(scenario, SLUG) as client:
        yield client


def upload(full: Full, name: str, chunks: int) -> list[int]:
    """Send a file as desktop clients send large ones; return each status."""
    size = 8 * MIB
    to = f"https://{full.host}/remote.php/dav/files/{MEMBER}/{name}"
    headers = {"Destination": to, "OC_Total_Length": str(chunks * size)}
    said = [full.request("MKCOL", f"{UPLOADS}/{name}", None, **headers).status]
    for number in range(1, chunks + 1):
        answer = full.request("PUT", f"{UPLOADS}/{name}/{number:05}", b"x" * size, **headers)
        said.append(answer.status)
        if answer.status != 201:
            return said
    said.append(full.request("MOVE", f"{UPLOADS}/{name}/.file", None, **headers).status)
    return said


def test_an_upload_in_chunks_that_fits(full: Full):
    # The chunks and the whole file are there side by side for a moment.
    assert upload(full, "chunked", 2) == [201, 201, 201, 201]
    assert len(full.dav("GET", "chunked").body) == 16 * MIB
    assert full.dav("DELETE", "chunked").status == 204
    assert full.request("DELETE", TRASH).status == 204


def test_an_upload_in_chunks_that_does_not_fit_is_refused_as_full(full: Full):
    said = upload(full, "too-large", 8)
    assert said[-1] == 507, said
    assert 500 not in said


def test_a_full_space_is_emptied_through_its_trash(full: Full):
    full.request("DELETE", f"{UPLOADS}/too-large")
    full.fill()
    name = f"fill-{4 * MIB}-1"
    assert full.dav("DELETE", name).status == 204
    listed = full.request("PROPFIND", TRASH, Depth="1")
    assert listed.status == 207
    assert name in listed.text
    assert full.put("still-full", MIB) == 507
    assert full.request("DELETE", TRASH).status == 204
    assert full.put("room-again", MIB // 2) == 201


def test_people_are_told_what_is_left_and_what_the_space_has(full: Full):
    """What is left for all is in WebDAV; accounts are told of their own share of the whole."""
    assert full.free() < 48 * MIB
    answer = full.request(
        "GET", f"/ocs/v2.php/cloud/users/{MEMBER}?format=json", OCS_APIRequest="true"
    )
    quota = answer.json()["ocs"]["data"]["quota"]
    assert quota["quota"] == 10 << 30
