# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What this project relies on is so in the releases that the spaces run."""

from __future__ import annotations

from tests.support import bare
from tests.support.scenario import Scenario


def test_the_whole_suite_passes(scenario: Scenario, release: str):
    with bare.running(scenario, release) as instance:
        done = instance.conformance()
    assert done.returncode == 0, done.stdout[-20000:] + done.stderr[-2000:]
    assert f"{release} (real)" in done.stdout
