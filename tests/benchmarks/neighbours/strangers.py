#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Strangers who wear a space out: ``strangers.py logins|uploads HOST CLIENTS MEGABYTES``.

Runs on the node. Nobody is held by what one address may do: they come from addresses of the
loopback, to guess passwords from another one each time, to upload from one each.

- ``logins``: a wrong name and password, each by a connection of its own.
- ``uploads``: bodies of 150 MB without a password, until so many megabytes were sent in all.

Goes on until it is terminated, and prints a line of JSON then: how many answers of which status
there were, and the bytes that were sent.
"""

from __future__ import annotations

import collections
import contextlib
import itertools
import json
import os
import signal
import socket
import ssl
import sys
import threading
import time

PART = bytes(1 << 16)
PARTS = 2288
LENGTH = PARTS * len(PART)
PATIENCE = 60.0
LOGIN = (
    "PROPFIND /remote.php/dav/files/nobody/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
    "Authorization: Basic bm9ib2R5Ondyb25n\r\nContent-Length: 0\r\n\r\n"
)
UPLOAD = (
    "PUT /remote.php/dav/files/nobody/large.bin HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
    f"Content-Length: {LENGTH}\r\n\r\n"
)


class Crowd:
    """Everybody who attacks, and what came of it."""

    def __init__(self, kind: str, host: str, most: int) -> None:
        self.kind, self.host, self.most = kind, host, most
        self.answers: collections.Counter[str] = collections.Counter()
        self.sent = 0
        self.turns = itertools.count()
        self.lock = threading.Lock()
        self.context = ssl._create_unverified_context()

    def goes_on(self) -> bool:
        """Tell whether there is anything left to send."""
        return self.kind == "logins" or self.sent < self.most

    def address(self, client: int) -> str:
        """Return where a client comes from now."""
        number = next(self.turns) if self.kind == "logins" else client
        return f"127.66.{number // 250 % 250}.{number % 250 + 1}"

    def attack(self, client: int) -> None:
        """Come again and again."""
        while self.goes_on():
            try:
                status = self.come(self.address(client))
            except OSError as error:
                status = type(error).__name__
            self.answers[status] += 1
            # Whoever is told to wait does not turn round at once: that would measure this client.
            if status == "429":
                time.sleep(0.5)

    def come(self, address: str) -> str:
        """Connect, ask once, and return the status that is answered."""
        plain = socket.create_connection(("127.0.0.1", 443), PATIENCE, (address, 0))
        with self.context.wrap_socket(plain, server_hostname=self.host) as link:
            head = LOGIN if self.kind == "logins" else UPLOAD
            link.sendall(head.format(host=self.host).encode())
            if self.kind == "uploads" and not self.is_sent(link):
                return "cut short"
            said = link.recv(1000)
        return said.split(b" ", 2)[1].decode() if said.startswith(b"HTTP/") else "nothing"

    def is_sent(self, link: ssl.SSLSocket) -> bool:
        """Send a body, which may be answered before its end; tell whether all of it was let be."""
        with contextlib.suppress(OSError):
            for _ in range(PARTS):
                if not self.goes_on():
                    return False
                link.sendall(PART)
                with self.lock:
                    self.sent += len(PART)
        return True


def main() -> None:
    """Let all of them come at the same time."""
    kind, host, clients, megabytes = sys.argv[1:]
    crowd = Crowd(kind, host, int(megabytes) * 1_000_000)

    def leave(_signal: int, _frame: object) -> None:
        print(json.dumps({"answers": dict(crowd.answers), "sent": crowd.sent}), flush=True)
        # Without those that wait for an answer.
        os._exit(0)

    signal.signal(signal.SIGTERM, leave)
    for client in range(int(clients)):
        threading.Thread(target=crowd.attack, args=(client,), daemon=True).start()
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
