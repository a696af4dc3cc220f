# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which spaces may be purged, and what is said of the others."""

from __future__ import annotations

import datetime
import typing as t

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._actions._eligible import purgeable

TODAY = datetime.date(2026, 7, 1)


def space(slug: str, **changes: t.Any) -> dict[str, t.Any]:
    known = {"slug": slug, "status": "closed", "closed_on": "2026-01-01", "hold": False}
    places = {"web": "node1", "db": "node1", "file": f"spaces/{slug}.yml"}
    return {**known, **places, **changes}


SPACES = [
    space("cine"),
    space("velo-ecole", status="approved", closed_on=None),
    space("amap", closed_on="2026-06-15"),
    space("quai", hold=True),
    space("loin", db="db1"),
]
REPORT = {
    "purged": ["fini"],
    "skipped": {"faux": ["…"]},
    "without_file": ["perdu"],
    "requested": [{"slug": "jardin"}],
    "refused": [{"slug": "promo"}],
}


def against(only: str) -> list[str]:
    return purgeable(SPACES, REPORT, only, 30, TODAY)[1]


def test_a_closed_space_past_its_grace():
    chosen, problems = purgeable(SPACES, REPORT, " cine, cine", 30, TODAY)
    assert ([one["slug"] for one in chosen], problems) == (["cine"], [])


@pytest.mark.parametrize(
    ("only", "text"),
    [
        (
            "velo-ecole",
            "velo-ecole: is approved; only closed spaces are purged. If it is to go: write",
        ),
        ("amap", "is kept for 30 days (archipel_grace_days): it may be purged from 2026-07-15 on"),
        (
            "cin",
            'cin: names no space; a purge takes slugs, one by one, and no groups. Did you mean "ci',
        ),
        ("status_closed", "names no space; a purge takes slugs, one by one, and no groups."),
        ("quai", "quai: is on hold; take `hold: true` out of spaces/quai.yml first"),
        ("loin", "loin: its database is on db1: purging it from two nodes is not possible yet"),
        ("fini", "fini: was purged already, says the ledger; its file may be removed"),
        ("faux", "faux: its file has errors and it is left as it is: see archipel_report"),
        ("perdu", "perdu: is placed, but its file is gone: take it back from git; to purge it"),
        ("jardin", "jardin: is requested: it has no space"),
        ("promo", "promo: is refused: it has no space"),
        ("", "name the spaces: -e only=slug,slug. Closed and past their grace: cine"),
    ],
)
def test_refused(only: str, text: str):
    (problem,) = against(only)
    assert text in problem


def test_on_the_last_day_of_grace_it_is_kept():
    last = [space("amap", closed_on="2026-06-02")]
    assert purgeable(last, REPORT, "amap", 30, TODAY)[1]
    assert purgeable(last, REPORT, "amap", 29, TODAY)[1] == []


def test_all_that_is_wrong_comes_at_once():
    assert len(against("cine,amap,velo-ecole,nobody")) == 3


def test_a_copy_has_no_grace():
    """All that is in it is in the space that it was made of."""
    copy = space("essai", closed_on=TODAY.isoformat(), copy_of={"space": "velo-ecole"})
    assert purgeable([copy], REPORT, "essai", 30, TODAY) == ([copy], [])
    alive = {**copy, "status": "approved", "closed_on": None}
    assert "only closed spaces are purged" in purgeable([alive], REPORT, "essai", 30, TODAY)[1][0]
