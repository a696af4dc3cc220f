#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What isolation costs under load: our layout beside the usual one, on the same node.

Installs spaces on one node, gives each somebody with an app password, and sets the usual layout up
beside them (``load/usual.py``: one php-fpm master with a pool for each space, one Redis, server
blocks), which serves the same release, databases and files on another port. wrk, as Debian has it,
then asks both in turns, on the node itself, so that whatever else the machine does falls on both:

- ``status``: status.php; ``login``: the login page;
- ``propfind``: an account's files, as a sync client asks for them; ``get``: 100 kB; ``put``: 10 kB,
  all with an app password;
- ``mixed``: of twenty requests ten PROPFIND, four GET, three PUT, two status.php, one login page.

Prints requests per second, the median and the 99th percentile of the time of an answer, errors, the
processor time of the node for a request (wrk's own left out), and the ratio: the median of those of
each pair. Writes the same to ``build/load.json``. With the real Nextcloud where artifacts/ has one,
and with the stand-in otherwise: it says which.
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import typing as t
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.benchmarks import choice
from tests.benchmarks.nodes import BUILD, Environment, Nodes, cpu_seconds, execute
from tools import release
from tools.lab.machine import Machine

HERE = Path(__file__).resolve().parent / "load"
DOMAIN = "bench.localhost"
PORTS = {"ours": 443, "usual": 8443}
CASES = ("status", "login", "propfind", "get", "put", "mixed")
PEOPLE, SCRIPT = "/srv/load-people", "/srv/load.lua"
# One address asks for everything here; what one may ask for is measured elsewhere (docs/limits.md).
POLICY: dict[str, t.Any] = {
    "spaces_install_enabled": True,
    "spaces_requests_per_second": 100_000,
    "spaces_requests_burst": 100_000,
    "spaces_requests_per_address": 10_000,
}


@dataclass
class Turn:
    """What wrk saw of one layout in some seconds, and what that cost the node."""

    requests: int
    seconds: float
    # Seconds of an answer.
    p50: float
    p99: float
    # Answers from 400 on, and connections that broke or were given up.
    refused: int
    broken: int
    # Processor seconds of all that runs on the node, wrk left out.
    processor: float

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds

    @property
    def each(self) -> float:
        """Processor seconds for a request."""
        return self.processor / self.requests


@dataclass
class Row:
    """One case with so many spaces: the turns of both layouts, in pairs."""

    case: str
    spaces: int
    ours: list[Turn]
    usual: list[Turn]

    def ratio(self, what: str) -> float:
        """Return the median over the pairs of ours by the usual: rate, p50, p99 or each."""
        pairs = zip(self.ours, self.usual, strict=True)
        return statistics.median(getattr(a, what) / getattr(b, what) for a, b in pairs)

    def middle(self, layout: str, what: str) -> float:
        """Return the median of one measure of one layout."""
        turns: list[Turn] = getattr(self, layout)
        return statistics.median(getattr(turn, what) for turn in turns)

    def errors(self, layout: str) -> int:
        """Return how many requests of a layout failed, in all turns."""
        turns: list[Turn] = getattr(self, layout)
        return sum(turn.refused + turn.broken for turn in turns)


class Load:
    """A node whose spaces are asked."""

    def __init__(self, machine: Machine, connections: int, seconds: int) -> None:
        self.machine, self.connections, self.seconds = machine, connections, seconds

    def prepare(self, spaces: int, usual: str) -> str:
        """Install wrk, make the people and the usual layout; return wrk's version.

        Args:
            spaces: how many.
            usual: what `usual.py` does: up or separate.

        """
        slugs = [f"asso-{number}" for number in range(spaces)]
        run = self.machine.execute
        run("sh", "-c", "apt-get -qq update && apt-get -qq install -y wrk >/dev/null")
        run("sh", "-c", f"cat > {SCRIPT}", stdin=(HERE / "load.lua").read_text(encoding="utf-8"))
        self.program("people.py", f"{PEOPLE}-all", DOMAIN, *slugs)
        self.program("usual.py", usual, DOMAIN, *slugs)
        return run("dpkg-query", "-f", "${Version}", "-W", "wrk").strip()

    def program(self, name: str, *arguments: str) -> str:
        """Run one of our programs on the node."""
        text = (HERE / name).read_text(encoding="utf-8")
        return execute(self.machine, "python3", "-", *arguments, stdin=text)

    def choose(self, spaces: int) -> None:
        """Ask so many of the spaces from now on."""
        self.machine.execute("sh", "-c", f"head -n {spaces} {PEOPLE}-all > {PEOPLE}")

    def warm(self, layout: str, case: str, seconds: int) -> None:
        """Wake all that sleeps, and have code compiled: ask until something is answered well.

        Raises:
            RuntimeError: nothing is within minutes.

        """
        for seconds_of_try in (seconds, 30, 60):
            try:
                self.turn(layout, case, seconds_of_try)
            except RuntimeError as error:
                # A busy machine wakes a space for longer than a short turn lasts.
                failed = error
            else:
                return
        raise failed

    def turn(self, layout: str, case: str, seconds: int | None = None) -> Turn:
        """Ask one layout for some seconds.

        Raises:
            RuntimeError: nothing of it was answered as it should be.

        """
        before = cpu_seconds(self.machine)
        url = f"https://asso-0.{DOMAIN}:{PORTS[layout]}/"
        options = f"-t 2 -c {self.connections} -d {seconds or self.seconds}s --timeout 60s"
        settings = f"LOAD_CASE={case} LOAD_PEOPLE={PEOPLE}"
        command = f"{settings} wrk {options} -s {SCRIPT} {shlex.quote(url)}"
        said = self.machine.execute("sh", "-c", command)
        found: dict[str, t.Any] = json.loads(said.splitlines()[-1])
        processor = max(cpu_seconds(self.machine) - before, 0.0)
        if found["requests"] <= found["refused"]:
            raise RuntimeError(f"{layout}, {case}: no request was answered well: {found}")
        return Turn(processor=processor, **found)

    def row(self, case: str, spaces: int, rounds: int) -> Row:
        """Measure a case: both layouts in turns, and each first in half of the pairs."""
        for layout in PORTS:
            self.warm(layout, case, max(3, spaces // 5))
        found: dict[str, list[Turn]] = {layout: [] for layout in PORTS}
        for number in range(rounds):
            for layout in sorted(PORTS, reverse=bool(number % 2)):
                found[layout].append(self.turn(layout, case))
        return Row(case, spaces, **found)


def show(row: Row) -> None:
    """Print a case: both layouts, and the ratio."""
    for layout in PORTS:
        rate, p50, p99, each = (
            row.middle(layout, what) * scale
            for what, scale in (("rate", 1), ("p50", 1000), ("p99", 1000), ("each", 1000))
        )
        print(
            f"  {row.case if layout == 'ours' else '':<10}{layout:<7}{rate:9.1f}/s{p50:9.1f} ms"
            f"{p99:9.1f} ms{each:9.1f} ms{row.errors(layout):8}"
        )
    ratios = "  ".join(f"{what} {row.ratio(what):.2f}" for what in ("rate", "p50", "p99", "each"))
    print(f"  {'':<10}ours by the usual: {ratios}", flush=True)


def measure(load: Load, numbers: list[int], cases: t.Sequence[str], rounds: int) -> list[Row]:
    """Measure and print every case with each number of spaces."""
    rows = []
    for number in numbers:
        load.choose(number)
        print(f"{number} spaces, {load.connections} connections, medians of {rounds} pairs")
        print(f"  {'':<17}{'requests':>11}{'median':>12}{'99th':>12}{'processor':>12}{'errors':>8}")
        for case in cases:
            rows.append(load.row(case, number, rounds))
            show(rows[-1])
            # What was measured is kept if what follows fails.
            text = json.dumps([asdict(row) for row in rows], indent=1)
            (BUILD / "load.json").write_text(f"{text}\n", encoding="utf-8")
    return rows


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="1 and 3 spaces, a second, 2 pairs")
    parser.add_argument("--spaces", type=int, nargs="+", help="numbers of spaces (1 10 50)")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--rounds", type=int, help="pairs of each case (7)")
    parser.add_argument("--seconds", type=int, help="of each turn (10)")
    parser.add_argument("--connections", type=int, default=8, help="at the same time (8)")
    parser.add_argument("--release", help="a release in --archives, such as 33.0.3")
    choice.add_options(parser)
    parser.add_argument(
        "--separate",
        action="store_true",
        help="give each pool of the usual layout a master of its own: separate memory costs "
        "something on both sides then, the sandbox on one",
    )
    parser.add_argument("--keep", action="store_true", help="leave the node for the next time")
    return parser.parse_args()


def main() -> None:
    """Install, measure, print."""
    options = arguments()
    numbers = sorted(options.spaces or ([1, 3] if options.quick else [1, 10, 50]))
    rounds = options.rounds or (2 if options.quick else 7)
    policy = {**choice.policy(options, options.release), **POLICY}
    nodes = Nodes(1, "load")
    machine = nodes.machines[0]
    load = Load(machine, options.connections, options.seconds or (1 if options.quick else 10))
    try:
        nodes.up()
        environment = Environment(BUILD / "bench/load", numbers[-1], [machine], **policy)
        environment.play("playbooks/site.yml")
        version = load.prepare(numbers[-1], "separate" if options.separate else "up")
        print(f"{release.running(machine)}; wrk {version}")
        if options.separate:
            print("The usual layout with a master of its own for each pool")
        measure(load, numbers, options.cases, rounds)
        load.program("usual.py", "down")
    finally:
        if not options.keep:
            nodes.down()


if __name__ == "__main__":
    main()
