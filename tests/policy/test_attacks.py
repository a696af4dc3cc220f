# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What a space tries against others: enough of it, written down, and each seen to succeed without
what refuses it.
"""

from __future__ import annotations

import json
import re

import pytest

from tests.attacks import ATTACKS, mutate, table
from tests.attacks.defences import DEFENCES
from tests.attacks.model import Attack
from tests.policy.tree import ROOT

SEEN = json.loads(mutate.RESULTS.read_text(encoding="utf-8"))


def test_there_are_enough_and_no_two_are_called_the_same():
    assert len({one.does for one in ATTACKS}) == len(ATTACKS) >= 70
    assert {one.does for _title, part in table.PARTS for one in part} == {a.does for a in ATTACKS}


def test_the_document_has_them_as_they_are():
    """Else: python -m tests.attacks.table."""
    document = table.DOCUMENT.read_text(encoding="utf-8")
    assert table.replace(document) == document


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda one: one.does)
class TestAttack:
    def test_names_what_refuses_it(self, attack: Attack):
        assert attack.defences
        assert set(attack.defences) <= set(DEFENCES)

    def test_is_python_that_sets_an_answer(self, attack: Attack):
        if attack.php:
            assert attack.program.startswith("<?php ")
        else:
            compile(attack.program, attack.does, "exec")
            assert re.search(r"^\s*answer = ", attack.program, re.MULTILINE)

    def test_succeeds_without_that_and_not_before(self, attack: Attack):
        """Else: python -m tests.attacks.mutate --open."""
        assert mutate.judge(attack, SEEN.get(attack.does, {})) == []


def test_of_no_other_attack_anything_is_kept():
    assert sorted(SEEN) == sorted(one.does for one in ATTACKS)


def test_each_defence_is_in_somebodys_way():
    assert {name for one in ATTACKS for name in one.defences} == set(DEFENCES)


@pytest.mark.parametrize("name", DEFENCES)
def test_a_defence_names_the_file_that_it_is_in(name: str):
    where = DEFENCES[name].where
    assert where == "Debian" or list(ROOT.glob(where))


@pytest.mark.parametrize("one", table.ELSEWHERE, ids=lambda one: one.does)
def test_what_is_tried_elsewhere_is_tried_there(one: table.Elsewhere):
    path, _, name = one.test.partition("::")
    assert re.search(rf"def {name}\(", (ROOT / path).read_text(encoding="utf-8"))
