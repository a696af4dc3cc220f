# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The picture of throughput."""

from __future__ import annotations

from xml.etree import ElementTree as Xml

import pytest

from tests.benchmarks import picture_load

TAG = "{http://www.w3.org/2000/svg}"


def row(case: str, spaces: int, *pairs: tuple[int, int]) -> dict[str, object]:
    ours = [{"requests": first, "seconds": 1.0} for first, _ in pairs]
    usual = [{"requests": second, "seconds": 1.0} for _, second in pairs]
    return {"case": case, "spaces": spaces, "ours": ours, "usual": usual}


def test_each_pair_and_their_median_have_a_point():
    picture = Xml.fromstring(
        picture_load.draw(
            [row("get", 1, (90, 100), (100, 100), (110, 100)), row("put", 50, (9, 9))]
        )
    )
    circles = [float(one.get("cx") or 0) for one in picture.iter(f"{TAG}circle")]
    assert circles[:4] == [
        pytest.approx(picture_load.place(ratio), abs=0.1) for ratio in (0.9, 1.0, 1.1, 1.0)
    ]
    assert len(circles) == 6
    words = [one.text for one in picture.iter(f"{TAG}text")]
    assert {"1 space", "50 spaces", "get", "put"} <= set(words)


def test_what_is_outside_stands_at_the_end_of_the_axis():
    assert picture_load.place(9.0) == picture_load.place(picture_load.HIGH)
    assert picture_load.place(0.0) == picture_load.LEFT


def test_targets_are_higher_for_one_space():
    one, many = (picture_load.line(row("get", number, (1, 1)), 0) for number in (1, 50))
    assert f"M{picture_load.place(0.95):.1f} " in one[2]
    assert f"M{picture_load.place(0.9):.1f} " in many[2]
