# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What an association takes with it, and transfers that were cut short."""

from __future__ import annotations

import base64
import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

from testinfra.host import Host

from tests.support.association import FILES, Association
from tests.support.scenario import Scenario

SPOOL = "/var/lib/archipel/export"
ONLY = ("-e", "only=velo-ecole")
WRITE, SAY = "Write the archive, and bring it here", "Say what is in it"


def export(scenario: Scenario, folder: Path, *options: str) -> dict[str, Any]:
    """Export the space; return what came of it."""
    results = scenario.attempt("export.yml", *ONLY, "-e", f"export_folder={folder}", *options)
    assert SAY in results, results
    return results[WRITE]


def spool(node: Host) -> list[str]:
    return node.check_output(f"ls -A {SPOOL} 2>/dev/null || true").split()


def test_a_check_run_measures_and_writes_nothing(
    scenario: Scenario, node: Host, velo: Association, tmp_path: Path
):
    results = scenario.attempt("export.yml", "--check", *ONLY, "-e", f"export_folder={tmp_path}")
    would = results["Measure the space"]["would"]
    assert would["files"] >= FILES
    assert would["need"] > would["bytes"] >= sum(1000 * number for number in range(FILES))
    assert spool(node) == []
    assert list(tmp_path.iterdir()) == []


def test_everything_is_in_it_and_nothing_stays_on_the_machine(
    scenario: Scenario, node: Host, velo: Association, tmp_path: Path
):
    made = export(scenario, tmp_path)
    path = tmp_path / "velo-ecole.tar.gz"
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    assert path.stat().st_mode & 0o777 == 0o600
    assert hashlib.sha256(path.read_bytes()).hexdigest() == made["sha256"]
    assert spool(node) == []
    base = "/srv/spaces/velo-ecole/data/camille/files"
    with tarfile.open(path) as archive:
        found = {
            member.name: hashlib.sha256(archive.extractfile(member).read()).hexdigest()  # type: ignore[union-attr]
            for member in archive
            if member.isreg()
        }
    sums = node.check_output(f"cd {base} && find . -type f -exec sha256sum {{}} +")
    expected = {f"files/camille/{line[66:][2:]}": line[:64] for line in sums.splitlines()}
    assert {name: digest for name, digest in found.items() if name in expected} == expected
    assert {"README.txt", "database.sql"} <= set(found)
    assert made["counts"]["files"] >= FILES


def test_a_transfer_that_was_cut_short_goes_on(
    scenario: Scenario, node: Host, velo: Association, tmp_path: Path
):
    """As a controller leaves it that was killed: the archive there, the beginning of it here."""
    kept = export(scenario, tmp_path, "-e", "keep=node")
    assert sorted(spool(node)) == ["velo-ecole.json", "velo-ecole.tar.gz"]
    assert list(tmp_path.iterdir()) == []
    assert node.file(f"{SPOOL}/velo-ecole.tar.gz").mode == 0o600
    begun = node.check_output(f"head -c 100000 {SPOOL}/velo-ecole.tar.gz | base64 -w 0")
    part = tmp_path / "velo-ecole.tar.gz.part"
    part.write_bytes(base64.b64decode(begun))
    wanted = {"path": kept["path"], "size": kept["size"], "sha256": kept["sha256"]}
    part.with_name(f"{part.name}.json").write_text(json.dumps(wanted))
    made = export(scenario, tmp_path)
    assert (made["reused"], made["resumed_at"]) == (True, 100_000)
    assert [one.name for one in tmp_path.iterdir()] == ["velo-ecole.tar.gz"]
    whole = (tmp_path / "velo-ecole.tar.gz").read_bytes()
    assert hashlib.sha256(whole).hexdigest() == kept["sha256"]
    assert spool(node) == []


def test_a_machine_that_keeps_no_backups_exports_too(
    scenario: Scenario, node: Host, velo: Association, tmp_path: Path
):
    node.check_output("mv /etc/archipel/backup /etc/archipel/backup.aside")
    try:
        made = export(scenario, tmp_path)
    finally:
        node.check_output("mv /etc/archipel/backup.aside /etc/archipel/backup")
    assert made["counts"]["files"] >= FILES
    assert [one.name for one in tmp_path.iterdir()] == ["velo-ecole.tar.gz"]
    assert spool(node) == []


def test_a_suspended_space_is_not_woken(
    scenario: Scenario, node: Host, velo: Association, tmp_path: Path
):
    decision = {"by": "moderation", "on": "2026-03-02", "reason": "none"}
    velo.write(status="suspended", decision=decision)
    scenario.converge("spaces.yml", *ONLY)
    try:
        made = export(scenario, tmp_path)
        assert made["counts"]["files"] >= FILES
        assert node.run("systemctl is-active space-php@velo-ecole.service").rc != 0
    finally:
        velo.write(status="approved")
        scenario.converge("spaces.yml", *ONLY)


def test_no_room_is_said_and_nothing_is_left(
    scenario: Scenario, node: Host, velo: Association, tmp_path: Path
):
    node.check_output("mkdir -p /mnt/small && mount -t tmpfs -o size=2m tmpfs /mnt/small")
    try:
        said = scenario.refusal(
            "export.yml", *ONLY, "-e", f"export_folder={tmp_path}", "-e", "export_spool=/mnt/small"
        )
        assert "stay free for the spaces): make room" in said
        assert node.check_output("find /mnt/small -type f") == ""
    finally:
        node.check_output("umount /mnt/small")
    assert list(tmp_path.iterdir()) == []
