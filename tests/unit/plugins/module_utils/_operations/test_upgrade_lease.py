# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""One operator at a time upgrades the spaces of a node."""

from __future__ import annotations

import os

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._operations import _upgrade_lease
from tests.unit.plugins.module_utils.upgrading import settings

__all__ = ["settings"]


RUN = {"run": "r1", "by": "camille@desk", "since": "then", "release": "34.0.4"}


@pytest.mark.parametrize(
    ("lease", "kept_out"),
    [
        ({}, False),
        ({**RUN, "at": 1000.0}, False),
        ({**RUN, "run": "r0", "at": 1000.0}, True),
        ({**RUN, "run": "r0", "at": 1000.0 - _upgrade_lease.LEASE_SECONDS}, False),
        # The clock was set back by an hour.
        ({**RUN, "run": "r0", "at": 1000.0 + 3600}, False),
    ],
)
def test_a_second_operator_is_kept_out_and_hears_by_whom(lease, kept_out):
    said = _upgrade_lease.holder(lease, "r1", 1000.0)
    assert bool(said) == kept_out
    if kept_out:
        assert "camille@desk is upgrading the spaces of this node to 34.0.4" in said
        assert "free again in 30 seconds" in said


def test_a_run_has_the_node_until_it_says_so(settings, tmp_path):
    path = str(tmp_path / "lease.json")
    with _upgrade_lease.leased(RUN, path):
        pass
    with (
        pytest.raises(_journal.JournalError, match="camille@desk"),
        _upgrade_lease.leased({**RUN, "run": "r2"}, path),
    ):
        pass
    _upgrade_lease.release_lease("r2", path)
    assert os.path.exists(path)
    _upgrade_lease.release_lease("r1", path)
    with _upgrade_lease.leased({**RUN, "run": "r2"}, path):
        pass


def test_a_second_operator_is_kept_out_before_anything_is_planned(settings, tmp_path):
    path = str(tmp_path / "lease.json")
    _upgrade_lease.make_sure_nobody_else_runs("r2", path)
    with (
        _upgrade_lease.leased(RUN, path),
        pytest.raises(_journal.JournalError, match="camille@desk is upgrading"),
    ):
        _upgrade_lease.make_sure_nobody_else_runs("r2", path)
    # Between two turns too; the run itself may go on.
    with pytest.raises(_journal.JournalError, match="camille@desk is upgrading"):
        _upgrade_lease.make_sure_nobody_else_runs("r2", path)
    _upgrade_lease.make_sure_nobody_else_runs("r1", path)


def test_who_is_at_work_is_named_also_in_the_middle_of_a_long_turn(settings, tmp_path):
    path = str(tmp_path / "lease.json")
    other = {**RUN, "run": "r2", "by": "somebody"}
    with (
        _upgrade_lease.leased(RUN, path),
        pytest.raises(_journal.JournalError, match=r"camille@desk is upgrading .* since then: "),
        _upgrade_lease.leased(other, path),
    ):
        pass
