# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The stand-in brings what Nextcloud's own archive brings, or the policy would be tried on less."""

from __future__ import annotations

import json

import pytest

from tests.policy.tree import ROOT
from tests.standin import build

SHIPPED = json.loads(
    (ROOT / "plugins/plugin_utils/_render/shipped.json").read_text(encoding="utf-8")
)
MAJORS = [major for major in SHIPPED if major.isdecimal()]


@pytest.mark.parametrize("major", MAJORS)
def test_it_ships_the_same_applications(major: str):
    ours = {*build.ALWAYS_ENABLED, *build.DEFAULT_ENABLED, *build.ON_REQUEST}
    assert ours == set(SHIPPED[major]["applications"])


@pytest.mark.parametrize("major", MAJORS)
def test_the_same_of_them_cannot_be_turned_off(major: str):
    assert set(build.ALWAYS_ENABLED) == set(SHIPPED[major]["always"])
