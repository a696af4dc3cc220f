# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Spaces reach the bulk actions as a list or by the name of a variable."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.archipel.spaces.plugins.plugin_utils._actions._action import (
    find_spaces,
    refuse_unplaced,
)

SPACES: t.Any = [{"slug": "amap", "name": "{{ lookup('pipe', 'id') }}"}]


def resolved(value, **variables):
    return find_spaces(value, variables, Templar(DataLoader(), variables))


def test_a_list_is_taken_as_it_is():
    assert resolved(SPACES) is SPACES


def test_a_variable_is_read_and_not_templated():
    assert resolved("archipel_spaces", archipel_spaces=SPACES) is SPACES


def test_a_variable_may_lead_to_another():
    leading = trust_as_template("{{ archipel_spaces }}")
    assert resolved("mine", mine=leading, archipel_spaces=[{"slug": "amap"}]) == [{"slug": "amap"}]


@pytest.mark.parametrize("value", ["nobody_set_this", 3, {"slug": "amap"}])
def test_anything_else_is_refused_by_name(value):
    with pytest.raises(AnsibleActionFail, match="neither a list of spaces nor the name"):
        resolved(value)


PLACE = {"id": 70_006, "web": "node1", "db": "node1", "office": {}}


class TestAPlaceThatNobodyWroteDown:
    def placement(self, folder: Path, *lines: str) -> dict[str, object]:
        path = folder / "placement.yml"
        path.write_text("\n".join(["environment: lab", "next_id: 70010", "spaces:", *lines, ""]))
        return {"path": str(path), "environment": "lab", "pending": {"amap": PLACE}}

    def test_is_refused(self, tmp_path: Path):
        with pytest.raises(AnsibleActionFail, match=r"^amap: not in .*placement.yml; what"):
            refuse_unplaced(SPACES, self.placement(tmp_path, "  zoo: {id: 70001, web: n, db: n}"))

    def test_as_is_one_that_was_written_otherwise(self, tmp_path: Path):
        """By somebody else, since this run has read it."""
        line = "  amap: {id: 70006, web: node2, db: node2}"
        with pytest.raises(AnsibleActionFail, match="Nothing was done"):
            refuse_unplaced(SPACES, self.placement(tmp_path, line))

    def test_is_fine_once_it_was_recorded(self, tmp_path: Path):
        line = "  amap: {id: 70006, web: node1, db: node1}"
        refuse_unplaced(SPACES, self.placement(tmp_path, line))

    def test_of_another_node_is_no_matter(self, tmp_path: Path):
        others: t.Any = [{"slug": "velo"}]
        refuse_unplaced(others, self.placement(tmp_path))

    def test_is_no_question_where_no_inventory_placed_them(self):
        refuse_unplaced(SPACES, {})
