# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What a node is compared with."""

from __future__ import annotations

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._render import _render_services


@pytest.mark.parametrize(
    ("space", "state"),
    [
        ({"status": "approved", "hold": False}, "approved"),
        ({"status": "closed", "hold": False}, "closed"),
        ({"status": "approved", "hold": True}, "exempt"),
        # Left out for an error in its file: the status is a guess.
        ({"status": "suspended"}, "exempt"),
    ],
)
def test_the_state_of_a_space(space, state):
    assert _render_services.find_state(space) == state
