#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What an upgrade costs beside the bare ``occ upgrade`` of the same spaces.

Installs spaces on one release, each with an account that has logged in, and has the other release
built and compiled. Then, some times over, upgrades them with nothing but ``occ upgrade``, loads
their databases back, upgrades them with playbooks/upgrade.yml, as many at a time, and brings them
back with playbooks/rollback.yml. Prints both wall times, the time each space is closed beside the
time of its bare ``occ upgrade``, what each step takes, and a run over a thousand spaces that are
there already.

The archives of both releases may lie in a folder (--archives, --old, --new; --catalogue for further
applications); otherwise the stand-in is upgraded. It says which.
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

import yaml

from tests.benchmarks import choice
from tests.benchmarks.nodes import BUILD, ROOT, Environment, Nodes, execute
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
# Before a bare upgrade, and after it: nothing else brings a space back.
KEEP = """\
set -eu
for slug in "$@"; do
    mariadb-dump --single-transaction --hex-blob "space_$slug" > "/tmp/$slug.sql"
    cp -p "/srv/spaces/$slug/config/config.php" "/tmp/$slug.php"
done
"""
BACK = """\
set -eu
release=$1
shift
for slug in "$@"; do
    mariadb -e "DROP DATABASE \\`space_$slug\\`; CREATE DATABASE \\`space_$slug\\`
        CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    mariadb "space_$slug" < "/tmp/$slug.sql"
    cp -p "/tmp/$slug.php" "/srv/spaces/$slug/config/config.php"
    ln -sfn "../../nextcloud/releases/$release" "/srv/spaces/$slug/release"
done
"""
# Somebody who has logged in: the check after an upgrade stores a file in their name.
PERSON = """\
import base64, http.client, os, secrets, socket, ssl, subprocess, sys
domain, *slugs = sys.argv[1:]
name = "a.dupont@asso.example"
for slug in slugs:
    password, unit = secrets.token_urlsafe(18), f"space-occ@{slug}.target"
    user = [f"--reuid=space-{slug}", f"--regid=space-{slug}", f"--groups=space-{slug},archipel-db"]
    added = {"OC_PASS": password, "NEXTCLOUD_CONFIG_DIR": f"/srv/spaces/{slug}/config"}
    occ = ["php", "-d", "apc.enable_cli=1", "-d", "memory_limit=512M", "occ"]
    subprocess.run(["systemctl", "start", unit], check=True)
    subprocess.run(
        ["setpriv", *user, *occ, "user:add", "--password-from-env", name],
        cwd=f"/srv/spaces/{slug}/release", env={**os.environ, **added}, check=True,
    )
    subprocess.run(["systemctl", "stop", unit], check=True)
    plain = socket.create_connection(("127.0.0.1", 443))
    host = f"{slug}.{domain}"
    web = http.client.HTTPConnection(host)
    web.sock = ssl._create_unverified_context().wrap_socket(plain, server_hostname=host)
    credentials = base64.b64encode(f"{name}:{password}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}"}
    web.request("PUT", f"/remote.php/dav/files/{name}/a.txt", body=b"hello", headers=headers)
    if web.getresponse().status != 201:
        sys.exit(f"{slug}: nobody can store a file")
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
    if options.archives:
        old, new = options.old, options.new
        policy = choice.policy(options, old, new)
    else:
        old, new = "33.0.9", "34.0.4"
        folder = BUILD / "bench/standin"
        program = [sys.executable, str(ROOT / "tests/standin/build.py"), f"--output={folder}"]
        subprocess.run([*program, f"--version={old}", f"--version={new}"], check=True)
        catalogue = {version: standin(version) for version in (old, new)}
        policy = release.variables()
        policy |= {"nextcloud_local_folders": [], "nextcloud_standin_folder": str(folder)}
        policy |= {"archipel_releases": catalogue, "archipel_release": old}
    return Both(old, new, {**policy, "spaces_install_enabled": True})


def standin(version: str) -> dict[str, t.Any]:
    """Return a catalogue entry for the stand-in."""
    text = (ROOT / "group_vars/all/releases.yml").read_text(encoding="utf-8")
    (first, *_others) = yaml.safe_load(text)["archipel_releases"].values()
    return {**first, "version": version, "archive": {}}


@dataclass
class Round:
    """One upgrade of all spaces: its wall time, the seconds of each space, and of each step."""

    wall: float
    each: list[float]
    steps: dict[str, float]


def ours(environment: Environment, both: Both) -> Round:
    """Upgrade all spaces with the playbook, and bring them back."""
    run = environment.play(UPGRADE, "-e", f"release={both.new}", "-e", f"parallel={PARALLEL}")
    machine = environment.container
    rest = machine.execute("sh", "-c", "cat /var/lib/archipel/upgrade/*/last.json")
    found, decoder = [], json.JSONDecoder()
    while rest:
        one, end = decoder.raw_decode(rest)
        found.append(one)
        rest = rest[end:].lstrip()
    slugs = ",".join(space["slug"] for space in environment.spaces())
    environment.play(ROLLBACK, "-e", f"only={slugs}")
    names = found[0]["steps"]
    steps = {name: statistics.median(one["steps"][name] for one in found) for name in names}
    return Round(run.seconds, [float(one["downtime"]) for one in found], steps)


def bare(machine: Machine, slugs: list[str], both: Both) -> Round:
    """Upgrade all spaces with occ alone, and bring them back."""
    machine.execute("sh", "-c", "cat > /tmp/bare.sh", stdin=BARE)
    execute(machine, "sh", "-s", "--", *slugs, stdin=KEEP)
    targets = " ".join(f"space-occ@{slug}.target" for slug in slugs)
    machine.execute("sh", "-c", f"systemctl start {targets}")
    each = (
        f"printf '%s\\n' {' '.join(slugs)} | xargs -P {PARALLEL} -I @ sh /tmp/bare.sh @ {both.new}"
    )
    start = time.perf_counter()
    lines = execute(machine, "sh", "-s", stdin=each).splitlines()
    wall = time.perf_counter() - start
    machine.execute("sh", "-c", f"systemctl stop {targets}")
    if len(lines) != len(slugs):
        sys.exit(f"the bare occ upgrade failed for {len(slugs) - len(lines)} spaces")
    execute(machine, "sh", "-s", "--", both.old, *slugs, stdin=BACK)
    times = [line.split() for line in lines]
    return Round(wall, [float(end) - float(begin) for _slug, end, begin in times], {})


def build(environment: Environment, both: Both) -> None:
    """Have the new release built and compiled: both ways of upgrading start from there."""
    environment.policy(archipel_ring_releases={"canary": both.new})
    run = environment.play("playbooks/platform.yml", "--tags", "nextcloud")
    environment.policy(archipel_ring_releases={})
    print(f"  building and compiling      {run.seconds:8.1f} s, once for each node")


def compare(environment: Environment, both: Both, rounds: int) -> None:
    """Print our upgrade beside the bare one, from rounds one after the other."""
    slugs = [space["slug"] for space in environment.spaces()]
    machine = environment.container
    execute(machine, "python3", "-", "bench.localhost", *slugs, stdin=PERSON)
    print(f"{len(slugs)} spaces, {both.old} to {both.new}, {PARALLEL} at a time, {rounds} rounds")
    build(environment, both)
    pairs = [(bare(machine, slugs, both), ours(environment, both)) for _ in range(rounds)]
    middle: list[tuple[float, float]] = []
    for name, some in zip(("bare occ upgrade", UPGRADE), zip(*pairs, strict=True), strict=True):
        wall = statistics.median(one.wall for one in some)
        each = statistics.median(seconds for one in some for seconds in one.each)
        middle.append((wall, each))
        print(f"  {name:<27} {wall:8.1f} s wall   {each:6.2f} s each")
    (wall, each), (our_wall, our_each) = middle
    print(f"  ratio                       {our_wall / wall:8.2f} x        {our_each / each:6.2f} x")
    for name in pairs[0][1].steps:
        seconds = statistics.median(our.steps[name] for _bare, our in pairs)
        print(f"    {name:<25} {seconds:8.2f} s")


def nothing(environment: Environment, both: Both, number: int) -> None:
    """Print what a run costs when all spaces are there already."""
    known = len(environment.spaces())
    for one in range(known, number):
        environment.add(one)
    slugs = [f"asso-{one}" for one in range(number)]
    machine = environment.container
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
    parser.add_argument("--rounds", type=int, default=3)
    choice.add_options(parser)
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
        compare(environment, both, options.rounds)
        nothing(environment, both, 1000)
    finally:
        nodes.down()


if __name__ == "__main__":
    main()
