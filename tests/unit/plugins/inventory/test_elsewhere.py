# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whoever proposes a file of the registry runs nothing: from wherever Ansible is started."""

from __future__ import annotations

import os
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml

from tests.unit.environment import ROOT, Environment

if t.TYPE_CHECKING:
    Done = subprocess.CompletedProcess[str]


class Trap:
    """Files of an association that leave a mark where anything of them is run or templated."""

    def __init__(self, environment: Environment, marker: Path) -> None:
        self.environment, self.marker = environment, marker
        self.programs("#!/bin/sh", f"touch {marker}", "echo '{}'")
        command = f"{{{{ lookup('pipe', 'touch {marker}') }}}}"
        environment.space("cine", name=command, contact={"email": "a@b.example", "name": command})
        environment.write(
            "spaces/zoo.yml",
            yaml.safe_dump({"all": {"hosts": {"stranger": {}}, "vars": {"ansible_host": command}}}),
        )

    def programs(self, *lines: str) -> None:
        """Programs of two kinds: one that is nothing else, one that is an association's file."""
        for name in ("abeille", "chorale"):
            path = self.environment.write(f"spaces/{name}.yml", "\n".join(lines) + "\n")
            path.chmod(0o755)

    def run(self, *sources: Path, collection: bool, arguments: t.Sequence[str] = ()) -> Done:
        """List an inventory from another folder, without any settings."""
        nowhere = self.environment.root.parent.parent / "elsewhere"
        nowhere.mkdir(exist_ok=True)
        settings = {
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections" if collection else nowhere),
            "HOME": str(nowhere),
        }
        kept = {k: v for k, v in os.environ.items() if not k.startswith("ANSIBLE_")}
        given = [word for source in sources for word in ("-i", str(source))]
        return subprocess.run(
            ["ansible-inventory", *given, *(arguments or ["--list"])],
            cwd=nowhere, env={**kept, **settings},
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip


@pytest.fixture
def trap(environment: Environment, tmp_path: Path) -> Trap:
    return Trap(environment, tmp_path / "marker")


@pytest.mark.parametrize("collection", [True, False])
class TestNothingOfTheRegistryIsRun:
    def test_with_the_environment(self, trap: Trap, collection: bool):
        done = trap.run(trap.environment.root, collection=collection)
        assert not trap.marker.exists()
        assert "stranger" not in done.stdout
        if collection:
            assert done.returncode == 4
            assert "abeille.yml: executable, and a registry is data" in done.stderr

    def test_with_all_environments(self, trap: Trap, collection: bool):
        trap.run(trap.environment.root.parent, collection=collection)
        assert not trap.marker.exists()

    def test_with_one_file_of_it(self, trap: Trap, collection: bool):
        home = trap.environment.root
        trap.run(home / "nodes.yml", home / "spaces.yml", collection=collection)
        assert not trap.marker.exists()

    def test_the_files_that_are_good_are_no_templates(self, trap: Trap, collection: bool):
        for name in ("abeille", "chorale", "zoo"):
            (trap.environment.registry / f"{name}.yml").unlink()
        done = trap.run(trap.environment.root, collection=collection)
        assert done.returncode == 0, done.stderr
        assert ("lookup('pipe'" in done.stdout) is collection
        trap.run(
            trap.environment.root, collection=collection, arguments=["--host", "node1", "--yaml"]
        )
        assert not trap.marker.exists()


def test_the_trap_works(trap: Trap):
    """It is sprung where the registry lies in the environment."""
    shutil.copytree(trap.environment.registry, trap.environment.root / "spaces")
    done = trap.run(trap.environment.root, collection=False)
    assert trap.marker.exists(), done.stderr


class TestAnEnvironmentThatAnsibleWouldReadTheRegistryWith:
    """Refused in each run, so that nobody comes to depend on it."""

    @staticmethod
    def refusal(environment: Environment) -> str:
        done = environment.command("ansible-inventory", "--list")
        assert (done.returncode, done.stdout) == (4, ""), done.stderr
        return done.stderr.replace(f"{environment.root.parent.parent}/", "")

    def test_the_layout_of_before(self, environment: Environment):
        shutil.move(environment.registry, environment.root / "spaces")
        environment.placement().rename(environment.root / "placement.yml")
        assert (
            "inventories/lab: spaces and placement.yml must not lie where Ansible looks for "
            "inventories; run `mkdir -p registry/lab && git mv inventories/lab/spaces "
            "inventories/lab/placement.yml registry/lab/`"
        ) in self.refusal(environment)

    def test_keys_where_ansible_would_read_them(self, environment: Environment):
        environment.write("private/id_ed25519", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz\n")
        text = "run `mv inventories/lab/private inventories/lab/.private`"
        assert text in self.refusal(environment)

    @pytest.mark.parametrize("place", [".mine", "group_vars", "../registry", "../lab-registry"])
    def test_a_registry_below_an_inventory(self, environment: Environment, place: str):
        there = environment.root / place
        shutil.copytree(environment.registry, there / "associations" / "spaces")
        environment.options(registry=f"{place}/associations")
        assert "of its own; move it out of inventories" in self.refusal(environment)

    def test_a_link_into_the_registry(self, environment: Environment):
        (environment.root / "group_vars/more").mkdir()
        (environment.root / "group_vars/more/files").symlink_to(environment.registry)
        text = "inventories/lab/group_vars/more/files: leads into the registry registry/lab"
        assert text in self.refusal(environment)

    def test_a_link_to_one_file(self, environment: Environment):
        (environment.root / "zz.yml").symlink_to(environment.registry / "velo-ecole.yml")
        assert "inventories/lab/zz.yml: leads into the registry" in self.refusal(environment)

    def test_an_environment_behind_a_link(self, environment: Environment, tmp_path: Path):
        """The folder that Ansible reads counts, not the name it has."""
        hidden = environment.root.rename(tmp_path / "registry/lab/environment")
        environment.root.symlink_to(hidden)
        environment.options(registry=str(tmp_path / "registry/lab"))
        done = environment.command("ansible-inventory", "--list")
        assert done.returncode == 4, done.stdout

    def test_a_registry_named_with_i(self, environment: Environment):
        done = environment.command("ansible-inventory", "-i", str(environment.home), "--list")
        assert (done.returncode, done.stdout) == (4, "")
        assert "registry/lab: Ansible would read it with `-i" in done.stderr

    def test_an_environment_in_a_project_of_its_own(self, environment: Environment, tmp_path: Path):
        """Where only one folder is an inventory, its neighbours are nobody's."""
        project = tmp_path / "project"
        (project / "registry").mkdir(parents=True)
        environment.root.rename(project / "hosts")
        environment.registry.rename(project / "registry/spaces")
        environment.lock.rename(project / "registry/placement.yml")
        environment.root = project / "hosts"
        environment.options(registry="../registry")
        done = environment.command("ansible-inventory", "--graph", "spaces")
        assert "velo-ecole" in done.stdout, done.stderr
