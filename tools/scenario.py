# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""An environment of its own for each molecule scenario, made out of the demo's.

A scenario adds files to the registry and changes others; the project's files stay as
they are. Usage: ``python -m tools.scenario NAME``, after its machine was made.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tools import ROOT, release
from tools.lab.machine import Machine
from tools.lab.vm import VirtualMachine

# Scenarios that need a kernel of their own.
VIRTUAL = frozenset({"quota"})
# Scenario -> machine of its inventory -> what the lab calls it, where there are several.
FURTHER = {
    "acme": {"node2": "archipel-acme-second"},
    "attacks": {"node2": "archipel-attacks-second"},
    "cluster": {
        "edge2": "archipel-cluster-edge2",
        "web1": "archipel-cluster-web1",
        "web2": "archipel-cluster-web2",
        "web3": "archipel-cluster-web3",
        "db1": "archipel-cluster-db1",
    },
    "database": {"node2": "archipel-database-db"},
    "replica": {"node2": "archipel-replica-db1", "node3": "archipel-replica-db2"},
    "recover": {"node2": "archipel-recover-second", "edge1": "archipel-recover-edge"},
}
DEMO = ROOT / "inventories/demo"
REGISTRY = ROOT / "registry/demo"
ADDITIONS = ROOT / "molecule/shared/registry"


def folder(scenario: str) -> Path:
    """Return where everything of a scenario is kept."""
    return ROOT / "build/molecule" / scenario


def environment(scenario: str) -> Path:
    """Return the environment, as ``ansible-playbook -i`` takes it."""
    return folder(scenario) / "env"


def registry(scenario: str) -> Path:
    """Return its registry: beside the environment, where Ansible does not look."""
    return folder(scenario) / "registry"


def machine(scenario: str) -> Machine | VirtualMachine:
    """Return the scenario's machine."""
    name = f"archipel-{scenario}"
    kind = VirtualMachine if scenario in VIRTUAL else Machine
    return kind(name, ROOT / "build/lab" / name)


def further(scenario: str) -> dict[str, Machine]:
    """Return the scenario's other machines, by their names in its inventory."""
    names = FURTHER.get(scenario, {})
    return {node: Machine(name, ROOT / "build/lab" / name) for node, name in names.items()}


def make(scenario: str) -> Path:
    """Make the environment anew: the demo's registry, the tests' own, this machine."""
    env, lab = environment(scenario), machine(scenario)
    for path in (env, registry(scenario)):
        shutil.rmtree(path, ignore_errors=True)
    # The demo's keys and placement are its own; links are followed, so that what a
    # scenario changes is a copy.
    shutil.copytree(DEMO, env, ignore=shutil.ignore_patterns(".private"))
    _make_registry(registry(scenario), f"molecule-{scenario}")
    _write(env / "spaces.yml", {"plugin": "archipel.spaces.registry", "registry": "../registry"})
    own = ROOT / "molecule" / scenario / "environment"
    if own.is_dir():
        shutil.copytree(own, env, dirs_exist_ok=True)
    variables = {"archipel_environment": f"molecule-{scenario}", **release.variables()}
    if scenario not in VIRTUAL:
        variables["archipel_https_port"] = lab.port(443)
    _write(env / "group_vars/all/zz-scenario.yml", variables)
    for node in _nodes(_yaml(env / "nodes.yml")):
        _write(env / f"host_vars/{node}.yml", connection(further(scenario).get(node, lab)))
    return env


def _make_registry(home: Path, name: str) -> None:
    """The demo's files and the tests' own; where closed spaces were is taken over.

    One that never was cannot be closed.
    """
    shutil.copytree(REGISTRY, home, ignore=shutil.ignore_patterns("ledger.txt"))
    shutil.copytree(ADDITIONS, home, dirs_exist_ok=True)
    lock = _yaml(home / "placement.yml")
    files = {path.stem: _yaml(path) for path in home.glob("spaces/*.yml")}
    closed = {s: p for s, p in lock["spaces"].items() if files[s]["status"] == "closed"}
    _write(home / "placement.yml", {**lock, "environment": name, "spaces": closed})


def _yaml(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


def connection(lab: Machine | VirtualMachine) -> dict[str, Any]:
    """Return the variables with which Ansible reaches a machine."""
    return {
        "ansible_host": "127.0.0.1",
        "ansible_port": lab.port(22),
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(lab.key),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={lab.known_hosts}",
    }


def _nodes(inventory: dict[str, Any]) -> set[str]:
    return {host for group in _groups(inventory) for host in group.get("hosts") or {}}


def _groups(groups: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for group in groups.values():
        yield group or {}
        yield from _groups((group or {}).get("children") or {})


def _write(path: Path, variables: dict[str, Any]) -> None:
    """JSON is YAML: nothing to quote, nothing to get wrong."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(variables, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    print(make(sys.argv[1]))
