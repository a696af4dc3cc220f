#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What one space does to the others: two that are asked quietly, and a third that is not quiet.

Installs three spaces on a node and moves it into a virtual machine, since limits of processes,
memory and disks are kept by a kernel with cgroup v2 and project quotas. A client of each of the
first two asks at a steady pace (``neighbours/paced.py``), in turns with the node quiet and with
the third space

- ``logins``: being asked with wrong passwords, from another address each time;
- ``fork bomb``, ``memory hog``, ``full disk``: run by its own PHP in its sandbox
  (``neighbours/tenant.py``), the last with its storage full and writing on;
- ``uploads``: being sent bodies without a password, until so many megabytes were sent.

Prints the neighbours' median and 99th percentile in both, their ratio (the median of those of each
pair), what failed, and whether the limit held that the attack meets. Clients and attackers run on
the node too, in slices of their own. With the real Nextcloud where ``--release`` names one of
artifacts/, and with the stand-in otherwise: it says which, and whether the processor was emulated.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import statistics
import time
import typing as t
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from tests.benchmarks import choice
from tests.benchmarks.nodes import BUILD, ROOT, Environment, Nodes
from tests.support.attacker import FASTCGI, PLACE
from tests.support.layout import Layout, Units
from tests.support.sandbox import Programs
from tools import release
from tools.lab import transplant
from tools.lab.vm import VirtualMachine

HERE = Path(__file__).resolve().parent
DOMAIN = "bench.localhost"
NEIGHBOURS, LOUD = ("asso-0", "asso-1"), "asso-2"
STRANGERS, TENANTS = ("logins", "uploads"), ("fork bomb", "memory hog", "full disk")
KINDS = ("logins", *TENANTS, "uploads")
ASKED = ("status", "login", "propfind", "get", "put")
PEOPLE, ANSWER = "/srv/neighbours-people", "/run/neighbours-answer"
ATTACKING = "neighbours-attack.service"
# Seconds until an attack is under way, and until nothing is left of it.
BEFORE, AFTER = 5, 5
# It is ended after its turn, or by itself if this program is.
LONGEST = 900
# The spaces have a disk of their own, with project quotas.
DISKS = {"srv": ("/srv", "24G")}
PREPARE = """
set -eu
# Who asks must not wait for the processor: that would be measured.
printf '[Slice]\\nCPUWeight=1000\\n' >/run/systemd/system/quiet.slice
systemctl daemon-reload
"""
# Leaves the request at once: the attack goes on.
CARRIER = """<?php
$child = proc_open(['/usr/bin/python3', '-s', __DIR__ . '/tenant.py', KIND, FOLDER, 'SECONDS'],
    [1 => ['pipe', 'w'], 2 => ['pipe', 'w']], $open);
echo stream_get_contents($open[2]), 'begun';
proc_close($child);
"""
CONTROL = """
def says(name):
    try:
        with open(f"/sys/fs/cgroup{group}/{name}") as file:
            return file.read().split()
    except OSError:
        return []

group = os.popen(f"systemctl show --property=ControlGroup --value {unit}").read().strip()
found = {name: says(name) for name in ("pids.peak", "pids.max", "pids.events")}
found |= {name: says(name) for name in ("memory.peak", "memory.max", "memory.events")}
found["cpu"] = int((says("cpu.stat") or [0, 0])[1])
with q.opened(home) as folder:
    quota = q.read(folder, os.stat(data).st_uid)
found["storage"] = [quota.used_bytes, quota.limit_bytes]
free = os.statvfs("/var/lib/nginx")
found["free"] = free.f_bavail * free.f_frsize
print(json.dumps(found))
"""


SELDOM = (
    *("spaces_cron_awake_seconds", "spaces_jobs_check_seconds", "spaces_changes_check_seconds"),
    *("spaces_idle_check_seconds", "spaces_network_check_seconds", "quotas_report_seconds"),
)
# In a container the role leaves most of them to its host.
SETTINGS = "/etc/sysctl.d/61-neighbours.conf"


def kernel_settings() -> str:
    """Return the settings of the role common, as sysctl reads them: MariaDB needs one to start."""
    defaults = yaml.safe_load((ROOT / "roles/common/defaults/main.yml").read_text("utf-8"))
    return "".join(f"{key}={value}\n" for key, value in defaults["common_sysctls"].items())


@dataclass
class Turn:
    """What the neighbours saw in some seconds."""

    # Of each good answer.
    seconds: list[float]
    # Of each that was none: method, and status or error.
    failed: list[str]

    def percentile(self, percent: float) -> float:
        """Return the time that so many percent of the answers took at most; none: endless."""
        if not self.seconds:
            return math.inf
        ordered = sorted(self.seconds)
        return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


@dataclass
class Row:
    """One attack: turns without and with it, in pairs, and what held it."""

    attack: str
    quiet: list[Turn]
    attacked: list[Turn]
    held: list[str]

    def middle(self, which: str, percent: float) -> float:
        """Return the median over the turns of a percentile, in seconds."""
        turns: list[Turn] = getattr(self, which)
        return statistics.median(turn.percentile(percent) for turn in turns)

    def ratio(self, percent: float) -> float:
        """Return the median over the pairs of a percentile under attack by the quiet one."""
        pairs = zip(self.attacked, self.quiet, strict=True)
        return statistics.median(a.percentile(percent) / b.percentile(percent) for a, b in pairs)

    def failures(self, which: str) -> int:
        """Return how many requests failed in all turns of one kind."""
        turns: list[Turn] = getattr(self, which)
        return sum(len(turn.failed) for turn in turns)


def held(kind: str, control: t.Mapping[str, t.Any], answer: t.Mapping[str, t.Any]) -> str:
    """Say what became of an attack, and of the limit that it meets. Pure.

    Args:
        kind: of the attack.
        control: what the control group of the loud space's PHP, and its quota, say at its end.
        answer: what its strangers say; empty where there were none.

    """
    return f"{detail(kind, control, answer)}; {control['cpu'] / 1e6:.0f} s of processor time"


def detail(kind: str, control: t.Mapping[str, t.Any], answer: t.Mapping[str, t.Any]) -> str:
    """Say the same without the processor. Pure."""
    if kind == "fork bomb":
        peak, most = (first(control[f"pids.{name}"]) for name in ("peak", "max"))
        refused = counter(control["pids.events"], "max")
        return f"{peak} tasks of {most}, refused {refused} times"
    if kind == "memory hog":
        killed = counter(control["memory.events"], "oom_kill")
        peak, most = (mebibytes(first(control[f"memory.{name}"])) for name in ("peak", "max"))
        return f"{peak} of {most} MiB, {killed} processes ended"
    if kind == "full disk":
        used, most = (value >> 20 for value in control["storage"])
        return f"{used} of {most} MiB"
    answers = ", ".join(
        f"{number} × {status}" for status, number in sorted(answer["answers"].items())
    )
    tasks = f"{first(control['pids.peak'])} tasks"
    if kind == "logins":
        return f"{answers}; {tasks}"
    free = control["free"] >> 20
    return f"{answer['sent'] // 1_000_000} MB sent: {answers}; {free} MiB left for bodies"


def first(words: t.Sequence[str]) -> str:
    """Return the one word of a file of a control group; ? where there was none. Pure."""
    return words[0] if words else "?"


def counter(words: t.Sequence[str], name: str) -> str:
    """Return a counter of such a file with several: "max 3 oom 1". Pure."""
    return dict(zip(words[::2], words[1::2], strict=False)).get(name, "?")


def mebibytes(text: str) -> str:
    """Return a number of bytes, as text, in mebibytes; other words as they are. Pure."""
    return str(int(text) >> 20) if text.isdigit() else text


class Node:
    """The machine, its quiet spaces and its loud one."""

    def __init__(self, machine: VirtualMachine, options: argparse.Namespace) -> None:
        self.machine, self.options = machine, options
        self.programs = Programs(machine)
        self.layout = Layout(LOUD)

    def prepare(self) -> None:
        """Give the neighbours' clients what they need, and wake all spaces."""
        self.run_program(HERE / "load/people.py", PEOPLE, DOMAIN, *NEIGHBOURS)
        for name in ("paced.py", "strangers.py"):
            text = (HERE / "neighbours" / name).read_text(encoding="utf-8")
            self.machine.execute("sh", "-c", f"cat > /srv/{name}", stdin=text)
        self.turn(20 * self.options.interval)

    def run_program(self, path: Path, *arguments: str) -> str:
        """Run one of our programs on the node, for as long as it takes."""
        text = path.read_text(encoding="utf-8")
        return self.machine.execute("python3", "-", *arguments, stdin=text)

    def turn(self, seconds: float) -> Turn:
        """Let the neighbours be asked for some seconds."""
        given = (PEOPLE, str(self.options.interval), str(seconds), *self.options.asked)
        command = ("systemd-run", "--quiet", "--scope", "--collect", "--slice=quiet.slice", "--")
        said = self.machine.execute(*command, "python3", "/srv/paced.py", *given)
        return Turn(**json.loads(said))

    def begin(self, kind: str) -> None:
        """Let an attack begin; it goes on until `end`."""
        if kind in TENANTS:
            self.begin_inside(kind)
            return
        clients = {"logins": self.options.clients, "uploads": self.options.uploads}[kind]
        given = (kind, f"{LOUD}.{DOMAIN}", str(clients), str(self.options.megabytes))
        self.machine.execute(
            *("systemd-run", "--quiet", f"--unit={ATTACKING}", "--slice=strangers.slice"),
            *(f"--property=StandardOutput=truncate:{ANSWER}", "--property=Type=exec"),
            f"--property=RuntimeMaxSec={LONGEST}",
            *("python3", "/srv/strangers.py", *given),
        )

    def begin_inside(self, kind: str) -> None:
        """Let the loud space's own PHP begin an attack.

        Raises:
            RuntimeError: it does not.

        """
        values = {"KIND": repr(kind), "FOLDER": repr(self.layout.data), "SECONDS": str(LONGEST)}
        carrier = CARRIER
        for name, value in values.items():
            carrier = carrier.replace(name, value)
        program = (HERE / "neighbours/tenant.py").read_text(encoding="utf-8")
        folder = self.layout.temporary
        # Under a name for each: PHP looks at a file once.
        name = f"{kind.replace(' ', '-')}-{time.time_ns()}.php"
        self.programs.root(PLACE, files={name: carrier, "tenant.py": program}, folder=folder)
        script, socket = f"{folder}/{name}", self.layout.php_socket
        said, complained = self.programs.root(FASTCGI, script=script, path=socket)
        if not str(said).endswith("begun"):
            raise RuntimeError(f"{kind}: {said}{complained}")

    def end(self, kind: str) -> str:
        """End an attack, and clear what it left; return what held it."""
        unit = Units(LOUD).php
        control = self.programs.root(
            CONTROL, unit=unit, home=self.layout.home, data=self.layout.data
        )
        answer: dict[str, t.Any] = {}
        if kind in STRANGERS:
            self.machine.execute("systemctl", "stop", ATTACKING)
            answer = json.loads(self.machine.execute("cat", ANSWER))
        # What counts in its control group begins anew with it.
        left = f"{self.layout.data}/flood-* {self.layout.temporary}/*.php"
        self.machine.execute("sh", "-c", f"systemctl kill -s KILL {unit}; rm -f {left}; sync")
        time.sleep(AFTER)
        return held(kind, control, answer)

    def row(self, kind: str) -> Row:
        """Measure an attack: turns without and with it, each first in half of the pairs."""
        row = Row(kind, [], [], [])
        seconds = self.options.seconds
        for number in range(self.options.rounds):
            for attacked in (True, False) if number % 2 else (False, True):
                if not attacked:
                    row.quiet.append(self.turn(seconds))
                    continue
                self.begin(kind)
                time.sleep(BEFORE)
                row.attacked.append(self.turn(seconds))
                row.held.append(self.end(kind))
        return row


def lines(row: Row) -> list[str]:
    """Return what is printed of an attack. Pure."""
    cells = "".join(
        f"{row.middle(which, percent) * 1000:10.0f} ms"
        for which in ("quiet", "attacked")
        for percent in (50, 99)
    )
    ratios = f"{row.ratio(50):8.2f}{row.ratio(99):8.2f}"
    failed = f"{row.failures('quiet'):8}{row.failures('attacked'):10}"
    return [f"  {row.attack:<12}{cells}{ratios}{failed}", *(f"    {one}" for one in row.held)]


HEADING = (
    f"  {'':<12}{'median':>13}{'99th':>13}{'attacked':>13}{'99th':>13}{'ratios':>16}{'failed':>18}"
)


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one pair of turns of 20 s")
    parser.add_argument("--attacks", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--rounds", type=int, help="pairs of each attack (3)")
    parser.add_argument("--seconds", type=float, help="of each turn (60)")
    parser.add_argument("--interval", type=float, default=2.0, help="seconds between requests (2)")
    parser.add_argument(
        "--asked",
        nargs="+",
        choices=ASKED,
        default=ASKED,
        help="what the neighbours are asked in turn; status alone where the processor is emulated",
    )
    parser.add_argument("--clients", type=int, default=24, help="that guess passwords (24)")
    parser.add_argument("--uploads", type=int, default=32, help="at the same time (32)")
    parser.add_argument("--megabytes", type=int, default=10_000, help="sent in all (10000)")
    parser.add_argument("--memory", type=int, default=4096, help="of the machine, in MiB (4096)")
    parser.add_argument("--release", help="a release in --archives, such as 33.0.3")
    choice.add_options(parser)
    parser.add_argument("--keep", action="store_true", help="leave the node for the next time")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.seconds = options.seconds or (20.0 if options.quick else 60.0)
    return options


def install(options: argparse.Namespace) -> VirtualMachine:
    """Install a node in a container, and let a virtual machine go on with it."""
    name = "archipel-neighbours"
    machine = VirtualMachine(name, BUILD / "lab" / f"{name}-vm")
    policy: dict[str, t.Any] = {
        **choice.policy(options, options.release),
        "spaces_install_enabled": True,
        # What the role gives it of the virtual machine's memory, not of this host's.
        "mariadb_buffer_pool_mb": options.memory // 5,
        # A run of jobs in the middle of a turn would be another attack, and on an emulated
        # processor so is each of the node's own programs.
        **dict.fromkeys(SELDOM, 86400),
    }
    folder, made = BUILD / "lab" / f"{name}-disks", None
    if not machine.exists():
        nodes = Nodes(1, "neighbours")
        try:
            nodes.up()
            environment = Environment(BUILD / "bench/neighbours", 3, nodes.machines, **policy)
            environment.play("playbooks/site.yml")
            nodes.machines[0].execute("sh", "-c", f"cat > {SETTINGS}", stdin=kernel_settings())
            made = transplant.make(nodes.machines[0], "trixie", folder, DISKS)
        finally:
            nodes.down()
    machine.up("trixie", [":22"], list(DISKS), options.memory, made)
    shutil.rmtree(folder, ignore_errors=True)
    limited = policy | {"archipel_quota_backend": "auto"}
    environment = Environment(BUILD / "bench/neighbours", 3, [machine], **limited)
    # A limit that can be reached in the time of a turn.
    environment.add(2, storage=1)
    environment.play("playbooks/spaces.yml")
    return machine


def main() -> None:
    """Install, measure, print."""
    options = arguments()
    machine = install(options)
    try:
        machine.execute("sh", stdin=PREPARE)
        node = Node(machine, options)
        node.prepare()
        how = (machine.state / "accelerator").read_text(encoding="ascii")
        print(f"{release.running(machine)}; a virtual machine of 2 processors ({how})")
        print(HEADING)
        rows = []
        for kind in options.attacks:
            rows.append(node.row(kind))
            print(*lines(rows[-1]), sep="\n", flush=True)
            # What was measured is kept if what follows fails.
            text = json.dumps([asdict(row) for row in rows], indent=1)
            (BUILD / "neighbours.json").write_text(f"{text}\n", encoding="utf-8")
    finally:
        if not options.keep:
            machine.down()


if __name__ == "__main__":
    main()
