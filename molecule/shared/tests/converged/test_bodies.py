# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What somebody without a password sends is stored nowhere for long, and keeps nobody out."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator

import pytest
from testinfra.host import Host

from tests.support.browser import Browser
from tests.support.scenario import Scenario

SLUG = "velo-ecole"
BODIES = "/var/lib/nginx/body"
GIB = 1 << 30
DAV = "/remote.php/dav/files/nobody/large.bin"
# One more than one address may have under way, of 10 to 200 MB: spaces_bodies_at_once.
AT_ONCE = 16
SECONDS = 60


class Slow:
    """Somebody who says how much they will send, sends a little, and waits."""

    def __init__(self, scenario: Scenario, host: str, method: str, path: str, length: int) -> None:
        chain = scenario.node.file("/etc/archipel/tls/wildcard/chain.pem").content_string
        trust = ssl.create_default_context(cadata=chain)
        plain = socket.create_connection(("127.0.0.1", scenario.browser.port), timeout=SECONDS)
        self.socket = trust.wrap_socket(plain, server_hostname=host)
        self.head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n"

    def begin(self) -> None:
        """Send the head, and some of the body."""
        self.socket.sendall(self.head.encode() + b"x" * 100_000)

    def status(self, seconds: float = SECONDS) -> int:
        """Return what is answered; 0 if nothing is."""
        self.socket.settimeout(seconds)
        try:
            answer = self.socket.recv(1000)
        except TimeoutError:
            return 0
        return int(answer.split(b" ", 2)[1]) if answer else 0

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def host(scenario: Scenario) -> str:
    return str(scenario.spaces[SLUG]["domains"][0])


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


def begun(
    scenario: Scenario, host: str, stack: contextlib.ExitStack, number: int, length: int
) -> list[Slow]:
    """Let so many begin, one after the other: in this order they are counted."""
    clients = [Slow(scenario, host, "PUT", DAV, length) for _ in range(number)]
    for client in clients:
        stack.callback(client.close)
        client.begin()
        time.sleep(0.1)
    return clients


def kept(node: Host) -> int:
    """Return how many bytes nginx has put on a disk."""
    return int(node.check_output(f"du -sb {BODIES} | cut -f1"))


def test_four_of_12_gb_fill_no_disk_and_keep_nobody_out(
    scenario: Scenario,
    node: Host,
    browser: Browser,
    host: str,
    stack: contextlib.ExitStack,
):
    before = kept(node)
    clients = begun(scenario, host, stack, 4, 12 * GIB)
    assert browser.get(host, "/status.php").status == 200
    assert [client.status() for client in clients[2:]] == [429, 429]
    # PHP answers the first two once it has thrown away the rest of them, or not at all.
    assert {client.status(0.1) for client in clients[:2]} <= {0, 401}
    assert kept(node) - before < 1_000_000


@pytest.mark.parametrize("path", ["/index.php/login", "/status.php", "/ocs/v2.php/x", "/anything"])
def test_only_webdav_takes_long_ones(
    scenario: Scenario, host: str, path: str, stack: contextlib.ExitStack
):
    client = Slow(scenario, host, "POST", path, 12 * GIB)
    stack.callback(client.close)
    client.begin()
    assert client.status() == 413


def test_one_address_has_so_many_under_way_and_others_go_on(
    scenario: Scenario, browser: Browser, host: str, stack: contextlib.ExitStack
):
    clients = begun(scenario, host, stack, AT_ONCE + 1, 150_000_000)
    assert clients[-1].status() == 429
    assert [client.status(0.1) for client in clients[:-1]] == [0] * AT_ONCE
    assert browser.get(host, "/status.php").status == 200
    small = browser.request("PUT", host, DAV, body=b"x" * 900_000)
    assert small.status == 401


def test_a_client_that_is_told_to_wait_knows_how_long(
    scenario: Scenario, host: str, stack: contextlib.ExitStack
):
    clients = begun(scenario, host, stack, AT_ONCE + 1, 150_000_000)
    clients[-1].socket.settimeout(SECONDS)
    head = clients[-1].socket.recv(2000).decode()
    assert " 429 " in head.splitlines()[0]
    assert "Retry-After: 10" in head
