#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What a certificate for each own domain costs nginx, beside one certificate for all of them.

On a machine of its own, with Debian's nginx: full handshakes under names by chance, from one client
after the other. ``one``: one certificate; ``map``: ours, found by name with each handshake;
``server``: a server block for each name. Prints the processor time of the worker for a handshake,
its memory (RSS), and the time of ``nginx -t``.
"""

from __future__ import annotations

import argparse
import json
import typing as t

from tests.benchmarks.nodes import BUILD, HERE
from tools.lab.machine import Machine

PROGRAM = HERE / "handshakes.py"
PACKAGES = "nginx-light python3-cryptography"


def main() -> None:
    """Measure all three on one machine and print them side by side."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="500 names, few handshakes")
    parser.add_argument("--suite", default="trixie", help="Debian suite (default: trixie)")
    options = parser.parse_args()
    numbers = ["500", "1000"] if options.quick else ["5000", "4000"]
    machine = Machine("archipel-handshakes", BUILD / "lab/archipel-handshakes")
    try:
        machine.up(options.suite, [":22"])
        script = f"apt-get -qq update && apt-get -qq install --no-install-recommends {PACKAGES} >&2"
        machine.execute("sh", "-c", f"{script} && systemctl disable --now nginx 2>&1")
        machine.execute("sh", "-c", "cat > /tmp/handshakes.py", stdin=PROGRAM.read_text("utf-8"))
        rows = [
            json.loads(machine.execute("python3", "/tmp/handshakes.py", kind, *numbers))
            for kind in ("one", "map", "server")
        ]
    finally:
        machine.down()
    show(rows, options.suite)


def show(rows: list[dict[str, t.Any]], suite: str) -> None:
    """Print the table; how often the first row's time each other takes."""
    print(f"nginx, {rows[0]['names']} names, {suite}: {rows[0]['version']}")
    print("  kind      handshake ms   ratio   worker MiB   nginx -t s")
    for row in rows:
        ratio = row["milliseconds"] / rows[0]["milliseconds"]
        print(
            f"  {row['kind']:<8}{row['milliseconds']:14.3f} {ratio:7.2f} {row['mib']:12.1f}"
            f" {row['check']:12.3f}"
        )


if __name__ == "__main__":
    main()
