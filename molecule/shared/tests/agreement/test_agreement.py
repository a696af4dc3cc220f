# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A check run says exactly what a real run then does, and a second run does nothing."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from testinfra.host import Host

from tests.support.scenario import Change, Scenario


def test_a_check_run_of_what_is_converged_reports_nothing(scenario: Scenario):
    assert scenario.converge("site.yml", "--check", "--diff") == []


@dataclass(frozen=True)
class Runs:
    """What a check run foresaw, and what the real run after it did."""

    accounts: int
    foreseen: list[Change]
    done: list[Change]


class TestChange:
    """A change of the registry and damage on the node, met by one run."""

    @pytest.fixture(scope="class")
    def runs(self, scenario: Scenario, node: Host) -> Runs:
        accounts = grow(scenario)
        damage(node)
        foreseen = scenario.converge("spaces.yml", "--check", "--diff")
        return Runs(accounts, foreseen, scenario.converge("spaces.yml"))

    def test_the_check_run_foresaw_what_was_done(self, runs: Runs):
        assert runs.foreseen == runs.done

    def test_it_was_about_the_spaces_that_differ_and_no_other(self, runs: Runs):
        text = " ".join(change.spaces for change in runs.done)
        assert "velo-ecole" in text
        assert "amap-du-val" in text
        assert "theatre-du-quai" not in text

    def test_the_node_is_whole_again(self, node: Host, runs: Runs):
        assert node.file("/etc/nginx/archipel/amap-du-val.conf").exists
        assert node.service("space-cron@amap-du-val.timer").is_running
        managed = node.file("/srv/spaces/velo-ecole/config/managed.config.php")
        assert oct(managed.mode) == oct(0o640)
        assert f"'one-click-instance.user-limit' => {runs.accounts}" in managed.content_string

    def test_a_further_run_changes_nothing(self, scenario: Scenario, runs: Runs):
        assert runs.done
        assert scenario.converge("spaces.yml") == []


def grow(scenario: Scenario) -> int:
    """Give the association more accounts in its file; return how many it now has."""
    accounts = int(scenario.spaces["velo-ecole"]["accounts"]) + 1
    path = scenario.registry("velo-ecole")
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not line.startswith("limits:")]
    changed = [*kept, f"limits: {{accounts: {accounts}, storage_gb: 45}}", ""]
    path.write_text("\n".join(changed), encoding="utf-8")
    return accounts


def damage(node: Host) -> None:
    """What a hurried hand leaves behind on a server."""
    node.check_output("rm /etc/nginx/archipel/amap-du-val.conf")
    node.check_output("chmod 0666 /srv/spaces/velo-ecole/config/managed.config.php")
    node.check_output("systemctl disable --now space-cron@amap-du-val.timer")
