# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Strangers at a form, each with an address of its own. Runs on a machine, with Python alone.

Reads what to send from standard input, a JSON object {port, host, workers, pause, posts: [{body,
from, times, method, path, headers}]}, and prints what came of each: [status, seconds, page]. Bodies
are latin-1, byte by byte. One with `@task@` in it is sent with a task that was solved.
"""

from __future__ import annotations

import hashlib
import http.client
import itertools
import json
import socket
import ssl
import sys
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

# Of a page, as much as a test looks at.
SHOWN = 3000


def connect(given: dict[str, t.Any], source: str) -> http.client.HTTPSConnection:
    """Return a connection from an address of the loopback network."""
    # The machine asks itself; who answers is not in question here.
    trust = ssl._create_unverified_context()
    plain = socket.create_connection(("127.0.0.1", given["port"]), 60, (source, 0))
    connection = http.client.HTTPSConnection(given["host"], given["port"])
    connection.sock = trust.wrap_socket(plain, server_hostname=given["host"])
    return connection


def solve(given: dict[str, t.Any], source: str) -> str:
    """Do what the form's script does, and return the fields of its answer."""
    connection = connect(given, source)
    connection.request("GET", "/task")
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        return "task=&answer="
    task = json.loads(text)
    for number in itertools.count():
        digest = hashlib.sha256(f"{task['task']}:{number}".encode()).digest()
        if int.from_bytes(digest[:4], "big") >> (32 - task["bits"]) == 0:
            return f"task={task['task']}&answer={number}"
    raise AssertionError


def send(given: dict[str, t.Any], post: dict[str, t.Any]) -> list[t.Any]:
    """Send one form."""
    time.sleep(given.get("pause", 0))
    since = time.monotonic()
    body, source = post["body"].encode("latin-1") * post.get("times", 1), post["from"]
    if b"@task@" in body:
        body = body.replace(b"@task@", solve(given, source).encode())
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    try:
        connection = connect(given, source)
        connection.request(
            post.get("method", "POST"),
            post.get("path", "/request"),
            body,
            {**headers, **post.get("headers", {})},
        )
        answer = connection.getresponse()
        found = [answer.status, answer.read()[:SHOWN].decode("utf-8", "replace")]
    except (OSError, http.client.HTTPException, ValueError) as error:
        found = [0, f"{type(error).__name__}: {error}"]
    return [found[0], time.monotonic() - since, found[1]]


def main() -> None:
    """Send all of them, several at once."""
    given = json.load(sys.stdin)
    with ThreadPoolExecutor(given.get("workers", 1)) as pool:
        found = list(pool.map(lambda post: send(given, post), given["posts"]))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
