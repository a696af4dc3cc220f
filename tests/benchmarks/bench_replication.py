#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What it costs to have databases twice: a server alone, one with a replica, Galera of three.

All run on one node, on its loopback. Eight spaces write all the time; prints what a commit takes
while nothing else is done, and while the schema of another space is changed as an upgrade does it.
Then how long a copy for a new replica takes, for each 1,000 tables.
"""

from __future__ import annotations

import argparse
import json
import typing as t

from tests.benchmarks.nodes import BUILD, HERE
from tools.lab.host import podman, run
from tools.lab.machine import Machine

PROGRAM = HERE / "replicas.py"
PACKAGES = "mariadb-server mariadb-client galera-4 rsync lsof iproute2 python3-pymysql"
NAME = "archipel-bench-replication"


def main() -> None:
    """Measure on a node of its own and print the ways side by side."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a smaller table, for less long")
    size = ("20000", "5") if parser.parse_args().quick else ("400000", "20")
    node = Machine(NAME, BUILD / "lab" / NAME)
    try:
        node.up("trixie", [":22"])
        install = f"apt-get update -q && apt-get install -qy --no-install-recommends {PACKAGES}"
        node.execute("sh", "-c", f"export DEBIAN_FRONTEND=noninteractive; {install}")
        # What the package has started would only be in the way.
        node.execute("systemctl", "stop", "mariadb")
        node.execute(
            "sh", "-c", "cat > /srv/replicas.py", stdin=PROGRAM.read_text(encoding="utf-8")
        )
        node.execute("install", "-d", "-o", "mysql", "/srv/bench")
        call = [*podman(), "exec", node.container, "runuser", "-u", "mysql", "--"]
        call += ["python3", "/srv/replicas.py", "--home=/srv/bench"]
        said = run([*call, f"--rows={size[0]}", f"--seconds={size[1]}"], timeout=1800)
        show([json.loads(line) for line in said.splitlines()])
    finally:
        node.down()


def show(rows: list[dict[str, t.Any]]) -> None:
    """Print a line for each way, quiet and during an upgrade."""
    print("  way       while       commits/s   p50 ms   p99 ms  longest ms   upgrade s")
    for row in rows:
        if row["way"] == "copy":
            each = row["seconds"] * 1000 / row["tables"]
            print(f"  copy for a new replica: {each:.1f} s for each 1,000 empty tables")
            continue
        for name in ("quiet", "during"):
            one, took = row[name], row["upgrade"]["seconds"] if name == "during" else ""
            print(
                f"  {row['way']:<9} {name:<9} {one['commits_per_second']:11.1f} "
                f"{one['p50_ms']:8.2f} {one['p99_ms']:8.2f} {one['longest_ms']:11.1f} {took!s:>11}"
            )


if __name__ == "__main__":
    main()
