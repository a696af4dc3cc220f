# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Copies of spaces: what is wrong with their files, where they live, and what is known of them."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import _placement
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._placement import (
    Lock,
    Node,
    NoRoomError,
    Place,
    Sizes,
)
from tests.unit.environment import Environment

OF = {"space": "velo-ecole", "on": "2024-05-30", "by": "nadia", "consent": "mail of 2024-05-28"}
CLOSING = {"on": "2024-06-29", "by": "nadia", "noticed_on": "2024-05-30"}
DECISION = {"by": "nadia", "on": "2024-05-30", "reason": "tried"}


def test_a_copy_needs_no_contact_and_says_of_what_it_is_one(environment: Environment):
    environment.placement("velo-ecole: {id: 70000, web: node1, db: node1}")
    environment.space("velo-ecole")
    environment.space("velo-essai", contact=None, copy_of=OF, closing=CLOSING)
    found = environment.load().get_host("node1").vars["archipel_spaces"]
    known = {entry["slug"]: entry for entry in found}
    expected = {"space": "velo-ecole", "on": "2024-05-30", "until": "2024-06-29"}
    assert known["velo-essai"]["copy_of"] == expected
    assert known["velo-essai"]["contact"] == {"name": None, "email": ""}
    # No other entry has the key: nothing of theirs is written anew because there are copies.
    assert "copy_of" not in known["velo-ecole"]


def test_a_copy_that_is_closed_has_no_day_any_more(environment: Environment):
    environment.placement("velo-essai: {id: 70000, web: node1, db: node1}")
    changes: dict[str, t.Any] = {"status": "closed", "closed_on": "2024-06-29"}
    environment.space("velo-essai", contact=None, copy_of=OF, **changes)
    found = environment.load().get_host("node1").vars["archipel_spaces"]
    (entry,) = (one for one in found if one["slug"] == "velo-essai")
    assert entry["copy_of"]["until"] is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"closing": None}, "closing: missing; a copy holds what belongs to others"),
        (
            {"closing": None, "status": "suspended", "decision": DECISION},
            "closing: missing; a copy holds what belongs to others",
        ),
        ({"copy_of": {**OF, "space": "velo-essai"}}, 'copy_of.space: found "velo-essai", this'),
        ({"copy_of": {**OF, "space": "Vélo"}}, 'copy_of.space: found "Vélo"; allowed: the name'),
        ({"copy_of": {**OF, "consent": " "}}, 'copy_of.consent: found " "; allowed: who of the'),
        ({"copy_of": {"space": "velo-ecole"}}, "copy_of.consent: missing; allowed: who of the"),
        ({"copy_of": {**OF, "until": "2024-09-01"}}, "copy_of.until: unknown key; allowed: space,"),
        ({"copy_of": {**OF, "on": "yesterday"}}, 'copy_of.on: found "yesterday"; allowed: an'),
        ({"copy_of": "velo-ecole"}, 'copy_of: found "velo-ecole"; allowed: a mapping with space'),
        ({"domains": ["cloud.velo.example"]}, "domains: not allowed in a copy"),
        (
            {"status": "requested", "decision": None, "closing": None},
            "copy_of: not allowed with status requested",
        ),
    ],
)
def test_wrong(environment: Environment, changes: dict[str, t.Any], said: str):
    environment.space(
        "velo-essai", **{"contact": None, "copy_of": OF, "closing": CLOSING, **changes}
    )
    assert said in "\n".join(environment.problems())


NODES = [Node("node1", capacity=3), Node("node2", capacity=9)]
LOCK = Lock(
    "lab",
    70_010,
    {"velo-ecole": Place(70_000, "node1", "node1"), "amap": Place(70_001, "node1", "node1")},
)


def test_a_copy_lives_where_its_space_does():
    """Not on the emptiest node, as any other new space."""
    found = _placement.plan(
        LOCK, ["cine", "velo-essai"], NODES, NODES, sources={"velo-essai": "velo-ecole"}
    )
    assert (found["velo-essai"].web, found["velo-essai"].db) == ("node1", "node1")
    assert found["cine"].web == "node2"
    assert {place.id for place in found.values()} == {70_010, 70_011}


def test_a_copy_takes_room_like_any_other():
    sources = {"a-essai": "amap", "velo-essai": "velo-ecole"}
    with pytest.raises(NoRoomError):
        _placement.plan(LOCK, [*sources], NODES, NODES, sizes=Sizes(), sources=sources)


def test_a_copy_of_a_space_that_is_gone_lives_anywhere():
    found = _placement.plan(
        Lock("lab", 70_000), ["velo-essai"], NODES, NODES, sources={"velo-essai": "velo-ecole"}
    )
    assert found["velo-essai"].web == "node1"


def test_a_copy_that_is_placed_stays():
    lock = Lock("lab", 70_010, {**LOCK.spaces, "velo-essai": Place(70_002, "node2", "node2")})
    assert (
        _placement.plan(lock, ["velo-essai"], NODES, NODES, sources={"velo-essai": "velo-ecole"})
        == {}
    )
