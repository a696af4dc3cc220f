# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Backups and restores, killed at every step, with a database that dies and disks that fill."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any

import pytest
from testinfra.host import Host

from tests.support.association import Association
from tests.support.scenario import Scenario

PROGRAM = "/usr/local/libexec/archipel/backup"
RESTORE = "archipel.spaces.spaces_restore"
HOOK = "/run/archipel/kill-at"
JOURNAL = "/var/lib/archipel/life/velo-ecole.json"
ONLY = ("-e", "only=velo-ecole")
CONFIRM = ("-e", "confirm=velo-ecole")


@dataclass(frozen=True)
class Before:
    """What must come back."""

    files: str
    stored: str


@pytest.fixture(scope="module")
def before(scenario: Scenario, velo: Association) -> Before:
    scenario.converge("backup.yml", *ONLY, "-e", "verify=true")
    return Before(velo.files(), velo.stored())


def damage(node: Host) -> None:
    """Lose files and rows, as a mistake of somebody would."""
    node.check_output("rm /srv/spaces/velo-ecole/data/camille/files/f1*")
    node.check_output("mariadb -e 'DELETE FROM `space_velo-ecole`.oc_filecache'")


def record(node: Host) -> dict[str, Any]:
    return dict(json.loads(node.file("/var/lib/archipel/backup/record.json").content_string))


class TestBackup:
    def test_a_backup_is_proved_beside_the_live_space(self, node: Host, before: Before):
        entry = record(node)["velo-ecole"]
        assert entry["verification"]["snapshot"] == entry["backup"]["snapshot"]
        # All but the dump and its description have a live counterpart, and are equal to it.
        assert entry["verification"]["equal"] == int(entry["verification"]["files"]) - 2
        assert entry["verification"]["moved_on"] == 0
        assert node.check_output("mariadb -Ne \"SHOW DATABASES LIKE 'archipel%%'\"") == ""

    @pytest.mark.parametrize("step", ["dump", "snapshot", "record"])
    def test_killed_and_run_again(self, node: Host, velo: Association, before: Before, step: str):
        node.check_output(f"echo backup:{step} > {HOOK}")
        # The shell survives to tell: of a command that was killed, ssh itself says only 255.
        assert node.run(f"{PROGRAM} run velo-ecole; exit $?").rc == 137
        done = node.run(f"{PROGRAM} run velo-ecole")
        assert done.rc == 0, done.stderr
        assert node.check_output("find /var/lib/archipel/backup/staging -type f") == ""
        assert velo.stored() == before.stored

    def test_the_clock_s_service_does_the_same(self, node: Host, before: Before):
        last = record(node).get("amap-du-val", {})
        assert node.run("systemctl start archipel-backup.service").rc == 0
        assert record(node)["amap-du-val"] != last
        assert node.run("systemctl start archipel-backup-verify.service").rc == 0

    def test_a_full_disk_is_said_and_nothing_lost(
        self, node: Host, velo: Association, before: Before
    ):
        staging = "/var/lib/archipel/backup/staging"
        node.check_output(f"mkdir -p {staging}; mount -t tmpfs -o size=1m tmpfs {staging}")
        try:
            done = node.run(f"{PROGRAM} run velo-ecole")
        finally:
            node.check_output(f"umount {staging}")
        assert done.rc == 1
        assert "are free: make room, or set backup_work_directory" in done.stderr
        assert "make room" in record(node)["velo-ecole"]["failed"]["reason"]
        assert velo.stored() == before.stored
        assert node.run(f"{PROGRAM} run velo-ecole").rc == 0

    def test_the_wrong_key_is_said_once_and_told_about(self, node: Host, before: Before):
        key, alert = "/etc/archipel/backup/password", "/etc/archipel/alert.d/test"
        script = "#!/bin/sh\\necho $1 > /run/archipel/alerted\\n"
        node.check_output(f"printf '{script}' > {alert}; chmod 755 {alert}; cp {key} {key}.kept")
        node.check_output(f"echo another-key-than-before > {key}")
        try:
            done = node.run(f"{PROGRAM} run")
            assert node.run("systemctl start archipel-backup.service").rc != 0
            waited = "timeout 20 sh -c 'until test -s /run/archipel/alerted; do sleep 0.2; done'"
            node.check_output(waited)
        finally:
            node.check_output(f"mv {key}.kept {key}; rm {alert}")
        assert done.rc == 1
        assert done.stderr.count("it was made with another key") == 1
        told = node.file("/run/archipel/alerted").content_string.strip()
        assert told == "archipel-backup"
        assert node.file("/var/lib/archipel/backup/failed-run").exists
        assert node.run("systemctl start archipel-backup.service").rc == 0
        assert not node.file("/var/lib/archipel/backup/failed-run").exists

    def test_a_locked_repository_is_said(self, node: Host, before: Before):
        holding = "sleep 30 | archipel-restic backup --stdin --tag=test"
        node.check_output(f"sh -c {shlex.quote(holding)} >/dev/null 2>&1 & sleep 5")
        done = node.run(f"{PROGRAM} maintain")
        node.run("pkill -x sleep")
        assert done.rc == 1
        assert "archipel-restic list locks" in done.stderr

    def test_a_damaged_backup_proves_nothing(self, node: Host, before: Before):
        """A file that changed without its size and time: the copy is not what the live one is."""
        path = "/srv/spaces/velo-ecole/data/camille/files/f5.bin"
        change = f"cp -p {path} /run/f5; tr '\\000-\\377' '\\001-\\377\\000' < /run/f5 > {path}"
        node.check_output(f"{change}; touch -r /run/f5 {path}")
        done = node.run(f"{PROGRAM} verify velo-ecole")
        node.check_output(f"cat /run/f5 > {path}; touch -r /run/f5 {path}")
        assert done.rc == 1
        assert f"{path} differs from the live file of the same age" in done.stderr
        assert node.run(f"{PROGRAM} verify velo-ecole").rc == 0


class TestRestore:
    def test_not_over_a_live_space_without_confirmation(
        self, scenario: Scenario, node: Host, velo: Association, before: Before
    ):
        said = scenario.refusal("restore.yml", *ONLY)
        assert "If that is meant: -e confirm=velo-ecole" in said
        assert velo.stored() == before.stored

    def test_a_restored_space_is_as_it_was(
        self, scenario: Scenario, node: Host, velo: Association, before: Before
    ):
        damage(node)
        scenario.converge("restore.yml", *ONLY, *CONFIRM)
        assert (velo.files(), velo.stored()) == (before.files, before.stored)
        fingerprint = scenario.occ("velo-ecole", "config:system:get data-fingerprint")
        assert len(fingerprint.strip()) == 32
        # Storing it has written the operator's keys into the space's state file as well.
        assert scenario.converge("spaces.yml", *ONLY) == []

    def test_what_was_there_is_kept_until_confirmed(
        self, scenario: Scenario, node: Host, velo: Association, before: Before
    ):
        kept = node.check_output("ls /srv/spaces/.previous-velo-ecole/data/camille/files").split()
        assert len(kept) == 19
        said = scenario.module(RESTORE, space="velo-ecole", confirm="velo-ecole")["msg"]
        assert "from before an earlier restore is still kept" in said
        scenario.converge("restore.yml", *ONLY, *CONFIRM, "-e", "previous=restore")
        assert "f1.bin" not in node.check_output("ls /srv/spaces/velo-ecole/data/camille/files")
        scenario.converge("restore.yml", *ONLY, *CONFIRM)
        scenario.converge("restore.yml", *ONLY, *CONFIRM, "-e", "previous=discard")
        assert node.check_output("ls -A /srv/spaces").split() == ["amap-du-val", "velo-ecole"]
        assert (velo.files(), velo.stored()) == (before.files, before.stored)

    def test_nothing_moves_under_what_still_runs(
        self, scenario: Scenario, node: Host, velo: Association, before: Before
    ):
        """A process of the space's user in no unit of the space, as an operator's shell is."""
        shell = "systemd-run --quiet --unit=test-shell --uid=space-velo-ecole sleep 600"
        node.check_output(shell)
        folder = node.check_output("ls --inode /srv/spaces/velo-ecole")
        try:
            said = scenario.refusal("restore.yml", *ONLY, *CONFIRM)
            assert "velo-ecole: it is not at a standstill: process " in said
            assert "(sleep, of test-shell.service)" in said
            assert node.check_output("ls --inode /srv/spaces/velo-ecole") == folder
            # Nobody starts it meanwhile: not a visitor, not by hand.
            assert velo.ask("GET", "/status.php")[0] == 502
            node.run("systemctl start space-php@velo-ecole.socket space-cron@velo-ecole.service")
            assert node.check_output("pgrep -u space-velo-ecole -c") == "1"
        finally:
            node.check_output("systemctl stop test-shell.service")
        scenario.converge("restore.yml", *ONLY)
        assert (velo.files(), velo.stored()) == (before.files, before.stored)
        scenario.converge("restore.yml", *ONLY, *CONFIRM, "-e", "previous=discard")
        assert node.run("ls /var/lib/archipel/still/velo-ecole").rc != 0

    def test_killed_at_every_step(
        self, scenario: Scenario, node: Host, velo: Association, before: Before
    ):
        damage(node)
        for step in ("fetch", "stop", "aside", "load", "place", "finish"):
            node.check_output(f"echo restore:{step} > {HOOK}")
            scenario.module(RESTORE, space="velo-ecole", confirm="velo-ecole")
            assert not node.file(HOOK).exists, f"{step} was not reached"
            journal = json.loads(node.file(JOURNAL).content_string)
            assert (journal["verb"], journal["step"]) == ("restore", step)
        said = scenario.refusal("spaces.yml", *ONLY)
        assert "finish it with playbooks/restore.yml -e only=velo-ecole" in said
        scenario.converge("restore.yml", *ONLY)
        assert (velo.files(), velo.stored()) == (before.files, before.stored)
        assert not node.file(JOURNAL).exists

    def test_the_database_dies_while_it_is_loaded(
        self, scenario: Scenario, node: Host, velo: Association, before: Before
    ):
        scenario.converge("restore.yml", *ONLY, *CONFIRM, "-e", "previous=discard")
        waits = f'until grep -qs \'"step": "load"\' {JOURNAL}; do sleep 0.02; done'
        kill = f"timeout 60 sh -c {shlex.quote(waits)} && kill -9 $(pgrep -x mariadbd)"
        node.check_output(f"systemd-run --quiet --unit=test-kill sh -c {shlex.quote(kill)}")
        done = scenario.module(RESTORE, space="velo-ecole", confirm="velo-ecole")
        node.check_output("timeout 60 sh -c 'until mariadb-admin ping; do sleep 0.5; done'")
        if done.get("failed"):
            assert "MariaDB" in done["msg"] or "loaded" in done["msg"]
        scenario.converge("restore.yml", *ONLY, *CONFIRM if not done.get("failed") else ())
        assert (velo.files(), velo.stored()) == (before.files, before.stored)

    def test_a_half_removed_space(
        self, scenario: Scenario, node: Host, velo: Association, before: Before
    ):
        scenario.converge("restore.yml", *ONLY, *CONFIRM, "-e", "previous=discard")
        node.check_output("systemctl stop space-php@velo-ecole.socket space-php@velo-ecole.service")
        node.check_output("rm -r /srv/spaces/velo-ecole")
        node.check_output("mariadb -e 'DROP DATABASE `space_velo-ecole`'")
        node.check_output(
            "rm /etc/nginx/archipel/velo-ecole.conf /etc/archipel/php/velo-ecole.conf"
        )
        scenario.converge("restore.yml", *ONLY)
        assert (velo.files(), velo.stored()) == (before.files, before.stored)
