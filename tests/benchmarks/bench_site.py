#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What a whole run costs: beside its bare SSH round trips, bare apt, and another revision.

- A run of ``playbooks/site.yml`` that finds nothing to do, on one node with some spaces: beside so
  many bare round trips over SSH as it makes (each starts a Python and ends it), and with
  ``--against REVISION`` beside the same run of that revision, in turns on the same node.
- The same in check mode.
- The first run of ``playbooks/platform.yml`` on a bare Debian, beside one apt that installs the
  same packages on another one. Releases are left out: unpacking them is work of its own.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import tempfile
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.nodes import BUILD, ROOT, Environment, Sample, cpu_seconds
from tools import release
from tools.lab.machine import Machine

SITE, PLATFORM = "playbooks/site.yml", "playbooks/platform.yml"
# As ansible.cfg has it: one connection for all of them.
CONTROL = ("-o", "ControlMaster=auto", "-o", "ControlPersist=60s")
# The least that any module does on a node.
LEAST = "/usr/bin/python3 -c 'import json, zipfile'"
EXECUTED = re.compile(r"SSH: EXEC ")


@dataclass
class Row:
    """One line of the table; a ratio is to the line before it."""

    title: str
    samples: list[Sample]
    beside: float | None = None

    @property
    def seconds(self) -> float:
        return statistics.median(sample.seconds for sample in self.samples)

    def cpu(self, of: str) -> float | None:
        """Return the median of processor seconds, of the controller or of the node."""
        values = [getattr(sample, f"{of}_cpu") for sample in self.samples]
        return None if None in values else statistics.median(values)


class Site:
    """A node, its environment, and the trees whose playbooks are run on it."""

    def __init__(self, machine: Machine, spaces: int, policy: dict[str, t.Any]) -> None:
        self.machine = machine
        self.environment = Environment(BUILD / "bench/site", spaces, [machine], **policy)

    def play(self, tree: Path, playbook: str, *options: str, **environment: str) -> Sample:
        """Run a playbook of a tree; measure the processors of both sides."""
        before = cpu_seconds(self.machine)
        settings = {
            "ANSIBLE_CONFIG": str(tree / "ansible.cfg"),
            "PYTHONPATH": str(tree),
            **environment,
        }
        sample = self.environment.play(str(tree / playbook), *options, **settings)
        sample.node_cpu = max(cpu_seconds(self.machine) - before, 0.0)
        return sample

    def unchanged(self, tree: Path, *options: str) -> Sample:
        """Run the whole playbook, which must change nothing.

        Raises:
            RuntimeError: it did.

        """
        sample = self.play(tree, SITE, *options)
        if sample.changed:
            raise RuntimeError(f"{tree}: {sample.changed} tasks changed something")
        return sample

    def count_trips(self, tree: Path) -> int:
        """Return how often a run without changes begins a program on the node over SSH."""
        command = ["ansible-playbook", "-vvv", "-i", str(self.environment.path), str(tree / SITE)]
        settings = {"ANSIBLE_CONFIG": str(tree / "ansible.cfg"), "PYTHONPATH": str(tree)}
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=True,
        )
        return len(EXECUTED.findall(done.stdout))

    def trip(self) -> float:
        """Return the seconds of one bare round trip: the median of twenty over one connection."""
        ssh = ["ssh", "-F", str(self.machine.ssh_config), *CONTROL]
        seconds = []
        # Not in the home folder: who benchmarks need not have a .ssh there.
        with tempfile.TemporaryDirectory() as folder:
            command = [*ssh, "-S", f"{folder}/ssh", self.machine.name, LEAST]
            for _ in range(21):
                start = time.perf_counter()
                subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
                seconds.append(time.perf_counter() - start)
            subprocess.run(
                [*ssh, "-S", f"{folder}/ssh", "-O", "exit", self.machine.name], check=True
            )
        # The first one connects.
        return statistics.median(seconds[1:])


def whole(site: Site, runs: int, trees: dict[str, Path]) -> list[Row]:
    """Measure runs without changes, the trees in turns."""
    site.play(trees["this"], SITE)
    for name, tree in trees.items():
        site.play(tree, SITE)
        print(f"  {name}: {site.count_trips(tree)} round trips over SSH")
    rows: dict[str, Row] = {}
    for case, options in (("no change", ()), ("check mode", ("--check",))):
        samples: dict[str, list[Sample]] = {name: [] for name in trees}
        for _ in range(runs):
            for name, tree in trees.items():
                # Whatever the other one has otherwise is not measured.
                if len(trees) > 1:
                    site.play(tree, SITE)
                samples[name].append(site.unchanged(tree, *options))
        rows |= {f"{case}, {name}": Row(f"{case}, {name}", samples[name]) for name in trees}
    trips = site.count_trips(trees["this"])
    bare = site.trip() * trips
    first = rows["no change, this"]
    first.beside = bare
    return [Row(f"{trips} bare round trips", [Sample(bare)]), *rows.values()]


def installed(machine: Machine) -> set[str]:
    """Return the packages that somebody has asked for."""
    return set(machine.execute("apt-mark", "showmanual").split())


def first_run(number: int) -> list[Row]:
    """Measure a first run on a bare Debian, and one apt for the same packages on another."""
    bare, other = (
        Machine(name, BUILD / "lab" / name) for name in ("archipel-bare", "archipel-apt")
    )
    rows = []
    try:
        for machine in (bare, other):
            machine.down()
            machine.up("trixie", [":22"])
        before = installed(bare)
        site = Site(bare, number, {})
        rows = [
            Row(
                "first run on a bare Debian",
                [site.play(ROOT, PLATFORM, "--skip-tags", "nextcloud")],
            )
        ]
        packages = sorted(installed(bare) - before)
        command = (
            "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y "
            f"--no-install-recommends {' '.join(packages)}"
        )
        start = time.perf_counter()
        other.execute(
            "sh",
            "-c",
            f"printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d; "
            f"chmod +x /usr/sbin/policy-rc.d; {command}",
        )
        rows.append(
            Row(f"one apt, {len(packages)} packages", [Sample(time.perf_counter() - start)])
        )
        rows[0].beside = rows[1].seconds
    finally:
        for machine in (bare, other):
            machine.down()
    return rows


def checkout(revision: str) -> Path:
    """Return a tree of another revision."""
    tree = BUILD / f"bench/tree-{revision.replace('/', '-')}"
    if not tree.exists():
        subprocess.run(
            ["git", "worktree", "add", "--detach", str(tree), revision], cwd=ROOT, check=True
        )
    return tree


def show(rows: list[Row], against: str | None) -> None:
    """Print the table: what stands beside what, with its ratio."""
    print(f"  {'':<34}{'seconds':>9}{'controller':>12}{'node s':>8}{'tasks':>7}   times")
    for row in rows:
        cells = [row.cpu("controller"), row.cpu("node")]
        shown = "".join(f"{'' if one is None else format(one, '.2f'):>10}" for one in cells)
        tasks = row.samples[0].tasks or ""
        times = f"{row.seconds / row.beside:8.2f}" if row.beside else ""
        print(f"  {row.title:<34}{row.seconds:9.2f}{shown}{tasks!s:>7}{times}")
    found = {row.title: row.seconds for row in rows}
    for case in ("no change", "check mode"):
        if against and f"{case}, {against}" in found:
            ratio = found[f"{case}, {against}"] / found[f"{case}, this"]
            print(f"  {case}: {against} takes {ratio:.2f} times as long")


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="5 spaces, no first run")
    parser.add_argument("--spaces", type=int, help="spaces of the node (50)")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--against", help="another revision, whose runs take turns with ours")
    parser.add_argument("--keep", action="store_true", help="leave the node for the next time")
    options = parser.parse_args()
    number = options.spaces or (5 if options.quick else 50)
    machine = Machine("archipel-site", BUILD / "lab/archipel-site")
    trees = {"this": ROOT}
    if options.against:
        trees[options.against] = checkout(options.against)
    try:
        machine.up("trixie", [":22"])
        site = Site(machine, number, {"spaces_install_enabled": True, **release.variables()})
        print(f"A run of {SITE}, one node, {number} spaces, medians of {options.runs}")
        show(whole(site, options.runs, trees), options.against)
    finally:
        if not options.keep:
            machine.down()
    if not options.quick:
        print("The first run")
        show(first_run(number), None)


if __name__ == "__main__":
    main()
