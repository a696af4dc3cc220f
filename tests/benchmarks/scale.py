#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What it costs to converge many spaces, beside the usual way and beside the bare work.

Everything is measured in one run, on one machine, side by side: only ratios carry over
to another machine. Writes ``build/bench.json`` and prints the same as a table.

- ``ours``: ``playbooks/spaces.yml`` on a node with MariaDB, nginx, PHP and Redis;
- ``naive``: a playbook that loops a module per kind of thing (``naive/``);
- ``mitogen``: the same, where the package mitogen is installed;
- ``floor``: the bare work as a script on the node, without Ansible (``floor.py``).

Nextcloud itself is not installed here. Not part of `make bench` until it has been run whole:
``python tests/benchmarks/scale.py --spaces 50 --runs 1``.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import time
import typing as t
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tools.lab.host import podman, run  # noqa: E402
from tools.lab.machine import Machine  # noqa: E402

HERE = Path(__file__).resolve().parent
BUILD = ROOT / "build"
SNAPSHOT = "localhost/archipel-lab:bench"
KEY = "benchmark-benchmark-benchmark-benchmark"
SPACE = """\
name: L'association n° {number}
status: approved
contact: {{name: Camille Petit, email: bureau@{slug}.example}}
decision: {{by: moderation, on: 2024-05-30}}
office: {office}
limits: {{accounts: {accounts}, storage_gb: 40}}
theme: {{color: "#00679e", slogan: Ensemble}}
"""
CASES = ("first", "no-change", "one-added", "one-changed", "all-changed", "check")


@dataclass
class Result:
    """One line of the table: seconds are the median of the runs."""

    variant: str
    case: str
    spaces: int
    seconds: float
    runs: int
    peak_mib: float
    controller_cpu: float
    node_cpu: float
    tasks: int


@dataclass
class Sample:
    """One run."""

    seconds: float
    peak_mib: float = 0.0
    controller_cpu: float = 0.0
    node_cpu: float = 0.0
    tasks: int = 0


class Nodes:
    """The machines that are converged: as many as there are thousands of spaces."""

    def __init__(self, number: int) -> None:
        self.machines = [
            Machine(f"archipel-bench{n}", BUILD / f"lab/archipel-bench{n}") for n in range(number)
        ]

    def up(self) -> None:
        """Make the first with all packages, keep it as an image, make the others from it."""
        images = run([*podman(), "images", "--format", "{{.Repository}}:{{.Tag}}"]).split()
        first = self.machines[0]
        if SNAPSHOT not in images:
            first.up("trixie", [":22"])
            environment = Environment(BUILD / "bench/platform", 1, [first])
            environment.play("playbooks/platform.yml", "--skip-tags", "nextcloud")
            first.commit(SNAPSHOT)
            first.down()
        for machine in self.machines:
            machine.up("trixie", [":22"], snapshot=SNAPSHOT)

    def down(self) -> None:
        """Remove the machines; the image stays for the next time."""
        for machine in self.machines:
            machine.down()

    def cpu(self) -> float:
        """Return the processor seconds the machines have used."""
        return sum(cpu_seconds(machine) for machine in self.machines)

    def reset(self) -> None:
        """Make the machines anew: no space was ever there."""
        self.down()
        self.up()


def cpu_seconds(machine: Machine) -> float:
    """Return the processor time of all that runs or ran in a machine's processes, in seconds."""
    text = machine.execute("sh", "-c", "cat /proc/[0-9]*/stat 2>/dev/null; true")
    ticks = 0
    for line in text.splitlines():
        fields = line.rpartition(")")[2].split()
        ticks += sum(int(value) for value in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


class Environment:
    """An environment of its own with generated associations."""

    def __init__(self, path: Path, spaces: int, machines: t.Sequence[Machine]) -> None:
        self.path, self.machines = path, machines
        shutil.rmtree(path, ignore_errors=True)
        (path / "spaces").mkdir(parents=True)
        (path / "group_vars/all").mkdir(parents=True)
        (path / "group_vars/all/00-baseline").symlink_to(ROOT / "group_vars/all")
        (path / "spaces.yml").write_text("plugin: archipel.spaces.registry\n")
        hosts = {f"node{n}": connection(machine) for n, machine in enumerate(machines)}
        nodes = {"web": {"hosts": hosts}, "db": {"hosts": {name: {} for name in hosts}}}
        (path / "nodes.yml").write_text(json.dumps(nodes))
        self.policy(40)
        for number in range(spaces):
            self.add(number)

    def policy(self, trash_days: int) -> None:
        """Set the policy; another number of days changes every space's configuration."""
        values = {
            "archipel_environment": self.path.name,
            "archipel_base_domain": "bench.localhost",
            "archipel_master_key": KEY,
            "spaces_install_enabled": False,
            "spaces_cron_calendar": "*-01-01 00:00:00",
            "spaces_trash_days": trash_days,
        }
        (self.path / "group_vars/all/10-environment.yml").write_text(json.dumps(values))

    def add(self, number: int, accounts: int = 50) -> None:
        """Write one association's file."""
        slug = f"asso-{number}"
        office = ("collabora", "onlyoffice")[number % 2]
        text = SPACE.format(number=number, slug=slug, office=office, accounts=accounts)
        (self.path / f"spaces/{slug}.yml").write_text(text)

    def play(self, playbook: str, *options: str, **environment: str) -> Sample:
        """Run a playbook on this environment and measure it."""
        command = ["ansible-playbook", "-i", str(self.path), str(playbook), *options]
        return measured(command, {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), **environment})

    def spaces(self) -> list[dict[str, t.Any]]:
        """Return the entries of the first node, as the inventory gives them."""
        command = ["ansible-inventory", "-i", str(self.path), "--host", "node0"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return t.cast("list[dict[str, t.Any]]", json.loads(done.stdout)["archipel_spaces"])


def connection(machine: Machine) -> dict[str, t.Any]:
    """Return how Ansible reaches a machine."""
    return {
        "ansible_host": "127.0.0.1",
        "ansible_port": machine.port(22) if machine.exists() else 22,
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(machine.key),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={machine.known_hosts}",
        "ansible_python_interpreter": "/usr/bin/python3",
    }


def measured(command: t.Sequence[str], environment: t.Mapping[str, str]) -> Sample:
    """Run a command to its end; return what it cost. A failure ends the benchmark."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}\n{done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    tasks = len(re.findall(r"^TASK \[", done.stdout, re.MULTILINE))
    return Sample(seconds, after.ru_maxrss / 1024, cpu, 0.0, tasks)


def median(variant: str, case: str, spaces: int, samples: t.Sequence[Sample]) -> Result:
    """Return the line of the table for some runs of the same thing."""
    middle = {
        key: statistics.median(getattr(s, key) for s in samples) for key in asdict(samples[0])
    }
    return Result(variant, case, spaces, runs=len(samples), **middle)


def ours(number: int, runs: int, nodes: Nodes) -> t.Iterator[Result]:
    """Measure our playbook, all cases; every first run is on machines that never had a space."""
    playbook, environment = "playbooks/spaces.yml", None
    firsts = []
    for _ in range(runs):
        nodes.reset()
        environment = Environment(BUILD / f"bench/{number}", number, nodes.machines)
        firsts.append(counted(nodes, partial(environment.play, playbook)))
    yield median("ours", "first", number, firsts)
    assert environment is not None
    yield repeat("no-change", number, runs, nodes, lambda _: environment.play(playbook))
    yield repeat("check", number, runs, nodes, lambda _: environment.play(playbook, "--check"))

    def one_added(turn: int) -> Sample:
        environment.add(number + turn)
        return environment.play(playbook)

    def one_changed(turn: int) -> Sample:
        environment.add(0, accounts=20 + turn)
        return environment.play(playbook)

    def all_changed(turn: int) -> Sample:
        environment.policy(10 + turn)
        return environment.play(playbook)

    for case, action in (
        ("one-added", one_added),
        ("one-changed", one_changed),
        ("all-changed", all_changed),
    ):
        yield repeat(case, number, runs, nodes, action)


def repeat(
    case: str, number: int, runs: int, nodes: Nodes, action: t.Callable[[int], Sample]
) -> Result:
    """Measure the same case some times."""
    samples = [counted(nodes, partial(action, turn)) for turn in range(runs)]
    return median("ours", case, number, samples)


def counted(nodes: Nodes, action: t.Callable[[], Sample]) -> Sample:
    """Add to a sample what the nodes' processors did meanwhile."""
    before = nodes.cpu()
    sample = action()
    sample.node_cpu = max(nodes.cpu() - before, 0.0)
    return sample


def naive(variant: str, number: int, runs: int, nodes: Nodes) -> t.Iterator[Result]:
    """Measure the usual playbook: first run, then nothing to do, then check mode."""
    environment = Environment(BUILD / f"bench/{variant}", number, nodes.machines[:1])
    extra = BUILD / f"bench/{variant}.json"
    extra.write_text(json.dumps({"naive_spaces": environment.spaces()}))
    nodes.machines[0].execute("mkdir", "-p", "/etc/naive", "/srv/naive")
    options = ["-e", f"@{extra}"]
    settings = (
        {"ANSIBLE_STRATEGY": "mitogen_linear", **mitogen_path()} if variant == "mitogen" else {}
    )
    playbook = str(HERE / "naive/playbook.yml")
    yield median(variant, "first", number, [environment.play(playbook, *options, **settings)])
    samples = [environment.play(playbook, *options, **settings) for _ in range(runs)]
    yield median(variant, "no-change", number, samples)
    samples = [environment.play(playbook, "--check", *options, **settings) for _ in range(runs)]
    yield median(variant, "check", number, samples)


def mitogen_path() -> dict[str, str]:
    """Return where mitogen's strategies are; empty if the package is not installed."""
    found = importlib.util.find_spec("ansible_mitogen")
    if found is None or not found.submodule_search_locations:
        return {}
    return {"ANSIBLE_STRATEGY_PLUGINS": f"{found.submodule_search_locations[0]}/plugins/strategy"}


def floor(number: int, runs: int, nodes: Nodes) -> t.Iterator[Result]:
    """Measure the bare work on one node."""
    spaces = [{"slug": f"asso-{n}", "accounts": 50} for n in range(number)]
    request = json.dumps({"spaces": spaces, "root": f"/srv/floor-{number}"})
    program = (HERE / "floor.py").read_text()
    node = nodes.machines[0]
    node.execute("sh", "-c", "cat > /tmp/floor.py", stdin=program)

    def once() -> Sample:
        return Sample(float(node.execute("python3", "/tmp/floor.py", stdin=request)))

    yield median("floor", "first", number, [once()])
    yield median("floor", "no-change", number, [once() for _ in range(max(runs, 3))])


def show(results: t.Sequence[Result]) -> None:
    """Print the table: each line beside the floor for as many spaces."""
    floors = {(r.case, r.spaces): r.seconds for r in results if r.variant == "floor"}
    table = Table(title="Converging spaces (medians; only the ratios carry over to other machines)")
    for name in (
        "variant",
        "case",
        "spaces",
        "seconds",
        "per space",
        "× floor",
        "CPU here",
        "CPU nodes",
        "MiB",
        "tasks",
        "runs",
    ):
        table.add_column(name, justify="left" if name in {"variant", "case"} else "right")
    for r in results:
        bare = floors.get((r.case, r.spaces))
        cells = (r.variant, r.case, r.spaces, f"{r.seconds:.2f}")
        ratio = f"{r.seconds / bare:.1f}" if bare else ""
        costs = (f"{r.controller_cpu:.1f}", f"{r.node_cpu:.1f}", f"{r.peak_mib:.0f}")
        each = f"{r.seconds / r.spaces * 1000:.1f} ms"
        table.add_row(*map(str, (*cells, each, ratio, *costs, int(r.tasks), r.runs)))
    Console(width=130).print(table)


def plan(quick: bool) -> tuple[list[int], int, int]:
    """Return the numbers of spaces for ours, for the naive playbook, and how many runs."""
    return ([10, 50], 3, 1) if quick else ([100, 1000, 10000], 100, 3)


def main() -> None:
    """Measure everything, write and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few spaces, one run of each case")
    parser.add_argument(
        "--only", choices=["ours", "naive", "mitogen", "floor"], help="measure one variant"
    )
    parser.add_argument("--spaces", type=int, nargs="+", help="instead of the usual numbers")
    parser.add_argument("--runs", type=int, help="runs of each case")
    options = parser.parse_args()
    numbers, few, runs = plan(options.quick)
    numbers, runs = options.spaces or numbers, options.runs or runs
    results: list[Result] = []
    nodes = Nodes(1)
    try:
        nodes.up()
        for variant in ("naive", "mitogen"):
            wanted = options.only in (None, variant)
            if wanted and (variant == "naive" or mitogen_path()):
                results += naive(variant, few, runs, nodes)
        for number in numbers:
            if options.only in (None, "floor"):
                results += floor(number, runs, nodes)
            if options.only in (None, "ours"):
                results += at_scale(number, runs, nodes)
    finally:
        nodes.down()
    BUILD.mkdir(exist_ok=True)
    (BUILD / "bench.json").write_text(json.dumps([asdict(r) for r in results], indent=1) + "\n")
    show(results)


def at_scale(number: int, runs: int, nodes: Nodes) -> t.Iterator[Result]:
    """Measure ours; from a thousand spaces on, each thousand has a node of its own."""
    shards = max(number // 1000, 1)
    if shards == 1:
        yield from ours(number, runs, nodes)
        return
    many = Nodes(shards)
    try:
        # Making ten machines with a thousand spaces each takes long: once is enough for
        # the first run, the other cases are repeated.
        yield from ours(number, 1, many)
    finally:
        for machine in many.machines[1:]:
            machine.down()


if __name__ == "__main__":
    main()
