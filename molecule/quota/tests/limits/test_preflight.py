# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A disk on which limits would not hold is refused, and what the refusal says mends it."""

from __future__ import annotations

import pytest

from tests.support import disks
from tests.support.scenario import Scenario

PLACE = "/srv/spare"
DEVICE = disks.device("spare")


def mount(scenario: Scenario, *commands: str) -> str:
    """Mount the spare disk anew, after some commands; return what the module says, or nothing."""
    lines = [f"umount -q {PLACE} || true", f"mkdir -p {PLACE}", *commands]
    scenario.machine.execute("sh", "-eu", stdin="\n".join(lines))
    result = scenario.module("archipel.spaces.quota_filesystem", path=f"{PLACE}/spaces")
    return str(result["msg"]) if result.get("failed") else ""


@pytest.fixture(scope="module")
def plain(scenario: Scenario) -> str:
    """What is said of an ext4 as any installer makes it."""
    return mount(scenario, f"mkfs.ext4 -q -F {DEVICE}", f"mount {DEVICE} {PLACE}")


def test_a_plain_ext4_is_refused_with_the_commands(plain: str):
    assert "It has no project quotas" in plain
    assert f"umount {PLACE}; tune2fs -O project,quota -Q prjquota /dev/vdd" in plain
    assert "in /etc/fstab add prjquota" in plain


def test_one_that_only_counts_is_refused(scenario: Scenario, plain: str):
    assert plain
    said = mount(
        scenario,
        # As the refusal above says, but for the mount option.
        "tune2fs -O project,quota -Q prjquota /dev/vdd >/dev/null",
        f"mount {DEVICE} {PLACE}",
    )
    assert "It counts what projects use, but no limit holds" in said
    assert f"umount {PLACE}; mount {PLACE}" in said


def test_with_the_option_it_is_taken(scenario: Scenario):
    assert mount(scenario, f"mount -o prjquota {DEVICE} {PLACE}") == ""


def test_xfs_without_the_option_is_refused_and_with_it_taken(scenario: Scenario):
    said = mount(scenario, f"mkfs.xfs -q -f {DEVICE}", f"mount {DEVICE} {PLACE}")
    assert "mounted without project quotas" in said
    assert f"in /etc/fstab add prjquota to the options of {PLACE}" in said
    assert mount(scenario, f"mount -o prjquota {DEVICE} {PLACE}") == ""
