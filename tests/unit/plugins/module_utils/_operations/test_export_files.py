# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Which files of a space are exported, and what they are called."""

from __future__ import annotations

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._operations import _export_files


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("Réunion 1", "Réunion 1"),
        ("Commun – l’association 🏛 (n°1) & cie, été", "Commun – l’association 🏛 (n°1) & cie, été"),
        ('a\\b:c*d?e"f<g>h|i', "a_b_c_d_e_f_g_h_i"),
        ("a\x00b\nc\x7fd", "a_b_c_d"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("..", "unnamed"),
        # 255 bytes are the end of a name: a folder may be called by 4000 characters.
        ("é" * 300, "é" * 100),
        ("x" * 199 + "é", "x" * 199),
        ("", "unnamed"),
    ],
)
def test_names_stay_inside(name: str, path: str):
    assert _export_files.safe(name) == path


def test_names_that_differ_have_places_that_differ():
    found = _export_files.distinct(["o:neil", "o_neil", 'o"neil', "camille"])
    assert len(set(found.values())) == 4
    assert found["camille"] == "camille"
    # Whoever comes in which order: a second export puts everything in the same place.
    assert found == _export_files.distinct(["camille", "o_neil", 'o"neil', "o:neil", "camille"])
