# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Secrets of spaces, derived from one key."""

from __future__ import annotations

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._core import _secrets
from tests.render.samples import KEY

EXPECTED_SECRET = "1Okzt1HuxxbsA0WFtEXv3DpUmmwzgp4z"


def test_secrets_differ_by_purpose_space_and_rotation():
    made = {
        _secrets.derive(KEY, purpose, slug, rotation)
        for purpose in ("database", "office")
        for slug in ("a", "b")
        for rotation in (0, 1)
    }
    assert len(made) == 8


def test_secrets_are_the_same_for_ever():
    """A new derivation would lock every space out of its database."""
    assert _secrets.derive(KEY, "database", "velo-ecole") == EXPECTED_SECRET


def test_a_short_master_key_is_refused():
    with pytest.raises(ValueError, match="at least 32"):
        _secrets.derive("short", "database", "a")
