# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""After a reboot, without any run: both file systems still keep every limit."""

from __future__ import annotations

import pytest

from tests.support import disks
from tests.support.sandbox import Programs
from tests.support.scenario import Scenario

GIB = 1 << 30
FULL = "velo-ecole"


@pytest.mark.parametrize("place", disks.PLACES.values(), ids=disks.PLACES)
def test_every_limit_is_still_there(scenario: Scenario, programs: Programs, place: str):
    spaces = scenario.spaces
    numbers = {slug: space["id"] for slug, space in spaces.items() if space["status"] != "closed"}
    found = programs.root(
        """
with q.opened(place) as root:
    limits = {slug: q.read(root, number).limit_bytes for slug, number in numbers.items()}
    print(json.dumps({"state": q.state(root), "limits": limits}))
""",
        place=place,
        numbers=numbers,
    )
    assert found["state"] == [True, True]
    wanted = {slug: spaces[slug]["storage_gb"] * GIB for slug in numbers}
    assert found["limits"] == wanted


@pytest.mark.parametrize("tree", ["data", "tmp"])
def test_a_write_beyond_the_limit_is_refused(scenario: Scenario, programs: Programs, tree: str):
    limit = scenario.spaces[FULL]["storage_gb"] * GIB
    done = programs.inside(
        FULL,
        """
# Something is there already: as much as the limit is too much.
path = f"/srv/spaces/{slug}/{tree}/after-reboot"
with open(path, "wb") as file:
    why = attempt(os.posix_fallocate, file.fileno(), 0, limit)
os.unlink(path)
info = os.statvfs(f"/srv/spaces/{slug}/{tree}")
print(json.dumps([why, info.f_blocks * info.f_frsize]))
""",
        limit=limit,
        tree=tree,
    )
    assert done == ["EDQUOT", limit]


def test_the_report_goes_on(scenario: Scenario):
    state = scenario.machine.execute("systemctl", "is-active", "archipel-usage.timer").strip()
    assert state == "active"
