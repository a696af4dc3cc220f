# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The repair after a new major, by the unit that the timer starts: while a space sleeps, once."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from testinfra.host import Host

from tests.support.layout import Layout, Units
from tests.support.scenario import Scenario

SLUG = "repair-cafe-brest"
NOTE = f"{Layout(SLUG).upgrade}/repair.json"
CONFIG = Layout(SLUG).config_file
PHP = Units(SLUG).php
LOOK = "systemctl start archipel-repair.service"


def read(node: Host) -> dict[str, Any]:
    return dict(json.loads(node.file(NOTE).content_string))


@pytest.fixture
def note(node: Host) -> Iterator[None]:
    """Let an upgrade to the present major have ended just now, and the timer hold still."""
    version = node.check_output(f"sed -n \"s/^  'version' => '\\([0-9]*\\).*/\\1/p\" {CONFIG}")
    wanted = {"major": int(version), "state": "waits", "since": time.time()}
    # A timer that is started looks at once.
    node.check_output("systemctl stop archipel-repair.timer archipel-repair.service")
    node.check_output("install -d -m 0700 %s", NOTE.rpartition("/")[0])
    node.check_output("echo %s > %s", json.dumps(wanted), NOTE)
    yield
    node.check_output("rm -f %s", NOTE)
    node.check_output("systemctl start archipel-repair.timer")


def test_the_timer_runs(node: Host):
    assert node.service("archipel-repair.timer").is_running
    assert node.service("archipel-repair.timer").is_enabled


@pytest.mark.usefixtures("note")
def test_people_are_not_disturbed_and_nobody_is_woken(node: Host, scenario: Scenario):
    node.check_output(f"systemctl start {PHP}")
    node.check_output(LOOK)
    assert read(node)["state"] == "waits"
    states = scenario.module("archipel.spaces.spaces_status", spaces=[SLUG])
    assert "waits until nobody uses it" in json.dumps(states)
    node.run_test(f"systemctl stop {PHP}")
    node.check_output(LOOK)
    found = read(node)
    assert (found["state"], found["reason"]) == ("done", "")
    assert not node.service(PHP).is_running
    assert "'maintenance' => true" not in node.file(CONFIG).content_string
    # Once.
    node.check_output(LOOK)
    assert read(node) == found


@pytest.mark.usefixtures("note")
@pytest.mark.parametrize("folder", ["closed", "still"])
def test_a_space_that_is_closed_is_left_alone(node: Host, folder: str):
    node.run_test(f"systemctl stop {PHP}")
    mark = f"/var/lib/archipel/{folder}/{SLUG}"
    node.check_output("mkdir -p %s", mark.rpartition("/")[0])
    node.check_output("touch %s", mark)
    try:
        node.check_output(LOOK)
        assert read(node)["state"] == "waits"
    finally:
        node.check_output("rm %s", mark)
