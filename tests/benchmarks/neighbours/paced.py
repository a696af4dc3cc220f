#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ask spaces for something at a steady pace: ``paced.py PEOPLE INTERVAL SECONDS NAME…``.

Runs on the node. PEOPLE has a line for each space, as ``load/people.py`` writes it. Each space has
one client, which asks in turn for what is named: ``status``, ``login``, a list of files
(``propfind``), to ``get`` a file of 100 kB and to ``put`` one of 10 kB. An answer's time counts
from when the request was due: a client that waits for an earlier answer is late, as people would
be. What was due and not begun when the time is over has failed. Prints a line of JSON: seconds of
the good answers, and what failed.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import sys
import threading
import time
import typing as t
from pathlib import Path

PROPFIND = (
    b'<?xml version="1.0"?><d:propfind xmlns:d="DAV:"><d:prop><d:getetag/><d:getcontentlength/>'
    b"<d:resourcetype/></d:prop></d:propfind>"
)
STORED = os.urandom(10_000)
# Somebody who waits longer has gone.
PATIENCE = 60.0
# It is this very machine, whose certificate nobody knows.
UNCHECKED = ssl._create_unverified_context()


class Request(t.NamedTuple):
    """What is asked for."""

    method: str
    path: str
    body: bytes
    headers: dict[str, str]


def requests(names: t.Sequence[str], user: str, credentials: str) -> list[Request]:
    """Return what a client asks for in turn. Pure."""
    files = f"/remote.php/dav/files/{user}"
    signed = {"Authorization": f"Basic {credentials}", "User-Agent": "mirall/3.16"}
    listing = signed | {"Depth": "1", "Content-Type": "application/xml"}
    known = {
        "status": Request("GET", "/status.php", b"", {}),
        "login": Request("GET", "/index.php/login", b"", {}),
        "propfind": Request("PROPFIND", f"{files}/", PROPFIND, listing),
        "get": Request("GET", f"{files}/read.bin", b"", signed),
        "put": Request("PUT", f"{files}/written.bin", STORED, signed),
    }
    return [known[name] for name in names]


class Client:
    """One client of one space, with a connection that it keeps."""

    def __init__(self, asked: t.Sequence[str], host: str, user: str, credentials: str) -> None:
        self.host, self.asked = host, requests(asked, user, credentials)
        self.web: http.client.HTTPConnection | None = None
        self.seconds: list[float] = []
        self.failed: list[str] = []

    def ask(self, request: Request) -> int:
        """Return the status of an answer, whole."""
        if self.web is None:
            plain = socket.create_connection(("127.0.0.1", 443), timeout=PATIENCE)
            self.web = http.client.HTTPConnection(self.host)
            self.web.sock = UNCHECKED.wrap_socket(plain, server_hostname=self.host)
        self.web.request(request.method, request.path, request.body or None, request.headers)
        answer = self.web.getresponse()
        answer.read()
        if answer.will_close:
            self.hang_up()
        return answer.status

    def hang_up(self) -> None:
        """Close the connection; the next request opens another."""
        if self.web is not None:
            self.web.close()
        self.web = None

    def run(self, start: float, interval: float, seconds: float) -> None:
        """Ask until the time is over: at `start`, and every `interval` seconds from then on."""
        for number in range(max(1, int(seconds / interval))):
            due = start + number * interval
            time.sleep(max(0.0, due - time.monotonic()))
            request = self.asked[number % len(self.asked)]
            if time.monotonic() > start + seconds:
                # An attack ends with its turn: what begins after it would tell of both.
                self.failed.append(f"{request.method}: not begun")
                continue
            try:
                status = self.ask(request)
            except (OSError, http.client.HTTPException) as error:
                self.hang_up()
                self.failed.append(f"{request.method}: {type(error).__name__}")
                continue
            if status >= 400:
                self.failed.append(f"{request.method}: {status}")
            else:
                self.seconds.append(time.monotonic() - due)


def main() -> None:
    """Ask all spaces at the same time, each a little after the other."""
    people, interval, seconds = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    asked = sys.argv[4:]
    lines = Path(people).read_text(encoding="utf-8").splitlines()
    clients = [Client(asked, *line.split()) for line in lines]
    start = time.monotonic() + 0.2
    threads = [
        threading.Thread(
            target=client.run, args=(start + number * interval / len(clients), interval, seconds)
        )
        for number, client in enumerate(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = {
        "seconds": [one for client in clients for one in client.seconds],
        "failed": [one for client in clients for one in client.failed],
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
