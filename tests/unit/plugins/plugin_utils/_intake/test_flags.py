# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Requests that are, or look like, somebody else's."""

from __future__ import annotations

import time
import typing as t

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._intake import _flags


def known(slug: str, name: str = "", **more: t.Any) -> _flags.Known:
    values = {"status": "approved", "email": "", "number": "", **more}
    return _flags.Known(slug=slug, name=name or slug, **values)


OTHERS = [
    known("velo-ecole", "Vélo-école de Montreuil", email="a@b.example", number="W931234567"),
    known("cine-club", "Ciné-club d'Ardèche", number="732829320", status="refused"),
]


@pytest.mark.parametrize(
    ("one", "kinds"),
    [
        (known("fanfare", "Fanfare des Lilas", email="x@y.example"), []),
        (known("fanfare", "Fanfare", email="A+x@b.example"), ["same-contact"]),
        (known("fanfare", "Fanfare", number="W 931 234 567"), ["same-number"]),
        (known("fanfare", "Fanfare", number="73282932000074"), ["same-number"]),
        (known("fanfare", "Association VELO ECOLE Montreuil"), ["same-name"]),
        (known("fanfare", "Vélo-écôle de Montreui1"), ["same-name"]),
        (known("fanfare", "Vélos-école de Montreuil"), ["like-name"]),
        (known("fanfare", "Véló-écоle de Montreuil"), ["same-name", "mixed-letters"]),
        (known("velo-ecoles", "Fanfare"), ["like-address"]),
        (known("ve1o-ecole", "Fanfare"), ["like-address"]),
        (known("fanfare", "Fanfare", number="732829321"), ["wrong-number"]),
        (known("fanfare", "Ассоциация"), []),
    ],
)
def test_flags(one: _flags.Known, kinds: list[str]):
    found = _flags.find([*OTHERS, one], [one.slug])
    assert [flag.kind for flag in found[one.slug]] == kinds


def test_a_flag_names_whom_it_is_about():
    one = known("fanfare", "Ciné club Ardèche", status="requested")
    (flag,) = _flags.find([*OTHERS, one], ["fanfare"])["fanfare"]
    assert flag == ("same-name", "is called like cine-club (refused)", ("cine-club",))


def test_ten_thousand_files_are_compared_in_seconds():
    many = [
        known(f"asso-{n}", f"Association numéro {n} du canton", email=f"a{n}@b.example")
        for n in range(10_000)
    ]
    start = time.process_time()
    found = _flags.find(many, [one.slug for one in many[:200]])
    assert len(found) == 200
    assert time.process_time() - start < 10
