#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What bench_edge.py runs on the machines: requests past the edge, names in its map, files.

edge.py requests HOST PATH NUMBER DIRECT EDGE    on a client
edge.py names SOCKET MAP PROGRAM NUMBER NODE     on the edge
edge.py fill FOLDER MEGABYTES                    on a web node
"""

from __future__ import annotations

import http.client
import json
import os
import pathlib
import socket
import ssl
import statistics
import subprocess
import sys
import time
import typing as t

MB = 1024 * 1024
# Seconds between two turns: the edge refuses a client that makes over 300 connections in ten.
PAUSE = 0.04


class Connection(http.client.HTTPSConnection):
    """One to an address, for a name."""

    def __init__(self, host: str, address: str) -> None:
        super().__init__(host, timeout=30)
        self.address = address

    def connect(self) -> None:
        """Connect to the address; the certificate is the name's."""
        plain = socket.create_connection((self.address, 443), timeout=30)
        # HTTP/1 by name: each request is to be a packet of its own.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)


def ask(connection: Connection, path: str) -> float:
    """Return the milliseconds until an answer was read whole.

    Raises:
        RuntimeError: it is no good one.

    """
    began = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{connection.address}{path}: status {answer.status}")
    return (time.perf_counter() - began) * 1000


def measure(host: str, path: str, number: int, ways: dict[str, str]) -> dict[str, t.Any]:
    """Ask by each way in turns, on new connections and on one that is kept; milliseconds."""
    kept = {way: Connection(host, address) for way, address in ways.items()}
    found: dict[str, list[float]] = {f"{way} {kind}": [] for way in ways for kind in KINDS}
    order = list(ways.items())
    for _ in range(number):
        # Whoever is first after a pause finds cold caches.
        order.reverse()
        for way, address in order:
            one = Connection(host, address)
            found[f"{way} new"].append(ask(one, path))
            one.close()
            found[f"{way} kept"].append(ask(kept[way], path))
        time.sleep(PAUSE)
    # The first one connects.
    return {name: shares(values[1:]) for name, values in found.items()}


KINDS = ("new", "kept")


def shares(values: list[float]) -> dict[str, float]:
    """Return the median, and what one of a hundred takes longer than."""
    return {"p50": statistics.median(values), "p99": statistics.quantiles(values, n=100)[98]}


def exchange(control: str, path: str, program: str, number: int, node: str) -> dict[str, float]:
    """Time the exchange of names: few, many, one of the many; what was there is there afterwards.

    Args:
        control: HAProxy's socket.
        path: its file of names.
        program: what exchanges them.
        number: how many are the many.
        node: a backend that they lead to.

    """
    file = pathlib.Path(path)
    before = file.read_bytes()
    many = "".join(f"n{n:06}.bench.invalid {node}/bench/en\n" for n in range(number)).encode()
    one = before + many.replace(b"n000000.", b"m000000.")

    def timed(content: bytes) -> float:
        file.write_bytes(content)
        began = time.perf_counter()
        subprocess.run([program, control, path], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began

    try:
        few = timed(before + b"n.bench.invalid %s/bench/en\n" % node.encode())
        return {"few": few, "many": timed(before + many), "one": timed(one), "same": timed(one)}
    finally:
        timed(before)


def fill(folder: str, megabytes: int) -> dict[str, int]:
    """Write files of a megabyte, and of ten kilobytes as many, that nothing can compress."""
    place = pathlib.Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    for number in range(megabytes):
        (place / f"large-{number}.bin").write_bytes(os.urandom(MB))
        (place / f"small-{number}.bin").write_bytes(os.urandom(10_000))
    return {"files": 2 * megabytes, "bytes": sum(f.stat().st_size for f in place.iterdir())}


def main(arguments: list[str]) -> t.Any:
    """Do what is asked for."""
    kind, *rest = arguments
    if kind == "requests":
        host, path, number, direct, edge = rest
        return measure(host, path, int(number), {"direct": direct, "edge": edge})
    if kind == "names":
        control, path, program, number, node = rest
        return exchange(control, path, program, int(number), node)
    folder, megabytes = rest
    return fill(folder, int(megabytes))


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))
