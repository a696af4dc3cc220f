#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What spaces cost a node while nobody uses them, and how long they take to wake.

Installs many spaces on one node, with the real Nextcloud where artifacts/ has one and the
stand-in otherwise (it says which), and prints

- the time of installing one more space, and the same without the release's template;
- the memory of the node's processes (PSS: shared pages are counted once): before there are
  spaces, all asleep, some awake, asleep again;
- the time of a run that finds nothing to do, and the same without a look into Nextcloud;
- the time of the login page of a space that sleeps, its Redis too, with and without the
  release's compiled code; and of one that is awake.
"""

from __future__ import annotations

import argparse
import statistics
import tarfile
import time
import typing as t
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.benchmarks.nodes import BUILD, ROOT, Environment, Nodes
from tools import release
from tools.lab.machine import Machine

SITE = ("playbooks/platform.yml", "--tags", "nextcloud")
# /proc/<pid>/smaps_rollup of every process, after its name.
MEMORY = (
    'for p in /proc/[0-9]*; do n=$(cat "$p/comm" 2>/dev/null) && '
    's=$(sed -n "s/^Pss: *//p" "$p/smaps_rollup" 2>/dev/null) && echo "$n ${s:-0 kB}"; done; true'
)
# Prints the status of a login page and the seconds until all of it was there.
LOGIN = """\
import http.client, socket, ssl, sys, time
context = ssl._create_unverified_context()
start = time.perf_counter()
plain = socket.create_connection(("127.0.0.1", 443), timeout=60)
connection = http.client.HTTPConnection(sys.argv[1])
connection.sock = context.wrap_socket(plain, server_hostname=sys.argv[1])
connection.request("GET", "/index.php/login")
answer = connection.getresponse()
answer.read()
print(answer.status, time.perf_counter() - start)
"""


@dataclass
class Room:
    """The node and what is installed on it."""

    machine: Machine
    environment: Environment
    spaces: int

    def shell(self, command: str) -> str:
        """Run a command on the node."""
        return self.machine.execute("sh", "-c", command)

    def login(self, number: int) -> float:
        """Return the seconds a space's login page takes.

        Raises:
            RuntimeError: it did not answer with the page.
        """
        host = f"asso-{number}.bench.localhost"
        answer = self.machine.execute("python3", "-", host, stdin=LOGIN)
        code, _, seconds = answer.partition(" ")
        if code != "200":
            raise RuntimeError(f"https://{host}/index.php/login answers {code}")
        return float(seconds)

    def sleep(self) -> None:
        """Stop the PHP of all spaces, as the timer for idle ones does, and await their Redis."""
        self.shell("systemctl stop 'space-php@*.service'")
        for _ in range(60):
            if not self.shell("pgrep -c redis-server || true").strip().strip("0"):
                return
            time.sleep(0.5)

    def memory(self) -> dict[str, float]:
        """Return the memory of the node's processes in MiB, by name of program."""
        found: defaultdict[str, float] = defaultdict(float)
        for line in self.shell(MEMORY).splitlines():
            name, _, size = line.removesuffix(" kB").rpartition(" ")
            found[name.strip()] += float(size) / 1024
        return found


def memory_row(title: str, memory: dict[str, float]) -> str:
    """Return a line of the table of memory: the sum, and who has most of it."""
    largest = sorted(memory.items(), key=lambda item: -item[1])[:5]
    most = ", ".join(f"{name} {size:.0f}" for name, size in largest)
    return f"  {title:<28}{sum(memory.values()):8.0f} MiB   {most}"


def added(room: Room, number: int) -> float:
    """Add so many spaces; return the seconds of the run that installs them."""
    for index in range(number):
        room.environment.add(room.spaces + index)
    room.spaces += number
    return room.environment.play("playbooks/spaces.yml").seconds


def install(room: Room) -> None:
    """Print what one more space costs: with the release's template, and without it."""
    rows = []
    for title, template in (("from the template", True), ("each by the installer", False)):
        room.environment.policy(spaces_install_from_seed_image=template)
        few, many = added(room, 2), added(room, 10)
        rows.append((title, (many - few) / 8))
    print("One more space: what ten at once take longer than two, by eight; two in parallel")
    for title, seconds in rows:
        print(f"  {title:<28}{seconds:8.2f} s     {seconds / rows[0][1]:5.1f} x")


def wake(room: Room, runs: int) -> dict[str, float]:
    """Return the median seconds of the login page: asleep, and awake."""
    asleep, awake = [], []
    for index in range(runs):
        number = index % room.spaces
        room.sleep()
        asleep.append(room.login(number))
        room.login(number)
        awake.append(room.login(number))
    return {"asleep": statistics.median(asleep), "awake": statistics.median(awake)}


def waking(room: Room, runs: int) -> None:
    """Print how long sleeping spaces take to answer, with and without compiled code."""
    times = {}
    for title, folder in (("without", ""), ("with", "/srv/nextcloud/opcache")):
        room.environment.policy(nextcloud_opcache=folder)
        room.environment.play("playbooks/site.yml")
        times[title] = wake(room, runs)
    print(f"Login page, median of {runs}")
    for title in ("with", "without"):
        row = times[title]
        ratio = row["asleep"] / times["with"]["asleep"]
        print(
            f"  {title + ' compiled code':<28}{row['asleep'] * 1000:6.0f} ms asleep"
            f"{row['awake'] * 1000:7.0f} ms awake   {ratio:5.1f} x"
        )


def unchanged(room: Room, runs: int) -> None:
    """Print what a run costs that changes nothing, in turns with one that leaves Nextcloud out."""
    times: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(runs):
        for looks, seconds in times.items():
            room.environment.policy(spaces_install_enabled=looks)
            sample = room.environment.play("playbooks/spaces.yml")
            if sample.changed:
                raise RuntimeError(f"{sample.changed} tasks changed something")
            seconds.append(sample.seconds)
    room.environment.policy(spaces_install_enabled=True)
    print(f"A run without changes, {room.spaces} spaces, median of {runs}")
    for title, looks in (("Nextcloud included", True), ("Nextcloud left out", False)):
        print(f"  {title:<28}{statistics.median(times[looks]):8.2f} s")


def remembering(room: Room, active: int, before: dict[str, float]) -> None:
    """Print the memory of the node: without spaces, asleep, some awake, asleep again."""
    room.sleep()
    rows = [("no spaces yet", before), ("all asleep", room.memory())]
    for number in range(active):
        room.login(number)
    rows.append((f"{active} awake", room.memory()))
    room.sleep()
    rows.append(("all asleep again", room.memory()))
    print(f"Memory of a node with {room.spaces} spaces (PSS)")
    for title, memory in rows:
        print(memory_row(title, memory))


def main() -> None:
    """Install, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="12 spaces instead of 300")
    parser.add_argument("--spaces", type=int)
    parser.add_argument("--release", help="a release in artifacts/, such as 35.0.0")
    options = parser.parse_args()
    number = options.spaces or (12 if options.quick else 300)
    nodes = Nodes(1, "idle")
    try:
        nodes.up()
        measure(nodes, number, options.release)
    finally:
        nodes.down()


def entry(version: str, folder: Path = ROOT / "artifacts") -> dict[str, t.Any]:
    """Return a catalogue entry for an archive in a folder, whatever applications it has."""
    (archive,) = folder.glob(f"nextcloud-{version}.tar.*")
    with tarfile.open(archive) as file:
        found = {Path(name).parts[2] for name in file.getnames() if "/apps/" in name}
    policy = yaml.safe_load((ROOT / "group_vars/all/applications.yml").read_text(encoding="utf-8"))
    wanted = policy["archipel_applications"]["enabled"]
    connectors = [suite["application"] for suite in policy["archipel_office_suites"].values()]
    return {
        "version": version,
        "php": {"min": "8.2", "max": "8.5"},
        "archive": {},
        "applications": {},
        "without": sorted({*wanted, *connectors} - found),
    }


def measure(nodes: Nodes, number: int, version: str | None) -> None:
    """Measure everything on a node that is up."""
    policy: dict[str, t.Any] = {"spaces_install_enabled": True, **release.variables()}
    if version:
        policy |= {"archipel_releases": {version: entry(version)}, "archipel_release": version}
    environment = Environment(BUILD / "bench/idle", number, nodes.machines, **policy)
    environment.play(*SITE)
    print(f"{number} spaces, {release.running(nodes.machines[0])}")
    room = Room(nodes.machines[0], environment, number)
    before = room.memory()
    environment.play("playbooks/spaces.yml")
    remembering(room, max(number // 10, 1), before)
    unchanged(room, 5)
    waking(room, 5)
    install(room)


if __name__ == "__main__":
    main()
