# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""occ is started before a space is closed, and runs once."""

from __future__ import annotations

import json

from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _occ
from ansible_collections.archipel.spaces.plugins.module_utils._operations import _upgrade_occ
from tests.unit.plugins.module_utils.upgrading import Ready, job, settings

__all__ = ["settings"]


def test_the_upgrade_is_run_by_what_has_started_before_it_was_closed(settings, monkeypatch):
    monkeypatch.setattr(_occ, "Ready", Ready)
    one = job(settings)
    _upgrade_occ.get_ready(one)
    ready = one.ready
    assert (
        f"--property=Environment=ARCHIPEL_RELEASE={settings.node.releases}/34.0.4" in ready.command
    )
    _upgrade_occ.occ(one, "upgrade", "--no-interaction")
    assert json.loads(ready.asked)["arguments"] == ["upgrade", "--no-interaction"]
    # It runs once: what follows has a sandbox of its own.
    assert one.ready is None
