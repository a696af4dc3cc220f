# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A running scenario as its tests see it: the registry, the machine, the playbooks."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import testinfra
from testinfra.host import Host

from tests.support.browser import Browser
from tools import ROOT, inventory, scenario

Space = dict[str, Any]
PLAYBOOK_SECONDS = 900


@dataclass(frozen=True)
class Change:
    """One task of one playbook that changed something, or would have."""

    task: str
    # Slug → what was done, where the task works on many spaces.
    spaces: str


class Scenario:
    """Everything that tests ask of one scenario."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.environment = scenario.environment(name)
        self.registry_folder = scenario.registry(name)
        self.machine = scenario.machine(name)

    @cached_property
    def node(self) -> Host:
        """The machine, over the same SSH that Ansible uses."""
        return testinfra.get_host(
            f"ssh://{self.machine.name}?controlpersist=60", ssh_config=str(self.machine.ssh_config)
        )

    @cached_property
    def browser(self) -> Browser:
        """A browser that trusts the environment's own authority and nobody else."""
        chain = self.node.file("/etc/archipel/tls/wildcard/chain.pem").content_string
        return Browser(port=self.machine.port(443), authority=chain)

    @property
    def spaces(self) -> dict[str, Space]:
        """Slug → space, of all that the node must hold. Read anew: tests change the registry."""
        return {space["slug"]: space for space in inventory.read(self.environment).spaces}

    def in_status(self, status: str) -> dict[str, Space]:
        """Return the spaces of one status."""
        return {slug: space for slug, space in self.spaces.items() if space["status"] == status}

    def registry(self, slug: str) -> Path:
        """Return an association's file in this scenario's copy of the registry."""
        return self.registry_folder / f"spaces/{slug}.yml"

    def converge(self, playbook: str, *options: str) -> list[Change]:
        """Run a playbook and return what it changed; with --check: would have changed."""
        output = self._json("ansible-playbook", *options, str(ROOT / "playbooks" / playbook))
        return sorted(_changes(output), key=lambda change: change.task)

    def attempt(self, playbook: str | Path, *options: str) -> dict[str, dict[str, Any]]:
        """Run a playbook that may fail; return each task's result by the task's name."""
        output = self._run("ansible-playbook", *options, str(ROOT / "playbooks" / playbook))
        return {name.split(": ", 1)[1]: result for name, result in _results(output)}

    def refusal(self, playbook: str, *options: str) -> str:
        """Run a playbook that must fail, and return what it said, the inventory's words too."""
        done = self._call("ansible-playbook", *options, str(ROOT / "playbooks" / playbook))
        assert done.returncode != 0, done.stdout
        failures = _failures(json.loads(done.stdout)) if done.stdout.startswith("{") else []
        return "\n".join([*failures, done.stderr])

    def module(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Run a module on the machine and return its result, failed or not."""
        output = self._run("ansible", "web", "-m", name, "-a", json.dumps(arguments))
        (result,) = output["plays"][0]["tasks"][0]["hosts"].values()
        return dict(result)

    def occ(self, slug: str, arguments: str, node: str = "web", **environment: str) -> str:
        """Run occ in a space the way an operator does; with several web nodes, on its own."""
        options = {"space": slug, "args": arguments, "environment": environment}
        output = self._json("ansible", node, "-m", "archipel.spaces.occ", "-a", json.dumps(options))
        (result,) = output["plays"][0]["tasks"][0]["hosts"].values()
        return str(result["stdout"])

    def sql(self, statement: str) -> list[list[str]]:
        """Ask the database as root and return the rows."""
        rows = self.node.check_output("mariadb --batch --raw --skip-column-names -e %s", statement)
        return [line.split("\t") for line in rows.splitlines()]

    def show(self, unit: str, *properties: str) -> dict[str, str]:
        """Return some properties of a unit as systemd holds them."""
        names = ",".join(properties)
        shown = self.node.check_output("systemctl show %s --property=%s", unit, names)
        return dict(line.split("=", 1) for line in shown.splitlines())

    def _json(self, program: str, *arguments: str) -> dict[str, Any]:
        """Run Ansible and return all it did; it must have succeeded."""
        output = self._run(program, *arguments)
        failed = _failures(output)
        assert not failed, "\n".join(failed)
        return output

    def _run(self, program: str, *arguments: str) -> dict[str, Any]:
        """Run Ansible on this environment and return all it did, task by task."""
        done = self._call(program, *arguments)
        assert done.stdout.startswith("{"), f"{program} {arguments}\n{done.stdout}{done.stderr}"
        output = dict(json.loads(done.stdout))
        assert bool(done.returncode) == bool(_failures(output)), f"{done.stdout}{done.stderr}"
        return output

    def _call(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Ansible on this environment; what it did comes as JSON."""
        return subprocess.run(
            [program, "-i", str(self.environment), *arguments],
            cwd=ROOT,
            env={
                **inventory.settings(),
                "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
                "ANSIBLE_LOAD_CALLBACK_PLUGINS": "true",
                # Durations in between would not be JSON; an empty list is not taken.
                "ANSIBLE_CALLBACKS_ENABLED": "none",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PLAYBOOK_SECONDS,
            check=False,
        )


def _results(output: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return every task on every host, with what came of it."""
    for play in output["plays"]:
        for task in play["tasks"]:
            for host, result in task["hosts"].items():
                yield f"{host}: {task['task']['name']}", result


def _changes(output: dict[str, Any]) -> list[Change]:
    return [
        Change(task, json.dumps(result.get("spaces"), sort_keys=True, ensure_ascii=False))
        for task, result in _results(output)
        if result.get("changed")
    ]


def _failures(output: dict[str, Any]) -> list[str]:
    """Return what failed; a machine that was allowed to be gone did not."""
    gone = {host for host, numbers in output.get("stats", {}).items() if numbers["unreachable"]}
    return [
        f"{task}: {result.get('msg')}"
        for task, result in _results(output)
        if result.get("failed") or (result.get("unreachable") and task.split(": ")[0] in gone)
    ]


def title(page: str) -> str:
    """Return the title of a page as it stands in the source."""
    match = re.search(r"<title>(.*?)</title>", page, re.DOTALL)
    assert match is not None, page[:500]
    return match.group(1).strip()
