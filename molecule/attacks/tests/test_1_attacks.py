# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Each attack of tests/attacks, in each way in which a space runs code: none succeeds."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest

from tests.attacks import ATTACKS
from tests.attacks.model import WAYS, Attack
from tests.support.attacked import Attacked

Answers = Callable[[str], dict[str, str]]


@pytest.fixture(scope="module")
def answers(attacked: Attacked) -> Answers:
    """What comes of all attacks in one way, found out when the first test asks."""
    return functools.cache(lambda way: attacked.try_all(ATTACKS, way))


def test_there_are_attacks_in_each_way():
    assert len({one.does for one in ATTACKS}) == len(ATTACKS) >= 70
    assert {way for one in ATTACKS for way in one.ways} == set(WAYS)


@pytest.mark.parametrize(
    ("attack", "way"),
    [pytest.param(one, way, id=f"{one.does} ({way})") for one in ATTACKS for way in one.ways],
)
def test_no_space(answers: Answers, attack: Attack, way: str):
    answer = answers(way)[attack.does]
    assert answer != "", f"a space {attack.does}, by {way}"
    assert answer in attack.refusals
