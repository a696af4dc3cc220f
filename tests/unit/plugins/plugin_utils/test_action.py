# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Spaces reach the bulk actions as a list or by the name of a variable."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.archipel.spaces.plugins.plugin_utils._action import named

SPACES = [{"slug": "amap", "name": "{{ lookup('pipe', 'id') }}"}]


def resolved(value, **variables):
    return named(value, variables, Templar(DataLoader(), variables))


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
