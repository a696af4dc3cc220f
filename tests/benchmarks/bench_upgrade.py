#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What an upgrade costs beside the bare ``occ upgrade`` of the same spaces.

Installs spaces on one release, upgrades them with playbooks/upgrade.yml, brings them back with
playbooks/rollback.yml, and upgrades the same spaces again with nothing but ``occ upgrade``, as many
at a time. Prints both walls, the time each space is closed beside the time of its bare
``occ upgrade``, and a run over a thousand spaces that are there already.

The archives of both releases may lie in a folder (--archives, --old, --new); otherwise the stand-in
is upgraded. It says which.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.benchmarks.bench_idle import entry
from tests.benchmarks.nodes import BUILD, ROOT, Environment, Nodes, Sample
from tools import release
from tools.lab.machine import Machine

PARALLEL = 2
UPGRADE, ROLLBACK = "playbooks/upgrade.yml", "playbooks/rollback.yml"
# The same command that an operator would run by hand: as the space's user, with its Redis awake.
BARE = """\
set -eu
start=$(date +%s.%N)
ln -sfn "../../nextcloud/releases/$2" "/srv/spaces/$1/release"
cd /srv/spaces/$1/release
setpriv --reuid "space-$1" --regid "space-$1" --groups "space-$1,archipel-db" \\
    env NEXTCLOUD_CONFIG_DIR="/srv/spaces/$1/config" \\
    php -d apc.enable_cli=1 -d memory_limit=512M occ upgrade --no-interaction >/tmp/bare-$1.log 2>&1
echo "$1 $(date +%s.%N) $start"
"""
# What a space that was upgraded leaves behind, as far as a run that does nothing reads it.
THERE = """\
import os, sys
release, version, *slugs = sys.argv[1:]
for slug in slugs:
    base = f"/srv/spaces/{slug}"
    if os.path.exists(f"{base}/config/config.php"):
        continue
    os.makedirs(f"{base}/config", exist_ok=True)
    if not os.path.lexists(f"{base}/release"):
        os.symlink(f"../../nextcloud/releases/{release}", f"{base}/release")
    with open(f"{base}/config/config.php", "w") as file:
        file.write(f"<?php\\n$CONFIG = array (\\n  'installed' => true,\\n"
                   f"  'version' => '{version}',\\n);\\n")
"""


@dataclass
class Both:
    """The releases on either side of the upgrade."""

    old: str
    new: str
    policy: dict[str, t.Any]


def releases(options: argparse.Namespace) -> Both:
    """Return what is upgraded to what: real archives where they are at hand."""
    policy: dict[str, t.Any] = {"spaces_install_enabled": True, **release.variables()}
    if options.archives:
        old, new = options.old, options.new
        catalogue = {version: entry(version, options.archives) for version in (old, new)}
        policy["nextcloud_local_folders"] = [str(options.archives)]
    else:
        old, new = "33.0.9", "34.0.4"
        folder = BUILD / "bench/standin"
        program = [sys.executable, str(ROOT / "tests/standin/build.py"), f"--output={folder}"]
        subprocess.run([*program, f"--version={old}", f"--version={new}"], check=True)
        catalogue = {version: standin(version) for version in (old, new)}
        policy |= {"nextcloud_local_folders": [], "nextcloud_standin_folder": str(folder)}
    policy |= {"archipel_releases": catalogue, "archipel_release": old}
    return Both(old, new, policy)


def standin(version: str) -> dict[str, t.Any]:
    """Return a catalogue entry for the stand-in."""
    text = (ROOT / "group_vars/all/releases.yml").read_text(encoding="utf-8")
    (first, *_others) = yaml.safe_load(text)["archipel_releases"].values()
    return {**first, "version": version, "archive": {}}


def upgraded(environment: Environment, both: Both) -> tuple[Sample, dict[str, float]]:
    """Upgrade all spaces; return the run, and the seconds that each was closed."""
    run = environment.play(UPGRADE, "-e", f"release={both.new}", "-e", f"parallel={PARALLEL}")
    machine = environment.machines[0]
    lasts = machine.execute("sh", "-c", "cat /var/lib/archipel/upgrade/*/last.json")
    closed, decoder, rest = {}, json.JSONDecoder(), lasts
    while rest:
        one, end = decoder.raw_decode(rest)
        closed[one["log"]], rest = float(one["downtime"]), rest[end:].lstrip()
    return run, closed


def bare(machine: Machine, slugs: list[str], new: str) -> tuple[float, list[float]]:
    """Upgrade the same spaces with occ alone; return the wall, and the seconds of each."""
    machine.execute("sh", "-c", "cat > /tmp/bare.sh", stdin=BARE)
    targets = " ".join(f"space-occ@{slug}.target" for slug in slugs)
    machine.execute("sh", "-c", f"systemctl start {targets}")
    each = f"printf '%s\\n' {' '.join(slugs)} | xargs -P {PARALLEL} -I @ sh /tmp/bare.sh @ {new}"
    start = time.perf_counter()
    lines = machine.execute("sh", "-c", each).splitlines()
    wall = time.perf_counter() - start
    machine.execute("sh", "-c", f"systemctl stop {targets}")
    if len(lines) != len(slugs):
        sys.exit(f"the bare occ upgrade failed for {len(slugs) - len(lines)} spaces")
    times = [line.split() for line in lines]
    return wall, [float(end) - float(begin) for _slug, end, begin in times]


def compare(environment: Environment, both: Both) -> None:
    """Print our upgrade beside the bare one."""
    slugs = [space["slug"] for space in environment.spaces()]
    run, closed = upgraded(environment, both)
    environment.play(ROLLBACK, "-e", f"only={','.join(slugs)}")
    wall, each = bare(environment.machines[0], slugs, both.new)
    ours, theirs = statistics.median(closed.values()), statistics.median(each)
    print(f"{len(slugs)} spaces, {both.old} to {both.new}, {PARALLEL} at a time")
    print(f"  bare occ upgrade            {wall:8.1f} s wall   {theirs:6.2f} s each")
    print(f"  playbooks/upgrade.yml       {run.seconds:8.1f} s wall   {ours:6.2f} s closed each")
    print(
        f"  ratio                       {run.seconds / wall:8.2f} x        {ours / theirs:6.2f} x"
    )


def nothing(environment: Environment, both: Both, number: int) -> None:
    """Print what a run costs when all spaces are there already."""
    known = len(environment.spaces())
    for one in range(known, number):
        environment.add(one)
    slugs = [f"asso-{one}" for one in range(number)]
    machine = environment.machines[0]
    full = machine.execute("cat", f"/srv/nextcloud/releases/{both.new}.json")
    version = json.loads(full)["version_full"]
    machine.execute("python3", "-", both.new, version, *slugs, stdin=THERE)
    environment.play(UPGRADE, "-e", f"release={both.new}")
    seconds = [environment.play(UPGRADE, "-e", f"release={both.new}").seconds for _ in range(3)]
    print(f"Nothing to do, {number} spaces      {statistics.median(seconds):8.1f} s")


def main() -> None:
    """Install, upgrade both ways, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="4 spaces instead of 20")
    parser.add_argument("--spaces", type=int)
    parser.add_argument("--archives", type=Path, help="folder with both archives of Nextcloud")
    parser.add_argument("--old", help="release in there to upgrade from")
    parser.add_argument("--new", help="release in there to upgrade to")
    options = parser.parse_args()
    number, both = options.spaces or (4 if options.quick else 20), releases(options)
    nodes = Nodes(1, "upgrade")
    try:
        nodes.up()
        environment = Environment(BUILD / "bench/upgrade", number, nodes.machines, **both.policy)
        environment.play("playbooks/site.yml")
        print(release.running(nodes.machines[0]))
        compare(environment, both)
        nothing(environment, both, 1000)
    finally:
        nodes.down()


if __name__ == "__main__":
    main()
