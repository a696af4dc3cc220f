# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The processor is shared out by space: containers often have no kernel that does it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.support.layout import Units
from tests.support.scenario import Scenario

# Space → how many processes want the processor at once.
CHILDREN = {"velo-ecole": 2, "fanfare-des-lilas": 12}
SECONDS = 20
BUSY = """import os
for _ in range({children} - 1):
    if os.fork() == 0:
        break
while True:
    pass
"""


def unit(slug: str) -> str:
    return Units(slug).php


def folder(slug: str) -> str:
    return f"/run/systemd/system/{unit(slug)}.d"


@pytest.fixture
def busy(scenario: Scenario) -> Iterator[None]:
    """Two spaces whose PHP never waits, one of them with many more processes."""
    machine = scenario.machine
    redis = [Units(slug).redis for slug in CHILDREN]
    services = [unit(slug) for slug in CHILDREN]
    sockets = [Units(slug).php_socket for slug in CHILDREN]
    for slug, children in CHILDREN.items():
        program = f"/usr/local/lib/busy-{slug}.py"
        machine.execute("sh", "-c", f"cat > {program}", stdin=BUSY.format(children=children))
        start = f"[Service]\nType=exec\nExecStart=\nExecStart=/usr/bin/python3 {program}\n"
        machine.execute("mkdir", "-p", folder(slug))
        machine.execute("sh", "-c", f"cat > {folder(slug)}/busy.conf", stdin=start)
    # There is none on this machine.
    machine.execute("systemctl", "mask", "--runtime", *redis)
    machine.execute("systemctl", "daemon-reload")
    yield
    machine.execute("systemctl", "kill", "--signal=KILL", *services)
    machine.execute("systemctl", "stop", *services, *sockets)
    machine.execute("systemctl", "unmask", "--runtime", *redis)
    machine.execute("rm", "-r", *map(folder, CHILDREN))
    machine.execute("systemctl", "daemon-reload")


def used(scenario: Scenario) -> dict[str, int]:
    """Return the processor time of each space, in nanoseconds."""
    shown = scenario.machine.execute(
        "systemctl", "show", "--property=CPUUsageNSec", "--value", *map(unit, CHILDREN)
    )
    return dict(zip(CHILDREN, map(int, shown.split()), strict=True))


def test_a_space_with_many_processes_gets_no_more_than_one_with_few(scenario: Scenario, busy: None):
    """Each would else get the processor by the number of its processes: six times as much."""
    scenario.machine.execute("systemctl", "start", *map(unit, CHILDREN))
    before = used(scenario)
    time.sleep(SECONDS)
    after = used(scenario)
    few, many = (after[slug] - before[slug] for slug in CHILDREN)
    assert 0.6 < many / few < 1.6
