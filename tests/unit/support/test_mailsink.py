# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The relay of the scenarios takes what a relay takes."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import mailsink


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    command = [sys.executable, mailsink.__file__, str(tmp_path / "letters"), f"--port={port}"]
    with subprocess.Popen(command) as running:
        yield "127.0.0.1", port
        running.terminate()


def send(relay: tuple[str, int], end: bytes) -> bytes:
    """Send a letter up to its end; return what the relay said to it."""
    until = time.monotonic() + 20
    while True:
        try:
            client = socket.create_connection(relay, timeout=20)
            break
        except ConnectionRefusedError:
            assert time.monotonic() < until
            time.sleep(0.05)
    with client, client.makefile("rwb") as lines:
        lines.readline()
        for verb in (b"MAIL FROM:<a@x.example>", b"RCPT TO:<b@x.example>", b"DATA"):
            lines.write(verb + b"\r\n")
            lines.flush()
            lines.readline()
        lines.write(b"Subject: x\r\n\r\nhello\r\n" + end)
        lines.flush()
        client.shutdown(socket.SHUT_WR)
        return lines.readline()


def test_a_letter_whose_sender_left_in_the_middle_was_not_sent(
    relay: tuple[str, int], tmp_path: Path
):
    assert send(relay, b"") == b""
    assert send(relay, b".\r\n") == b"250 kept\r\n"
    assert len(list((tmp_path / "letters").glob("*.json"))) == 1
