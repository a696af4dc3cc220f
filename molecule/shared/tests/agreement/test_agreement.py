# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A check run says exactly what a real run then does, and a second run does nothing."""

from __future__ import annotations

import pytest
from testinfra.host import Host

from tests.support.scenario import Change, Scenario


def test_a_check_run_of_what_is_converged_reports_nothing(scenario: Scenario):
    assert scenario.converge("site.yml", "--check", "--diff") == []


class TestChange:
    """One change of the registry, and damage on the node, in one run."""

    @pytest.fixture(scope="class")
    def runs(self, scenario: Scenario, node: Host) -> tuple[list[Change], list[Change]]:
        """Return what a check run foresaw, and what the real run then did."""
        change_registry(scenario)
        damage(node)
        return scenario.converge("spaces.yml", "--check", "--diff"), scenario.converge("spaces.yml")

    def test_the_check_run_foresaw_what_was_done(self, runs: tuple[list[Change], list[Change]]):
        foreseen, done = runs
        assert foreseen == done

    def test_it_was_about_the_spaces_that_differ_and_no_other(
        self, runs: tuple[list[Change], list[Change]]
    ):
        text = " ".join(change.spaces for change in runs[1])
        assert "velo-ecole" in text
        assert "amap-du-val" in text
        assert "theatre-du-quai" not in text

    def test_the_node_is_whole_again(
        self, scenario: Scenario, node: Host, runs: tuple[list[Change], list[Change]]
    ):
        assert runs[1]
        assert node.file("/etc/nginx/archipel/amap-du-val.conf").exists
        managed = node.file("/srv/spaces/velo-ecole/config/managed.config.php")
        assert oct(managed.mode) == oct(0o640)
        assert "'one-click-instance.user-limit' => 61" in managed.content_string

    def test_a_further_run_changes_nothing(
        self, scenario: Scenario, runs: tuple[list[Change], list[Change]]
    ):
        assert runs[1]
        assert scenario.converge("spaces.yml") == []


def change_registry(scenario: Scenario) -> None:
    """The association grew: a line in its file."""
    path = scenario.registry("velo-ecole")
    text = path.read_text(encoding="utf-8")
    assert "limits:" not in text
    path.write_text(f"{text}limits: {{accounts: 61, storage_gb: 45}}\n", encoding="utf-8")


def damage(node: Host) -> None:
    """What a hurried hand leaves behind on a server."""
    node.check_output("rm /etc/nginx/archipel/amap-du-val.conf")
    node.check_output("chmod 0666 /srv/spaces/velo-ecole/config/managed.config.php")
    node.check_output("systemctl disable --now space-cron@amap-du-val.timer")
