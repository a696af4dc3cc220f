#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What own domains cost in a run that has nothing to do.

One node, the same spaces, first without and then with an own domain each, and without again, in one
run: ``playbooks/spaces.yml`` with nothing to do. The certificates are the provider local's.
"""

from __future__ import annotations

import argparse
import statistics
import typing as t

from tests.benchmarks.nodes import BUILD, Environment, Nodes, Sample

PLAYBOOK = "playbooks/spaces.yml"


def quiet(environment: Environment, runs: int) -> list[Sample]:
    """Converge, then measure runs that change nothing; one that does ends the benchmark."""
    environment.play(PLAYBOOK)
    samples = [environment.play(PLAYBOOK) for _ in range(runs)]
    changed = [sample.changed for sample in samples if sample.changed]
    if changed:
        raise SystemExit(f"a run with nothing to do changed something: {changed}")
    return samples


def main() -> None:
    """Measure, and print the difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="20 domains, one run of each case")
    options = parser.parse_args()
    number, runs = (20, 1) if options.quick else (1000, 3)
    nodes = Nodes(1, "domains")
    try:
        nodes.up()
        environment = Environment(BUILD / "bench/domains", number, nodes.machines)
        before = quiet(environment, runs)
        for one in range(number):
            environment.add(one, domains=[f"cloud.asso-{one}.example"])
        with_domains = quiet(environment, runs)
        for one in range(number):
            environment.add(one)
        after = quiet(environment, runs)
    finally:
        nodes.down()
    show(number, {"no own domain": [*before, *after], f"{number} own domains": with_domains})


def show(number: int, cases: t.Mapping[str, t.Sequence[Sample]]) -> None:
    """Print medians, and what the domains add."""
    print(f"playbooks/spaces.yml with nothing to do, {number} spaces on one node (medians)")
    print("  case                 seconds   CPU here   runs")
    for name, samples in cases.items():
        wall = statistics.median(sample.seconds for sample in samples)
        cpu = statistics.median(sample.controller_cpu or 0 for sample in samples)
        print(f"  {name:<18}{wall:10.2f}{cpu:11.2f}{len(samples):7}")
    bare, ours = (statistics.median(s.seconds for s in samples) for samples in cases.values())
    print(f"  the domains add {ours - bare:+.2f} s ({ours / bare:.2f} times)")


if __name__ == "__main__":
    main()
