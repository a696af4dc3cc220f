# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""As much of AMQP 0-9-1 as it takes to learn whether a queue lets somebody in."""

from __future__ import annotations

import socket
import struct
from urllib.parse import unquote, urlsplit

SECONDS = 5
START_OK = struct.pack(">HHI", 10, 11, 0)
TUNE_OK = struct.pack(">HHHIH", 10, 31, 2047, 131072, 60)
TUNE, OPEN_OK = (10, 30), (10, 41)


def admitted(url: str) -> bool:
    """Whether user, password and virtual host of an address are right."""
    parts = urlsplit(url)
    login = f"\0{unquote(parts.username or '')}\0{unquote(parts.password or '')}".encode()
    host = unquote(parts.path.removeprefix("/")).encode()
    try:
        address = (parts.hostname, parts.port or 5672)
        with socket.create_connection(address, timeout=SECONDS) as connection:
            connection.sendall(b"AMQP\0\0\x09\x01")
            method(connection)
            answer = b"\x05PLAIN" + struct.pack(">I", len(login)) + login + b"\x05en_US"
            send(connection, START_OK + answer)
            if method(connection) != TUNE:
                return False
            send(connection, TUNE_OK)
            send(connection, struct.pack(">HHB", 10, 40, len(host)) + host + b"\0\0")
            return method(connection) == OPEN_OK
    except (OSError, struct.error):
        return False


def send(connection: socket.socket, payload: bytes) -> None:
    """Send one frame on channel 0."""
    connection.sendall(struct.pack(">BHI", 1, 0, len(payload)) + payload + b"\xce")


def method(connection: socket.socket) -> tuple[int, int]:
    """Read one frame; return the class and method in it."""
    _kind, _channel, size = struct.unpack(">BHI", read(connection, 7))
    one, other = struct.unpack(">HH", read(connection, size + 1)[:4])
    return one, other


def read(connection: socket.socket, size: int) -> bytes:
    """Read exactly so many bytes."""
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise OSError("closed")
        data += more
    return data
