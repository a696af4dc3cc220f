#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""How long a space that sleeps takes to show its login page, and what of that is due to what.

Installs a few spaces on one node, with the real Nextcloud where artifacts/ has one and the stand-in
otherwise (it says which). They are put to sleep and woken one at a time, in turns with the same
space under other settings of its units, so that whatever else the machine does falls on all of
them: without compiled code, without waiting for Redis, and with what ``--variants`` names, a file
of JSON ``{name: {unit: text of a drop-in}}``.

Prints medians in milliseconds: when Redis and PHP were ready, the first page and the next one, the
processor time of PHP and of Redis until the first page was there, both sandboxes included; the
ratio of each setting to the present one: the median of those of each turn; and in how many turns a
page failed with a setting, which are left out of the rest. Writes the same to ``build/wake.json``.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import statistics
import typing as t
from pathlib import Path

from tests.benchmarks.bench_idle import entry
from tests.benchmarks.nodes import BUILD, Environment, Nodes
from tools import release
from tools.lab.machine import Machine

NODE = Path(__file__).resolve().parent / "wake/node.py"
DOMAIN, PRESENT = "bench.localhost", "as it is"
PHP = "space-php@.service"
# How PHP waits for Redis.
WAITS = re.compile(r" -d opcache\.preload=\S+")
COLUMNS = ("redis", "php", "asleep", "awake", "php processor", "redis processor")

Wake = t.Mapping[str, float]
Variants = t.Mapping[str, t.Mapping[str, str]]


def variants(unit: str, own: Variants) -> dict[str, t.Mapping[str, str]]:
    """Return the settings that are compared, by name: drop-ins by unit. Pure.

    Args:
        unit: text of the unit of PHP.
        own: those that were asked for beside ours.

    Raises:
        ValueError: the unit starts PHP in a way unknown here.

    """
    (start,) = [line for line in unit.splitlines() if line.startswith("ExecStart=")]
    if not WAITS.search(start):
        raise ValueError(f'the unit of PHP has "{start}"; expected: {WAITS.pattern}')
    alone = f"[Service]\nExecStart=\n{WAITS.sub('', start)}\n"
    return {
        PRESENT: {},
        "without compiled code": {PHP: "[Service]\nEnvironment=ARCHIPEL_FPM_OPTIONS=\n"},
        "not waiting for Redis": {PHP: alone},
        **own,
    }


def measure(machine: Machine, slugs: t.Sequence[str], runs: int, own: Variants) -> t.Any:
    """Wake spaces of a node; return the wakes by name of the setting."""
    unit = machine.execute("cat", f"/etc/systemd/system/{PHP}")
    asked = {"domain": DOMAIN, "slugs": slugs, "runs": runs, "variants": variants(unit, own)}
    program = NODE.read_text(encoding="utf-8")
    return json.loads(machine.execute("python3", "-", json.dumps(asked), stdin=program))


def middle(wakes: t.Sequence[Wake | None], what: str) -> float:
    """Return the median of a column, in seconds; not a number if no page was served. Pure."""
    return _median([wake[what] for wake in wakes if wake])


def ratio(wakes: t.Sequence[Wake | None], present: t.Sequence[Wake | None], what: str) -> float:
    """Return the median over the turns of a setting by the present one. Pure."""
    pairs = zip(wakes, present, strict=True)
    return _median([a[what] / b[what] for a, b in pairs if a and b])


def _median(values: t.Sequence[float]) -> float:
    return statistics.median(values) if values else math.nan


def table(found: t.Mapping[str, t.Sequence[Wake | None]]) -> list[str]:
    """Return the lines of the table. Pure."""
    heading = "".join(f"{name:>17}" for name in COLUMNS)
    lines = [f"  {'':<26}{heading}{'failed':>8}{'ratio':>8}"]
    for name, wakes in found.items():
        cells = "".join(f"{middle(wakes, column) * 1000:14.0f} ms" for column in COLUMNS)
        failed = sum(wake is None for wake in wakes)
        times = ratio(wakes, found[PRESENT], "asleep")
        lines.append(f"  {name:<26}{cells}{failed:8}{times:8.2f}")
    return lines


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="2 spaces, 3 turns")
    parser.add_argument("--spaces", type=int, help="that are woken (5)")
    parser.add_argument("--runs", type=int, help="turns (15)")
    parser.add_argument("--release", help="a release in --archives, such as 33.0.3")
    parser.add_argument("--archives", type=Path, default=BUILD.parent / "artifacts")
    parser.add_argument("--variants", type=Path, help="further settings, a file of JSON")
    parser.add_argument("--keep", action="store_true", help="leave the node for the next time")
    return parser.parse_args()


def main() -> None:
    """Install, measure, print."""
    options = arguments()
    spaces = options.spaces or (2 if options.quick else 5)
    runs = options.runs or (3 if options.quick else 15)
    own = json.loads(options.variants.read_text(encoding="utf-8")) if options.variants else {}
    policy: dict[str, t.Any] = {**release.variables(), "spaces_install_enabled": True}
    if options.release:
        policy |= {"archipel_releases": {options.release: entry(options.release, options.archives)}}
        policy |= {"archipel_release": options.release}
        policy |= {"nextcloud_local_folders": [str(options.archives)]}
    nodes = Nodes(1, "wake")
    try:
        nodes.up()
        environment = Environment(BUILD / "bench/wake", spaces, nodes.machines, **policy)
        environment.play("playbooks/site.yml")
        print(f"{release.running(nodes.machines[0])}; medians of {runs} turns")
        slugs = [f"asso-{number}" for number in range(spaces)]
        found = measure(nodes.machines[0], slugs, runs, own)
        (BUILD / "wake.json").write_text(f"{json.dumps(found, indent=1)}\n", encoding="utf-8")
        print(*table(found), sep="\n")
    finally:
        if not options.keep:
            nodes.down()


if __name__ == "__main__":
    main()
