#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What the edge adds to a request, how long 10,000 names take, and how long a move closes a space.

On the machines of scenario ``cluster``, which must be there: ``molecule converge -s cluster``.

- Requests for a small file, past the edge and through it in turns: on new connections and on kept
  ones.
- The exchange of names in what runs: of a few, of many at once, of one among the many, of none.
- A move of a space with ``--megabytes`` of files beside one bare rsync of the same files between
  the same machines; it is taken back and what was left is removed.
"""

from __future__ import annotations

import argparse
import json
import re
import time
import typing as t

from tests.benchmarks.nodes import HERE
from tests.support.cluster import ADDRESSES, BASE, EDGE, SCENARIO, Cluster
from tests.support.scenario import Scenario

PROGRAM = "/tmp/bench-edge.py"
SLUG, PATH = "amap-du-val", "/robots.txt"
NAMES = "/etc/haproxy/archipel/names.map"
CONTROL, EXCHANGE = "/run/haproxy/admin.sock", "/usr/local/libexec/archipel/edge-names"
CLOSED = re.compile(r"closed for ([0-9.]+) s")


class Bench:
    """The machines, and the program on them."""

    def __init__(self) -> None:
        self.cluster, self.scenario = Cluster(), Scenario(SCENARIO)
        if not self.cluster.machines["edge1"].exists():
            raise SystemExit(f"there are no machines; run: molecule converge -s {SCENARIO}")
        for name in ("db1", "edge1", "web1", "web2"):
            self.cluster.machines[name].execute(
                "sh", "-c", f"cat > {PROGRAM}", stdin=(HERE / "edge.py").read_text("utf-8")
            )

    def run(self, name: str, *arguments: str) -> t.Any:
        """Run the program on a machine; return what it prints."""
        return json.loads(self.cluster.machines[name].execute("python3", PROGRAM, *arguments))

    def requests(self, number: int) -> None:
        """Print what the edge adds."""
        node = self.scenario.spaces[SLUG]["web"]
        host = f"{SLUG}.{BASE}"
        found = self.run("db1", "requests", host, PATH, str(number), ADDRESSES[node], EDGE)
        print(f"{number} requests each, in turns     p50 ms  ratio   p99 ms  ratio")
        for kind in ("new", "kept"):
            direct = found[f"direct {kind}"]
            for way in ("direct", "edge"):
                row = found[f"{way} {kind}"]
                cells = (f"{row[p]:8.2f} {row[p] / direct[p]:6.2f}" for p in ("p50", "p99"))
                print(f"  {kind + ' connection, ' + way:<28} {'  '.join(cells)}")

    def names(self, number: int) -> None:
        """Print how long names take."""
        found = self.run("edge1", "names", CONTROL, NAMES, EXCHANGE, str(number), "web1")
        print("names exchanged in what runs            seconds  ratio (to one of a few)")
        for kind, title in (
            ("few", "one added to a few"),
            ("many", f"{number} added at once"),
            ("one", f"one of {number} changed"),
            ("same", f"{number}, nothing to do"),
        ):
            print(f"  {title:<34} {found[kind]:10.3f} {found[kind] / found['few']:6.1f}")

    def move(self, megabytes: int) -> None:
        """Print how long a move closes a space, and what a bare copy takes."""
        source = self.scenario.spaces[SLUG]["web"]
        target = {"web1": "web2", "web2": "web1"}[source]
        folder = f"/srv/spaces/{SLUG}/data/bench"
        user = self.cluster.host(source).check_output("stat -c %%u:%%g /srv/spaces/%s/data", SLUG)
        written = self.run(source, "fill", folder, str(megabytes))
        self.cluster.host(source).check_output("chown -R %s %s", user, folder)
        began = time.monotonic()
        results = self.play("-e", f"to={target}")
        whole = time.monotonic() - began
        closed = CLOSED.findall(str(results["move_batch | Say how it went"]["msg"]))[0]
        for kept in ("restore", "discard"):
            self.play("-e", f"kept={kept}", "-e", f"confirm={SLUG}")
        # The move has installed rsync.
        bare = self.copy(source, target, folder)
        self.cluster.host(source).check_output("rm -r %s", folder)
        size = f"{written['bytes'] / 1e9:.1f} GB in {written['files']} files"
        print(f"a move of {size:<32} seconds  ratio")
        rows = (("a bare rsync", bare), ("the whole run", whole), ("closed", float(closed)))
        for title, seconds in rows:
            print(f"  {title:<34} {seconds:10.1f} {seconds / bare:6.2f}")

    def copy(self, source: str, target: str, folder: str) -> float:
        """Return the seconds of a bare copy between the two machines, over SSH."""
        to = self.cluster.machines[target]
        key = "/root/.ssh/bench"
        host = self.cluster.host(source)
        host.check_output(f"rm -f {key} {key}.pub; ssh-keygen -q -t ed25519 -N '' -f {key}")
        public = host.file(f"{key}.pub").content_string
        to.execute("sh", "-c", "cat >> /root/.ssh/authorized_keys", stdin=public)
        via = f"ssh -i {key} -o StrictHostKeyChecking=accept-new"
        began = time.monotonic()
        host.check_output(
            "rsync -a -e %s %s/ %s", via, folder, f"root@{ADDRESSES[target]}:/srv/bench-copy/"
        )
        seconds = time.monotonic() - began
        to.execute("rm", "-r", "/srv/bench-copy")
        return seconds

    def play(self, *options: str) -> dict[str, dict[str, t.Any]]:
        """Run move.yml for the space.

        Raises:
            RuntimeError: it failed.

        """
        results = self.scenario.attempt("move.yml", "-e", f"only={SLUG}", *options)
        if failed := {name: one.get("msg") for name, one in results.items() if one.get("failed")}:
            raise RuntimeError(str(failed))
        return results


def main() -> None:
    """Measure all three and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few requests, names and files")
    parser.add_argument("--megabytes", type=int, help="of the space that moves; 0: none does")
    options = parser.parse_args()
    megabytes = options.megabytes
    if megabytes is None:
        megabytes = 100 if options.quick else 2000
    bench = Bench()
    bench.requests(100 if options.quick else 500)
    bench.names(1000 if options.quick else 10_000)
    if megabytes:
        bench.move(megabytes)


if __name__ == "__main__":
    main()
