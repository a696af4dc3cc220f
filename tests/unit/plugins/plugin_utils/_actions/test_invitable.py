# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Into which spaces somebody may be invited, and what is said of the others."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._actions._invitable import invitable


def space(slug: str, **changes: t.Any) -> dict[str, t.Any]:
    known = {"slug": slug, "status": "approved", "hold": False, "file": f"spaces/{slug}.yml"}
    return {**known, **changes}


SPACES = [
    space("velo-ecole"),
    space("cine"),
    space("fanfare", status="suspended"),
    space("jadis", status="closed"),
    space("quai", hold=True),
]
REPORT = {
    "purged": ["fini"],
    "skipped": {"faux": ["…"]},
    "without_file": ["perdu"],
    "requested": [{"slug": "jardin"}],
    "refused": [{"slug": "promo"}],
}


def test_several_at_once_each_once():
    assert invitable(SPACES, REPORT, "velo-ecole, cine,velo-ecole") == (["velo-ecole", "cine"], [])


@pytest.mark.parametrize(
    ("only", "text"),
    [
        ("", "name the spaces: -e only=slug,slug"),
        (" ,", "name the spaces"),
        ("velo-ecol", "velo-ecol: names no space; invitations take slugs, one by one"),
        ("ring_stable", "ring_stable: names no space; invitations take slugs"),
        ("fanfare", "fanfare: is suspended; nobody is invited into a space that is not approved"),
        ("jadis", "jadis: is closed; nobody"),
        ("quai", "quai: is on hold; take `hold: true` out of spaces/quai.yml first"),
        ("jardin", "jardin: is requested: it has no space"),
        ("promo", "promo: is refused: it has no space"),
        ("fini", "fini: was purged"),
        ("faux", "faux: its file has errors"),
        ("perdu", "perdu: is placed, but its file is gone"),
    ],
)  # fmt: skip
def test_what_is_none_is_named_with_its_reason(only: str, text: str):
    (problem,) = invitable(SPACES, REPORT, only)[1]
    assert problem.startswith(text)


def test_what_was_meant():
    (problem,) = invitable(SPACES, REPORT, "velo-ecol")[1]
    assert problem.endswith('Did you mean "velo-ecole"?')


def test_all_at_once():
    problems = invitable(SPACES, REPORT, "velo-ecole,jardin,nulle-part")[1]
    assert [one.partition(":")[0] for one in problems] == ["jardin", "nulle-part"]


def test_nobody_is_invited_into_a_copy():
    copy = space("essai", copy_of={"space": "velo-ecole", "on": "2026-05-30", "until": None})
    _, (said,) = invitable([copy], REPORT, "essai")
    assert said == "essai: is a copy of velo-ecole, and has its accounts: nobody is invited"
