# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The machine with two kinds of file systems, and programs to run on it."""

from __future__ import annotations

import pytest

# Makes the collection importable.
import tests.conftest  # noqa: F401
from tests.support.sandbox import Programs
from tests.support.scenario import Scenario
from tools import scenario as scenarios

SCENARIO = Scenario("quota")


def pytest_report_header() -> str:
    """Say what is under test, and keep it for the end of the run."""
    kernel = SCENARIO.machine.execute("uname", "-r").strip()
    how = (SCENARIO.machine.state / "accelerator").read_text(encoding="ascii")
    said = f"none; limits are real: Linux {kernel} under qemu ({how}), with ext4 and XFS"
    (scenarios.folder("quota") / "nextcloud").write_text(f"{said}\n", encoding="utf-8")
    return f"scenario quota: Nextcloud: {said}"


@pytest.fixture(scope="session")
def scenario() -> Scenario:
    """Everything about the scenario."""
    return SCENARIO


@pytest.fixture(scope="session")
def programs() -> Programs:
    """Small programs on the machine."""
    return Programs(SCENARIO.machine)
