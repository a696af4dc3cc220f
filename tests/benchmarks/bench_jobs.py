#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What the background jobs of sleeping spaces cost a node, and how they are spread.

Installs some spaces, with the real Nextcloud where artifacts/ or --archives has one and the
stand-in otherwise (it says which), has their jobs run until they have nothing left to do, and
measures

- the processor time of one such run: all of the node's, so PHP, its Redis, the database and
  systemd; what the node uses in as long a time with nothing to do is left out;
- of many more spaces, which have timers and nothing else, the second of the interval at which jobs
  begin: the fullest and the emptiest minute and ten seconds;
- the same after a reboot, and how many began in the minute after it.

From both it computes (and says that it does) what the jobs of so many spaces cost four processors.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import typing as t
from collections import Counter
from dataclasses import dataclass

import yaml

from tests.benchmarks import choice
from tests.benchmarks.nodes import BUILD, ROOT, Environment, Nodes, cpu_seconds, execute
from tools import release
from tools.lab.machine import Machine

# As roles/spaces has them: when jobs begin, and how far they are spread.
DEFAULTS = yaml.safe_load((ROOT / "roles/spaces/defaults/main.yml").read_text(encoding="utf-8"))
CALENDAR, SPREAD = DEFAULTS["spaces_cron_calendar"], DEFAULTS["spaces_cron_spread"]
INTERVAL = 60 * int(SPREAD.removesuffix("min"))
AWAKE = DEFAULTS["spaces_cron_awake_seconds"]
CORES = 4
# Before any space runs the next one's jobs, its Redis has gone: what it used is counted then.
RUN = """\
set -eu
for slug in "$@"; do
    start=$(date +%s.%N)
    systemctl start "space-cron@$slug.service"
    end=$(date +%s.%N)
    while systemctl --quiet is-active "space-redis@$slug.service"; do sleep 0.1; done
    echo "$start $end"
done
"""


@dataclass
class Runs:
    """One round: the processor time of the node for each run, and how long runs took."""

    processor: float
    seconds: list[float]


@dataclass
class Timers:
    """When jobs begin: seconds of the interval, and when they began last (seconds since 1970)."""

    offsets: dict[str, int]
    began: dict[str, int]

    def fullest(self, seconds: int) -> int:
        """Return how many begin in the fullest so many seconds."""
        return max(self._counts(seconds).values())

    def emptiest(self, seconds: int) -> int:
        """Return how many begin in the emptiest so many seconds."""
        counts = self._counts(seconds)
        return min(counts[part] for part in range(INTERVAL // seconds))

    def _counts(self, seconds: int) -> Counter[int]:
        return Counter(offset // seconds for offset in self.offsets.values())


def parse(text: str) -> Timers:
    """Return what systemd says of timers, in microseconds since 1970. Pure."""
    shown = json.loads(text)
    return Timers(
        {one["unit"]: one["next"] // 1_000_000 % INTERVAL for one in shown},
        {one["unit"]: (one["last"] or 0) // 1_000_000 for one in shown},
    )


class Jobs:
    """A node with spaces whose jobs run."""

    def __init__(self, machine: Machine, environment: Environment, installed: int) -> None:
        self.machine, self.environment = machine, environment
        self.slugs = [f"asso-{number}" for number in range(installed)]

    def run(self) -> Runs:
        """Run the jobs of all installed spaces, one after the other."""
        before, start = cpu_seconds(self.machine), time.monotonic()
        lines = execute(self.machine, "sh", "-s", "--", *self.slugs, stdin=RUN).splitlines()
        used, lasted = cpu_seconds(self.machine) - before, time.monotonic() - start
        pairs = [line.split() for line in lines]
        seconds = [float(end) - float(begin) for begin, end in pairs]
        return Runs((used - self.quiet() * lasted) / len(self.slugs), seconds)

    def quiet(self, seconds: float = 5) -> float:
        """Return the processor time that the node uses in a second in which nothing is to do."""
        before, start = cpu_seconds(self.machine), time.monotonic()
        time.sleep(seconds)
        return (cpu_seconds(self.machine) - before) / (time.monotonic() - start)

    def sleep(self) -> None:
        """Stop what is awake, as the timer for idle spaces does."""
        self.machine.execute("systemctl", "stop", "space-php@*.service")

    def timers(self) -> Timers:
        """Return when the jobs of all spaces begin."""
        pattern = "space-cron@*"
        return parse(self.machine.execute("systemctl", "list-timers", "--output=json", pattern))

    def populate(self, number: int) -> None:
        """Make so many spaces that have all but a Nextcloud, and timers as they are by default."""
        for one in range(len(self.slugs), number):
            self.environment.add(one)
        # Without a Nextcloud their jobs would fail: a run skips spaces that are being upgraded.
        flags = " ".join(f"asso-{one}" for one in range(number))
        folder = "/var/lib/archipel/closed"
        self.machine.execute("sh", "-c", f"mkdir -p {folder} && cd {folder} && touch {flags}")
        self.environment.policy(spaces_install_enabled=False, spaces_cron_calendar=CALENDAR)
        self.environment.play("playbooks/spaces.yml")


def idle(jobs: Jobs, settle: int, rounds: int) -> float:
    """Print what a run with nothing to do costs; return the processor seconds of one."""
    jobs.sleep()
    first = jobs.run()
    for _ in range(settle - 1):
        jobs.run()
    found = [jobs.run() for _ in range(rounds)]
    each = statistics.median(one.processor for one in found)
    wall = statistics.median(seconds for one in found for seconds in one.seconds)
    least, most = (choose(one.processor for one in found) for choose in (min, max))
    print(f"A run of jobs, {len(jobs.slugs)} spaces, asleep, {rounds} rounds with nothing to do")
    print(f"  first run of a new space{first.processor:10.2f} s of processor time")
    print(
        f"  idle run                {each:10.2f} s ({least:.2f} to {most:.2f}), {wall:.2f} s long"
    )
    return each


def show(title: str, timers: Timers) -> None:
    """Print how jobs are spread."""
    print(
        f"  {title:<18}{len(timers.offsets)} timers over {INTERVAL} s: in a minute "
        f"{timers.emptiest(60)} to {timers.fullest(60)}, in ten seconds {timers.emptiest(10)} to "
        f"{timers.fullest(10)}"
    )


def spread(jobs: Jobs, minute: int = 60) -> dict[str, t.Any]:
    """Print how jobs are spread, and what a reboot changes."""
    before = jobs.timers()
    print("When jobs begin")
    show("converged", before)
    jobs.machine.reboot()
    booted = int(jobs.machine.execute("date", "+%s"))
    time.sleep(minute)
    after = jobs.timers()
    show("after a reboot", after)
    same = sum(after.offsets[name] == offset for name, offset in before.offsets.items())
    began = sum(booted - minute <= moment for moment in after.began.values())
    even = len(after.offsets) * minute / INTERVAL
    print(
        f"  at the same second of the interval as before the reboot: {same}; begun in the minute "
        f"after it: {began} (evenly: {even:.0f})"
    )
    return {"offsets": sorted(before.offsets.values()), "same": same, "began": began}


def computed(each: float, number: int) -> None:
    """Print what the jobs of so many spaces cost, computed from one run."""
    asleep = each * number / INTERVAL
    some = round(0.15 * number)
    mixed = each * ((number - some) / INTERVAL + some / AWAKE)
    print(f"Computed from it, not measured: {number} spaces on {CORES} processors")
    print(f"  all asleep, every {INTERVAL} s: {asleep:.2f} processors, {asleep / CORES:.0%}")
    print(f"  {some} awake, every {AWAKE} s:  {mixed:.2f} processors, {mixed / CORES:.0%}")


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="3 installed, 50 in all, 2 rounds")
    parser.add_argument("--installed", type=int, help="spaces with a Nextcloud (10)")
    parser.add_argument("--spaces", type=int, help="in all (500)")
    parser.add_argument("--settle", type=int, default=4, help="runs before one is idle (4)")
    parser.add_argument("--rounds", type=int, help="of idle runs (5)")
    parser.add_argument("--release", help="a release in --archives, such as 33.0.3")
    choice.add_options(parser)
    parser.add_argument("--keep", action="store_true", help="leave the node for the next time")
    return parser.parse_args()


def main() -> None:
    """Install, measure, print."""
    options = arguments()
    installed = options.installed or (3 if options.quick else 10)
    number = options.spaces or (50 if options.quick else 500)
    policy = {**choice.policy(options, options.release), "spaces_install_enabled": True}
    nodes = Nodes(1, "jobs")
    machine = nodes.machines[0]
    try:
        nodes.up()
        environment = Environment(BUILD / "bench/jobs", installed, [machine], **policy)
        environment.play("playbooks/site.yml")
        print(release.running(machine))
        jobs = Jobs(machine, environment, installed)
        each = idle(jobs, options.settle, options.rounds or (2 if options.quick else 5))
        computed(each, number)
        jobs.populate(number)
        found = {"each": each, **spread(jobs)}
        (BUILD / "jobs.json").write_text(f"{json.dumps(found)}\n", encoding="utf-8")
    finally:
        if not options.keep:
            nodes.down()


if __name__ == "__main__":
    main()
