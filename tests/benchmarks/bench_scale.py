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

Nextcloud itself is not installed here: files, users, databases, sockets and timers are. From a
thousand spaces on, each thousand has a node of its own; all nodes share this machine.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import sys
import typing as t
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks.nodes import BUILD, Environment, Nodes, Sample

HERE = Path(__file__).resolve().parent
VARIANTS = ["naive", "mitogen", "ours", "floor"]
# Up to so many spaces the looped playbook is measured in every case that it has.
FEW = 100
# Cases in which no task may change anything; in all others one must.
QUIET = {"no-change", "check", "only"}


@dataclass
class Result:
    """One line of the table: medians of the runs; None: not measured."""

    variant: str
    case: str
    spaces: int
    nodes: int
    runs: int
    seconds: float
    # The fastest and the slowest run.
    seconds_min: float
    seconds_max: float
    peak_mib: float | None
    controller_cpu: float | None
    node_cpu: float | None
    tasks: int | None
    # Of the largest module on a node, from a further run that is not timed.
    node_peak_mib: float | None = None


def median(
    variant: str, case: str, spaces: int, samples: t.Sequence[Sample], nodes: int = 1
) -> Result:
    """Return the line of the table for some runs of the same thing.

    A case that did not do what its name says ends the benchmark: it would look fast.
    """
    for sample in samples:
        if sample.changed is not None and (sample.changed > 0) != (case not in QUIET):
            sys.exit(f"{variant}, {case}, {spaces}: {sample.changed} tasks changed something")
    seconds = [sample.seconds for sample in samples]
    middle = {key: middle_of(samples, key) for key in asdict(samples[0]) if key != "changed"}
    return Result(
        variant,
        case,
        spaces,
        nodes=nodes,
        runs=len(samples),
        seconds_min=min(seconds),
        seconds_max=max(seconds),
        **middle,
    )


def middle_of(samples: t.Sequence[Sample], key: str) -> t.Any:
    """Return the median of one measure; None if it was not taken."""
    values = [getattr(sample, key) for sample in samples]
    return None if None in values else statistics.median(values)


def ours(number: int, first_runs: int, runs: int, nodes: Nodes) -> t.Iterator[Result]:
    """Measure our playbook, all cases; every first run is on machines that never had a space."""
    playbook, environment = "playbooks/spaces.yml", None
    firsts = []
    for _ in range(first_runs):
        nodes.reset()
        environment = Environment(BUILD / f"bench/{number}", number, nodes.machines)
        firsts.append(counted(nodes, partial(environment.play, playbook)))
    yield median("ours", "first", number, firsts, len(nodes.machines))
    assert environment is not None
    unchanged = repeat("no-change", number, runs, nodes, lambda _: environment.play(playbook))
    unchanged.node_peak_mib = environment.node_peak(playbook)
    yield unchanged
    yield repeat("check", number, runs, nodes, lambda _: environment.play(playbook, "--check"))
    one = partial(environment.play, playbook, "-e", "only=asso-0")
    yield repeat("only", number, runs, nodes, lambda _: one())

    def one_added(round_: int) -> Sample:
        environment.add(number + round_)
        return environment.play(playbook)

    def one_changed(round_: int) -> Sample:
        environment.add(0, accounts=20 + round_)
        return environment.play(playbook)

    def all_changed(round_: int) -> Sample:
        environment.policy(spaces_trash_days=10 + round_)
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
    return median("ours", case, number, samples, len(nodes.machines))


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

    def play(*more: str) -> Sample:
        return counted(nodes, partial(environment.play, playbook, *options, *more, **settings))

    # Some minutes each: what changes something, and the rarer case, are run once.
    yield median(variant, "first", number, [play()])
    yield median(variant, "no-change", number, [play() for _ in range(runs)])
    if number <= FEW:
        yield median(variant, "check", number, [play("--check")])


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

    def work() -> Sample:
        return Sample(float(node.execute("python3", "/tmp/floor.py", stdin=request)))

    def once() -> Sample:
        return counted(nodes, work)

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
        "MiB here",
        "MiB node",
        "tasks",
        "runs",
    ):
        table.add_column(name, justify="left" if name in {"variant", "case"} else "right")
    for r in results:
        bare = floors.get((r.case, r.spaces))
        table.add_row(
            *(r.variant, r.case, str(r.spaces), f"{r.seconds:.2f}"),
            f"{r.seconds / r.spaces * 1000:.1f} ms",
            f"{r.seconds / bare:.1f}" if bare else "",
            *(figure(value, 1) for value in (r.controller_cpu, r.node_cpu)),
            *(figure(value, 0) for value in (r.peak_mib, r.node_peak_mib, r.tasks)),
            str(r.runs),
        )
    Console(width=130).print(table)


def figure(value: float | None, digits: int) -> str:
    """Return a number as the table shows it; nothing for what was not measured."""
    return "" if value is None else f"{value:.{digits}f}"


def plan(quick: bool) -> tuple[list[int], int, int]:
    """Return the numbers of spaces for ours, for the naive playbook, and how many runs."""
    return ([10], 2, 1) if quick else ([100, 1000, 10000], FEW, 3)


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few spaces, one run of each case")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=VARIANTS,
        default=VARIANTS,
        help="variants to measure; each variant whose package is there",
    )
    parser.add_argument("--spaces", type=int, nargs="+", help="instead of the usual numbers")
    parser.add_argument("--looped", type=int, help="number of spaces for naive and mitogen")
    parser.add_argument("--runs", type=int, help="runs of each case")
    return parser.parse_args()


def everything(options: argparse.Namespace, nodes: Nodes) -> t.Iterator[Result]:
    """Measure what is asked for, one line of the table after the other."""
    numbers, few, runs = plan(options.quick)
    numbers, runs = options.spaces or numbers, options.runs or runs
    few = options.looped or few
    wanted = [v for v in options.only if v != "mitogen" or mitogen_path()]
    if wanted != options.only:
        print("mitogen is left out: that package is not installed")
    for number in numbers:
        if "floor" in wanted:
            yield from floor(number, runs, nodes)
        if "ours" in wanted:
            yield from at_scale(number, runs, nodes)
    for variant in ("naive", "mitogen"):
        if variant in wanted:
            nodes.reset()
            yield from naive(variant, few, runs, nodes)
    if "mitogen" in wanted and not (options.quick or options.looped):
        # The same names have other numbers among a thousand.
        nodes.reset()
        yield from naive("mitogen", 1000, 1, nodes)


def main() -> None:
    """Measure everything, write and print it."""
    options, results, nodes = arguments(), list[Result](), Nodes(1)
    BUILD.mkdir(exist_ok=True)
    try:
        nodes.up()
        for result in everything(options, nodes):
            results.append(result)
            print(f"{result.variant}, {result.case}, {result.spaces}: {result.seconds:.1f} s")
            # What was measured is kept if what follows fails.
            text = json.dumps([asdict(r) for r in results], indent=1)
            (BUILD / "bench.json").write_text(f"{text}\n", encoding="utf-8")
    finally:
        nodes.down()
    show(results)


def at_scale(number: int, runs: int, nodes: Nodes) -> t.Iterator[Result]:
    """Measure ours; from a thousand spaces on, each thousand has a node of its own."""
    shards = max(number // 1000, 1)
    if shards == 1:
        yield from ours(number, runs, runs, nodes)
        return
    many = Nodes(shards)
    try:
        # Making ten machines with a thousand spaces each takes long: once is enough for
        # the first run, the other cases are repeated.
        yield from ours(number, 1, runs, many)
    finally:
        for machine in many.machines[1:]:
            machine.down()


if __name__ == "__main__":
    main()
