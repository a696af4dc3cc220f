# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""An environment on disk, made for one test and broken as the test likes."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import typing as t
from pathlib import Path

import yaml
from ansible.errors import AnsibleParserError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import inventory_loader

ROOT = Path(__file__).resolve().parents[2]

SPACE: dict[str, t.Any] = {
    "name": "Vélo-école",
    "status": "approved",
    "contact": {"email": "bureau@velo-ecole.example"},
    "decision": {"by": "moderation", "on": "2024-05-30"},
}
POLICY: dict[str, t.Any] = {
    "archipel_environment": "lab",
    "archipel_base_domain": "spaces.example.org",
    "archipel_https_port": 443,
    "archipel_limits_default": {"accounts": 50, "storage_gb": 40},
    "archipel_limits_maximum": {"accounts": 200, "storage_gb": 200},
    "archipel_reserved_slugs": ["www"],
    "archipel_offices": ["collabora", "onlyoffice"],
    "archipel_default_locale": "fr",
    "archipel_default_timezone": "Europe/Paris",
    "archipel_release": "33.0.9",
    "archipel_releases": {"33.0.9": {}, "34.0.1": {}},
}
ONE_NODE = "web: {hosts: {node1: {}}}\ndb: {hosts: {node1: {}}}\n"


class Environment:
    """inventories/<name>/ and registry/<name>/ with everything that the plugin reads."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root.parent.parent / "registry" / root.name
        self.registry = self.home / "spaces"
        self.lock = self.home / "placement.yml"
        self.registry.mkdir(parents=True)
        self.write("nodes.yml", ONE_NODE)
        self.options()
        self.policy()
        self.placement(next_id=70_000)

    def write(self, name: str, text: str | bytes) -> Path:
        """Write a file of the environment, or of its registry, by the name it has there."""
        in_registry = name.startswith(("spaces/", "placement.yml", "ledger.txt"))
        path = (self.home if in_registry else self.root) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def space(self, slug: str, **changes: t.Any) -> Path:
        """Write an association's file; a change to None removes the key."""
        data = {**copy.deepcopy(SPACE), **changes}
        data = {key: value for key, value in data.items() if value is not None}
        return self.write(f"spaces/{slug}.yml", json.dumps(data, indent=1, ensure_ascii=False))

    def policy(self, **changes: t.Any) -> Path:
        data = {**POLICY, **changes}
        data = {key: value for key, value in data.items() if value is not None}
        return self.write("group_vars/all/policy.yml", yaml.safe_dump(data))

    def options(self, **options: t.Any) -> Path:
        data = {"plugin": "archipel.spaces.registry", **options}
        return self.write("spaces.yml", yaml.safe_dump(data))

    def placement(self, *lines: str, environment: str = "lab", next_id: int = 70_100) -> Path:
        spaces = "\n".join(["spaces:", *(f"  {line}" for line in lines)]) if lines else "spaces: {}"
        head = f"environment: {environment}\nnext_id: {next_id}\n"
        return self.write("placement.yml", f"---\n{head}{spaces}\n")

    def load(self, *others: Environment, flush: bool = False) -> InventoryManager:
        """The inventory, as every command of Ansible would have it."""
        sources = [str(one.root) for one in (*others, self)]
        return InventoryManager(DataLoader(), sources=sources, cache=not flush)

    def problems(self) -> list[str]:
        """What the plugin finds wrong: one sentence each, paths relative to the environment."""
        loader = DataLoader()
        manager = InventoryManager(loader, sources=[str(self.root)], parse=False)
        manager.parse_source(str(self.root / "nodes.yml"))
        plugin = inventory_loader.get("archipel.spaces.registry")
        try:
            plugin.read(manager._inventory, loader, str(self.root / "spaces.yml"))
        except AnsibleParserError as error:
            text = error._help_text or error.message
            text = t.cast("str", text).replace(f"{self.root}/", "")
            return text.replace(f"{self.home}/", "").splitlines()
        return []

    def command(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command of Ansible on this environment, as people run it."""
        return subprocess.run(
            [program, "-i", str(self.root), *arguments],
            cwd=ROOT,
            env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"},
            capture_output=True,
            text=True,
            check=False,
            # Seconds take minutes on a host that does other things.
            timeout=300,
        )

    def tree(self) -> dict[str, bytes]:
        """Every file and its content."""
        files = (path for part in (self.root, self.home) for path in part.rglob("*"))
        return {str(path): path.read_bytes() for path in files if path.is_file()}
