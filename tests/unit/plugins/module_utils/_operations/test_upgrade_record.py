# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A failure shows the end of its log."""

from __future__ import annotations

from ansible_collections.archipel.spaces.plugins.module_utils._operations import _upgrade_record
from tests.unit.plugins.module_utils.upgrading import job, settings

__all__ = ["settings"]


def test_a_failure_shows_the_end_of_its_log(settings):
    one = job(settings)
    one.log("\n".join(f"line {number}" for number in range(40)))
    assert _upgrade_record.tail(one.log_path)[-1] == "line 39"
    assert len(_upgrade_record.tail(one.log_path)) == _upgrade_record.TAIL_LINES
    assert _upgrade_record.tail("/nowhere") == []
