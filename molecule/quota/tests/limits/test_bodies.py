# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A folder of the node with a limit of its own: what visitors send fills it, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.sandbox import Programs
from tests.support.scenario import Scenario

# On the file system of the spaces, whichever that is.
FOLDER, BESIDE = "/srv/spaces/.bodies", "/srv/spaces/.beside"
# www-data, as whom nginx keeps bodies.
USER = 33
# A body on its way, that grows as it arrives; the last one does not fit.
WRITES = """
os.setgid(user)
os.setuid(user)

def write(path, mebibytes):
    with open(path, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, mebibytes << 20)

print(json.dumps([attempt(write, f"{folder}/{n}", 300) for n in range(4)]
                 + [attempt(write, beside, 300)]))
"""


@pytest.fixture
def folder(scenario: Scenario) -> Iterator[str]:
    """The folder, as the role nginx makes it, and a file of somebody else beside it."""
    made = f"install -d -o {USER} -m 0700 {FOLDER} && install -o {USER} /dev/null {BESIDE}"
    scenario.machine.execute("sh", "-c", made)
    yield FOLDER
    scenario.machine.execute("rm", "-rf", FOLDER, BESIDE)


def limit(scenario: Scenario, folder: str) -> bool:
    """Limit it to a gigabyte; return whether anything changed."""
    given = {"path": folder, "project": USER, "gigabytes": 1}
    result = scenario.module("archipel.spaces.quota_folder", **given)
    assert not result.get("failed"), result
    return bool(result["changed"])


def test_what_is_too_much_is_refused_there_and_nowhere_else(
    scenario: Scenario, programs: Programs, folder: str
):
    assert limit(scenario, folder)
    assert not limit(scenario, folder)
    *inside, beside = programs.root(WRITES, folder=folder, beside=BESIDE, user=USER)
    assert inside[:3] == [""] * 3
    assert inside[3] in {"EDQUOT", "ENOSPC"}
    assert beside == ""
