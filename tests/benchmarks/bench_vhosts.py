#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What vhosts cost nginx: a server block per space, and our entry of a map per space.

For each number of spaces a separate nginx is started on the node with either, from the files
the role rendered there. Prints the memory of a worker (RSS), the
time of ``nginx -t``, and the time until a reload has replaced the workers.
"""

from __future__ import annotations

import argparse
import json
import typing as t

from tests.benchmarks.nodes import BUILD, HERE, Environment, Nodes

PROGRAM = HERE / "vhosts.py"


def main() -> None:
    """Measure both on one node and print them side by side."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="100 and 500 spaces")
    options = parser.parse_args()
    numbers = [100, 500] if options.quick else [100, 1000, 5000]
    nodes = Nodes(1, "vhosts")
    try:
        nodes.up()
        Environment(BUILD / "bench/vhosts", 1, nodes.machines).play("playbooks/spaces.yml")
        node = nodes.machines[0]
        node.execute("sh", "-c", "cat > /tmp/vhosts.py", stdin=PROGRAM.read_text(encoding="utf-8"))
        rows = [
            json.loads(node.execute("python3", "/tmp/vhosts.py", kind, str(number)))
            for number in numbers
            for kind in ("server", "map")
        ]
    finally:
        nodes.down()
    show(rows)


def show(rows: list[dict[str, t.Any]]) -> None:
    """Print the table, each pair beside the other."""
    print("nginx: a server block per space, and an entry of a map per space")
    print("  spaces  kind     worker MiB   nginx -t s   reload s")
    for row in rows:
        print(
            f"  {row['spaces']:6}  {row['kind']:<8}{row['mib']:10.1f} {row['check']:12.3f}"
            f" {row['reload']:10.3f}"
        )


if __name__ == "__main__":
    main()
