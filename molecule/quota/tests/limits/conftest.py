# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The spaces on ext4, then on XFS."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support import disks
from tests.support.limits import FULL, LARGE, NEIGHBOUR, Limits, give
from tests.support.sandbox import Programs
from tests.support.scenario import Scenario


@pytest.fixture(scope="session", params=["ext4", "xfs"])
def limits(request: pytest.FixtureRequest, scenario: Scenario, programs: Programs) -> Limits:
    """The machine with its spaces on one kind of file system, converged."""
    found = Limits("ext4", "EDQUOT", scenario, programs)
    for slug, storage_gb in ((FULL, 1), (LARGE, 10), (NEIGHBOUR, 1)):
        give(scenario, slug, storage_gb)
    if request.param == "ext4":
        return found
    scenario.machine.execute("sh", stdin=disks.exchange())
    found = replace(found, kind="xfs", refusal="ENOSPC")
    result = found.run()
    assert set(result["spaces"]) == set(result["usage"])
    return found
