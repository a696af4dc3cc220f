# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A space whose storage is used up says so, and goes on working.

A small file system stands in for the project quota, which a container's host may lack;
the scenario `quota` shows that the quota looks the same from inside.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from testinfra.host import Host

from tests.support.full import MEMBER, MIB, MIDWAY, SIZE, Full, small
from tests.support.layout import Layout
from tests.support.scenario import Scenario

SLUG = "repair-cafe-brest"


@pytest.fixture(scope="module")
def full(scenario: Scenario) -> Iterator[Full]:
    """The space, with room for a few files."""
    with small(scenario, SLUG) as client:
        yield client


@pytest.fixture
def filled(full: Full) -> Full:
    """The same with no room left."""
    full.fill()
    return full


def test_clients_are_told_what_is_left_for_the_whole_space(full: Full):
    assert 30 * MIB < full.free() < SIZE


def test_what_fits_but_once_leaves_nothing_behind(node: Host, full: Full):
    """PHP's copy and the stored one count alike: it shows only when most of it is there."""
    left = full.free()
    assert full.put("once", left - 2 * MIB) in MIDWAY
    assert full.dav("GET", "once").status == 404
    # As PHP calls what it keeps; Nextcloud has a file of its own there.
    assert node.check_output("find %s -name 'php*'", Layout(SLUG).temporary) == ""
    assert full.free() >= left - MIB


def test_what_just_fits_is_taken_and_what_does_not_is_refused_beforehand(full: Full):
    # While it is stored, PHP has it a second time.
    fits = full.free() // 2 - MIB
    assert full.put("fits", fits) == 201
    assert full.put("does-not", fits + 4 * MIB) == 507
    assert full.dav("GET", "does-not").status == 404
    assert full.dav("DELETE", "fits").status == 204


def test_a_full_space_still_answers(filled: Full):
    assert filled.browser.get(filled.host, "/status.php").status == 200
    assert filled.browser.get(filled.host, "/login").status == 200
    assert filled.dav("PROPFIND", "", Depth="0").status == 207


def test_a_full_space_lets_somebody_log_in_anew(scenario: Scenario, filled: Full):
    """With a password that was never used: a session and a token are written."""
    password = "Un-mot-de-passe-tout-neuf-7"
    scenario.occ(SLUG, f"user:resetpassword --password-from-env {MEMBER}", OC_PASS=password)
    assert filled.as_member(password).dav("PROPFIND", "", Depth="0").status == 207


def test_a_full_space_still_writes_its_log(node: Host, filled: Full):
    log = Layout(SLUG).log
    command = (
        f"runuser -u {Layout(SLUG).user} -- dd if=/dev/zero of={log}/try bs=1M count=1 status=none"
    )
    node.check_output(command)
    node.check_output("rm %s", f"{log}/try")


def test_files_can_be_deleted_when_nothing_fits(filled: Full):
    assert filled.dav("DELETE", "first").status == 204
    assert filled.dav("GET", "first").status == 404
