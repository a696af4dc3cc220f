#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What one space costs among ten thousand: a run for it alone, and its first page.

A registry of many files over many nodes, of which one is a machine; no run reaches the others.

- ``playbooks/spaces.yml -e only=…`` with nothing to do, and with ``--against REVISION`` the same of
  that revision in turns: processor time of the controller, wall time.
- With ``--release`` (or ``--standin``): one file more, from writing it to the first 200 of the
  login page, while the page is asked for all the time; and which tasks the seconds went to.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.benchmarks import choice
from tests.benchmarks.bench_site import checkout
from tests.benchmarks.nodes import BUILD, ROOT, Environment, Nodes, Sample
from tools import release
from tools.lab.host import podman

SPACES = "playbooks/spaces.yml"
# Asks for a login page until it is there; prints when that was.
FIRST = """\
import http.client, socket, ssl, sys, time
host, end = sys.argv[1], time.time() + float(sys.argv[2])
context = ssl._create_unverified_context()
while time.time() < end:
    try:
        web = http.client.HTTPConnection(host)
        plain = socket.create_connection(("127.0.0.1", 443), timeout=30)
        web.sock = context.wrap_socket(plain, server_hostname=host)
        web.request("GET", "/index.php/login")
        if web.getresponse().status == 200:
            print(time.time())
            sys.exit()
    except (OSError, http.client.HTTPException):
        pass
    time.sleep(0.1)
sys.exit(f"{host}: no login page")
"""


class Registry(Environment):
    """An environment of many spaces; all but a few are recorded on nodes that do not exist."""

    far = 0

    def reach(self, interpreter: str = "/usr/bin/python3") -> None:
        """Write how the machine is reached, and addresses at which nobody answers."""
        super().reach(interpreter)
        file = self.path / "nodes.yml"
        nodes = yaml.safe_load(file.read_text())
        for one in range(self.far):
            host = f"far{one}"
            nodes["web"]["hosts"][host] = {"ansible_host": f"192.0.2.{one + 1}"}
            nodes["db"]["hosts"][host] = {}
        file.write_text(yaml.safe_dump(nodes))

    def place(self, number: int, here: int) -> None:
        """Write so many files; the first ones live on the machine, the others anywhere else."""
        lines = []
        for one in range(number):
            self.add(one)
            node = "node0" if one < here or not self.far else f"far{one % self.far}"
            lines.append(f"  asso-{one}: {{id: {70_000 + one}, web: {node}, db: {node}}}\n")
        head = f"next_id: {70_000 + number}\nspaces:\n"
        (self.registry / "placement.yml").write_text(head + "".join(lines))


@dataclass
class First:
    """One space more: seconds to its first page and of the run, and how it went."""

    page: float
    run: float
    tasks: list[tuple[float, str]]


def settings(tree: Path) -> dict[str, str]:
    """Return the environment of a run of a tree."""
    return {"ANSIBLE_CONFIG": str(tree / "ansible.cfg"), "PYTHONPATH": str(tree)}


def quiet(
    registry: Registry, trees: dict[str, Path], runs: int, *more: str
) -> dict[str, list[Sample]]:
    """Return runs for one space that change nothing, the trees in turns."""
    found: dict[str, list[Sample]] = {name: [] for name in trees}
    for turn in range(runs + 1):
        for name, tree in trees.items():
            playbook = str(tree / SPACES)
            sample = registry.play(playbook, "-e", "only=asso-0", *more, **settings(tree))
            # The first one of each compiles its Python, and writes what the other has otherwise.
            if turn:
                if sample.changed:
                    sys.exit(f"{name}: a run with nothing to do changed something")
                found[name].append(sample)
    return found


def show(title: str, found: dict[str, list[Sample]]) -> None:
    """Print medians, and the ratio of pairs."""
    print(title)
    for name, samples in found.items():
        cpu = statistics.median(one.controller_cpu or 0 for one in samples)
        wall = statistics.median(one.seconds for one in samples)
        print(f"  {name:<24}{cpu:7.2f} s processor {wall:8.2f} s wall {samples[0].tasks:5} tasks")
    if len(found) == 2:
        ours, other = found.values()
        pairs = [
            (one.controller_cpu or 0) / (beside.controller_cpu or 1)
            for one, beside in zip(ours, other, strict=True)
        ]
        print(f"  ratio of pairs          {statistics.median(pairs):7.2f} x")


def one_more(registry: Registry, number: int, seconds: float) -> First:
    """Write a file, run the playbook for it, and wait for its page."""
    slug, machine = f"asso-{number}", registry.container
    host = f"{slug}.bench.localhost"
    inside = [*podman(), "exec", "--interactive", machine.container]
    asking = [*inside, "python3", "-", host, str(seconds)]
    command = ["ansible-playbook", "-i", str(registry.path), SPACES, "-e", f"only={slug}"]
    page = subprocess.Popen(asking, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert page.stdin is not None
    page.stdin.write(FIRST)
    page.stdin.close()
    start = time.time()
    registry.add(number)
    run = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **settings(ROOT)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    ended = time.time() - start
    if run.returncode:
        page.kill()
        sys.exit(f"{' '.join(command)} failed:\n{run.stdout[-5000:]}")
    assert page.stdout is not None
    answered = page.stdout.read()
    page.wait()
    if page.returncode:
        sys.exit(f"{host}: no login page within {seconds:.0f} s")
    return First(float(answered) - start, ended, durations(run.stdout))


def durations(text: str) -> list[tuple[float, str]]:
    """Return what profile_tasks says at the end of a run: seconds and names, longest first."""
    found = []
    for line in text.splitlines():
        name, _, seconds = line.rpartition(" ")
        if " ---" in name and seconds.endswith("s"):
            found.append((float(seconds.removesuffix("s")), name.partition(" ---")[0].strip()))
    return sorted(found, reverse=True)


def added(registry: Registry, number: int, runs: int) -> None:
    """Print what it takes from a file to a page."""
    found = [one_more(registry, number + turn, 600) for turn in range(runs)]
    print("One more: from its file to the first 200 of its login page; the whole run")
    for one in found:
        print(f"  {one.page:7.2f} s   {one.run:7.2f} s")
    middle = statistics.median(one.page for one in found)
    print(f"  median of {runs}: {middle:.2f} s, load {os.getloadavg()[0]:.0f}. Tasks of the last:")
    for seconds, name in found[-1].tasks[:12]:
        print(f"    {seconds:6.2f} s  {name}")
    rest = sum(seconds for seconds, _name in found[-1].tasks)
    print(f"    {found[-1].run - rest:6.2f} s  outside these tasks (start, reading)")


def measure(registry: Registry, options: argparse.Namespace) -> None:
    """Converge the machine, then measure on it."""
    if options.release or options.standin:
        registry.play("playbooks/platform.yml", "--limit", "node0", "--tags", "nextcloud")
        print(release.running(registry.machines[0]))
    registry.play(SPACES, "-e", "only=on_node0")
    trees = {"this": ROOT}
    if options.against:
        trees[options.against] = checkout(options.against)
    title = f"{SPACES} -e only=asso-0, {options.spaces} spaces, {options.here} of them on its node"
    show(f"{title}; medians of {options.runs}", quiet(registry, trees, options.runs))
    print(f"load {os.getloadavg()[0]:.0f}")
    if options.release or options.standin:
        added(registry, options.spaces, options.runs)


def main() -> None:
    """Make the registry and the machine, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="200 spaces, 5 on the machine, 2 runs")
    parser.add_argument("--spaces", type=int, help="files in the registry (10,000)")
    parser.add_argument("--nodes", type=int, default=20, help="nodes, one of them a machine")
    parser.add_argument("--here", type=int, help="spaces on the machine (40)")
    parser.add_argument("--runs", type=int)
    parser.add_argument("--against", help="another revision, whose runs take turns with ours")
    parser.add_argument("--release", help="install it: --archives has it")
    parser.add_argument("--standin", action="store_true", help="install the stand-in instead")
    choice.add_options(parser)
    options = parser.parse_args()
    options.spaces = options.spaces or (200 if options.quick else 10_000)
    options.here = options.here or (5 if options.quick else 40)
    options.runs = options.runs or (2 if options.quick else 5)
    installed = bool(options.release or options.standin)
    policy = choice.policy(options, options.release) if installed else {}
    Registry.far = options.nodes - 1
    nodes = Nodes(1, "only")
    try:
        nodes.up()
        folder = BUILD / "bench/only"
        registry = Registry(
            folder, 0, nodes.machines, **{**policy, "spaces_install_enabled": installed}
        )
        registry.place(options.spaces, options.here)
        measure(registry, options)
    finally:
        nodes.down()


if __name__ == "__main__":
    main()
