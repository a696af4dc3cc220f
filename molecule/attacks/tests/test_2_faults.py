# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Whatever breaks while somebody works: nothing that was acknowledged is lost, and a run mends it.

The order is chance's, by a seed that is printed: ARCHIPEL_SEED=… repeats it, and ARCHIPEL_FAULTS=…
says how many. A clock that jumps is not among them: a container has its host's.
"""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Iterator

import pytest

from tests.support.faults import DISK, Faults, Writer
from tests.support.layout import Layout, Units
from tests.support.scenario import Scenario

SLUG, MEMBER = "velo-ecole", "testeur"
SEED = int(os.environ.get("ARCHIPEL_SEED") or secrets.randbelow(2**31))
# Each kind comes once before any comes twice.
NUMBER = int(os.environ.get("ARCHIPEL_FAULTS") or 12)


@pytest.fixture
def disk(scenario: Scenario) -> Iterator[None]:
    """The space's data on a small disk of its own."""
    data, php = Layout(SLUG).data, Units(SLUG).php
    held = f"systemctl stop {php} {Units(SLUG).jobs_timer} 2>/dev/null"
    go = f"systemctl start {Units(SLUG).php_socket} {Units(SLUG).jobs_timer}"
    shell = (
        f"{held}; set -e; owner=$(stat --format=%u:%g {data}); cp -a {data} {data}.kept;"
        f" mount -t tmpfs -o {DISK} tmpfs {data}; chown $owner {data};"
        f" cp -a {data}.kept/. {data}/; {go}"
    )
    scenario.machine.execute("sh", "-c", shell)
    yield
    undo = f"{held}; set -e; umount {data}; rm -rf {data}.kept; {go}"
    scenario.machine.execute("sh", "-c", undo)


@pytest.fixture
def writer(scenario: Scenario, disk: None) -> Writer:
    """A member with a password that nobody else knows."""
    password = secrets.token_urlsafe(24)
    there = MEMBER in scenario.occ(SLUG, "user:list --output=json", node="node1")
    command = "user:resetpassword" if there else "user:add"
    scenario.occ(SLUG, f"{command} --password-from-env {MEMBER}", node="node1", OC_PASS=password)
    return Writer(scenario, scenario.spaces[SLUG]["domains"][0], (MEMBER, password))


def test_nothing_acknowledged_is_lost_and_a_run_mends_the_rest(scenario: Scenario, writer: Writer):
    print(f"repeat with ARCHIPEL_SEED={SEED} ARCHIPEL_FAULTS={NUMBER}")
    chance = random.Random(SEED)
    faults = Faults(scenario, SLUG, chance).all()
    order: list[str] = []
    while len(order) < NUMBER:
        order += chance.sample(sorted(faults), len(faults))
    writer.await_answer()
    writer.begin()
    try:
        for name in order[:NUMBER]:
            before = len(writer.acknowledged)
            faults[name]()
            writer.await_answer()
            print(f"{name}: {before} to {len(writer.acknowledged)} files, {writer.refused} refused")
    finally:
        writer.end()
    # Else nothing was broken while somebody wrote, or nothing worked.
    assert writer.refused > 0
    assert len(writer.acknowledged) > 20
    lost = [
        path
        for path, content in writer.acknowledged.items()
        if writer.ask("GET", path) != (200, content)
    ]
    assert lost == [], f"ARCHIPEL_SEED={SEED}"
    scenario.converge("spaces.yml")
    assert scenario.converge("spaces.yml") == [], f"ARCHIPEL_SEED={SEED}"
    assert scenario.node.check_output("systemctl --failed --no-legend --plain") == ""
