# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Shares of the processor and of the disk: by space, and more for people than for jobs."""

from __future__ import annotations

import re

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from tests.policy.tree import ROOT

ROLE = ROOT / "roles/spaces"
UNITS = ROLE / "templates/etc/systemd/system"
LOADER = DataLoader()
LOADER.set_basedir(str(ROOT))


def weights(unit: str, **changes: int) -> dict[str, int]:
    """Return the weights in a unit as Ansible writes it."""
    defaults = LOADER.load_from_file(str(ROLE / "defaults/main.yml"), trusted_as_template=True)
    text = (UNITS / f"{unit}.j2").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if re.match(r"(?:CPU|IO)Weight=", line)]
    source = trust_as_template("\n".join(lines))
    found = str(Templar(LOADER, {**defaults, **changes}).template(source))
    return {name: int(value) for name, value in re.findall(r"^(\w+)=(\d+)$", found, re.MULTILINE)}


@pytest.mark.parametrize(
    "unit", ["space-php@.service", "space-cron@.service", "space-redis@.service"]
)
def test_every_service_of_a_space_says_both(unit: str):
    """What none in a slice says is shared out by process: whoever has most gets most."""
    assert weights(unit) == {"CPUWeight": 100, "IOWeight": 100}


def test_people_come_before_jobs():
    web, jobs = weights("archipel-web.slice"), weights("archipel-jobs.slice")
    assert web.keys() == jobs.keys() == {"CPUWeight", "IOWeight"}
    assert all(web[name] > jobs[name] for name in web)


def test_each_weight_is_a_setting():
    web = weights("archipel-web.slice", spaces_web_cpu_weight=300, spaces_web_io_weight=400)
    jobs = weights("archipel-jobs.slice", spaces_jobs_cpu_weight=30, spaces_jobs_io_weight=40)
    assert web == {"CPUWeight": 300, "IOWeight": 400}
    assert jobs == {"CPUWeight": 30, "IOWeight": 40}


@pytest.mark.parametrize(
    ("quota", "lines"), [("", []), ("150%", ["CPUQuota=150%", "CPUQuotaPeriodSec=10ms"])]
)
def test_a_share_that_nobody_goes_beyond_is_said_where_somebody_asks_for_it(
    quota: str, lines: list[str]
):
    """By itself a space takes what nobody else wants: on a node with one that is busy, all."""
    variables: dict[str, object] = {"ansible_managed": "Managed by Ansible"}
    for part in ("defaults", "vars"):
        path = str(ROLE / part / "main.yml")
        variables |= LOADER.load_from_file(path, trusted_as_template=True)
    text = (ROLE / "templates/etc/archipel/sandbox/common.conf.j2").read_text(encoding="utf-8")
    source = trust_as_template(text)
    made = str(Templar(LOADER, {**variables, "spaces_cpu_quota": quota}).template(source))
    assert [line for line in made.splitlines() if line.startswith("CPUQuota")] == lines
